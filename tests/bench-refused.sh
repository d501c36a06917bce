# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool mkfs.ext4
#
# `ublk bench` only reads unless it is told to write, and does not write to a
# disk that is in use or may contain data.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# refused NAME REGEX OPTION...: it writes nothing, and says why.
refused() {
	name=$1 why=$2
	shift 2
	was=$(read_back "$dev" 8388608 | sum -)
	fails 1 "$name" ublk bench --ios 100 "$@" "$dev"
	like "$err" "^ublk: $dev: $why" "says why"
	is "$out" "" "and no figures"
	is "$(read_back "$dev" 8388608 | sum -)" "$was" "and has written nothing"
}

served "a disk" ram 8M
empty=$(read_back "$dev" 8388608 | sum -)
for options in "" "--rw read" "--rw randread --bs 64K --depth 2 --batch 2"; do
	# shellcheck disable=SC2086 # words are meant to be split
	ok "bench $options" ublk bench --ios 1000 $options "$dev"
	is "$(wc -l <"$tmp/out")" 1 "is one line"
	like "$out" ', depth [0-9]+: [0-9]+ IOPS, [0-9.]+ MiB/s, latency mean [0-9.]+ us, p99 [0-9.]+ us$' \
		"of figures"
	is "$(read_back "$dev" 8388608 | sum -)" "$empty" "and writes nothing"
done
ok "bench --json" ublk bench --ios 1000 --json --bs=8K -d 3 "$dev"
for field in '"rw": "randread"' '"bs": 8192' '"depth": 3' '"ios": 1000' \
	'"seconds": [0-9.]+' '"iops": [0-9.]+' '"bandwidth": [0-9]+' \
	'"latency_mean_ns": [0-9]+' '"latency_p99_ns": [0-9]+'; do
	like "$out" "[{ ]${field}[,}]" "has $field"
done
start=$(cut -d . -f 1 /proc/uptime)
ok "bench --time 2" ublk bench --time 2 "$dev"
like $(($(cut -d . -f 1 /proc/uptime) - start)) '^[234]$' "takes two seconds"

# After each of these, the disk is no longer empty.
for rw in write randwrite randrw; do
	ok "bench --rw $rw of an empty disk" ublk bench --rw $rw --ios 1000 "$dev"
	refused "another one" "not empty" --rw $rw
	ok "but with --destroy" ublk bench --rw $rw --ios 1000 --destroy "$dev"
	stopped "stop it" "$dev"
	served "a disk for the next" ram 8M
done
for place in 0 1048575 7340032 8388607; do
	printf x | dd of="$dev" bs=1 seek=$place conv=notrunc,fsync 2>/dev/null
	refused "one byte at $place" "not empty" --rw write
	dd if=/dev/zero of="$dev" bs=1 seek=$place count=1 conv=notrunc,fsync \
		2>/dev/null
done

mkfs.ext4 -q "$dev"
refused "a filesystem" "not empty" --rw randwrite
mkdir "$tmp/mnt"
# Read-only, as the filesystem itself would write now and then.
mount -o ro "$dev" "$tmp/mnt"
refused "a mounted disk" ".*busy" --rw randwrite
refused "also with --destroy" ".*busy" --rw randwrite --destroy
ok "it can be read" ublk bench --ios 100 "$dev"
umount "$tmp/mnt"
mkswap "$dev" >/dev/null
swapon "$dev"
refused "swap" ".*busy" --rw write --destroy
swapoff "$dev"
stopped "stop it" "$dev"

served "a disk that is read only" ram 8M -r
fails 1 "writing to it" ublk bench --rw write --ios 1 "$dev"
served "a disk of large blocks" ram 8M --block-size 4096
fails 1 "requests smaller than those" ublk bench --bs 512 --ios 1 "$dev"
like "$err" "--bs has to be a multiple of 4096 bytes" "says so"
fails 1 "requests larger than the disk" ublk bench --bs 16M --ios 1 "$dev"
like "$err" "smaller than one request of 16777216 bytes" "says so"
fails 1 "a file" ublk bench --rw write /add/lib.sh
like "$err" "/add/lib.sh: Block device required" "says so"
fails 1 "no such node" ublk bench /dev/none
like "$err" "/dev/none: No such file" "says so"
fails 2 "no such pattern" ublk bench --rw trim "$dev"
like "$err" "rw trim: no such pattern" "says so"
fails 2 "no node" ublk bench
fails 1 "a full standard output" sh -c "ublk bench --ios 1 $dev >/dev/full"

done_testing
