# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool blkdiscard --tool mkfs.ext4 --tool e2fsck
# board: --disk 4M --disk 16M --mem 384M --timeout 900
#
# `--cow`: writes to a disk over an image or file that is only read. Written
# blocks are in memory up to a limit, or in a file or device that belongs to
# that image and can be used again. The image or file stays unchanged.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

size=8388608
pattern base $size >"$tmp/base"
pattern other $size >"$tmp/other"
truncate -s $size "$tmp/zeroes"
ublk pack "$tmp/base" "$tmp/base.gz"
ublk pack "$tmp/other" "$tmp/other.gz"
below=$(sum "$tmp/base")
pattern new 5120 >"$tmp/new"
# Pages of this kernel, as a tmpfs has them.
page_kib=$(($(stat -f -c %S /dev/shm) / 1024))

# patched OFFSET: makes the same write to the expected contents.
patched() {
	dd of="$tmp/want" bs=512 seek=$(($1 / 512)) conv=notrunc 2>/dev/null
}
zeroed() {
	dd if=/dev/zero of="$tmp/want" bs=4096 seek=$(($1 / 4096)) \
		count=$(($2 / 4096)) conv=notrunc 2>/dev/null
}
# holds NAME: the disk has the expected contents, and its base is unchanged.
holds() {
	read_back "$dev" $size >"$tmp/got"
	same "$tmp/got" "$tmp/want" "$1"
	is "$(sum "$tmp/base")" "$below" "$1: and what is below as it was"
}
# memory: prints the size of the device's memory in KiB.
memory() {
	echo $(($(stat -c %b "/run/ublk.memory/$id") / 2))
}
kill_all() {
	kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
	wait_until 5 waits
}
waits() {
	ublk list "$id" | grep -q ' quiesced '
}

# write_all: sectors, blocks, halves of blocks, the last sector, holes.
write_all() {
	put_direct "$dev" 3 <"$tmp/new"
	patched 1536 <"$tmp/new"
	pattern large 1000448 >"$tmp/large"
	put "$dev" 2097664 <"$tmp/large"
	patched 2097664 <"$tmp/large"
	pattern last 512 | put_direct "$dev" $((size / 512 - 1))
	pattern last 512 | patched $((size - 512))
	ok "$1: discard" blkdiscard -o 2101248 -l 409600 "$dev"
	zeroed 2101248 409600
	ok "$1: zeroes" blkdiscard -z -o 4194304 -l 1048576 "$dev"
	zeroed 4194304 1048576
	ok "$1: zeroes of sectors" blkdiscard -z -o 512 -l 512 "$dev"
	dd if=/dev/zero bs=512 count=1 2>/dev/null | patched 512
	ok "$1: discard what is only below" \
		blkdiscard -o 6291456 -l 131072 "$dev"
	zeroed 6291456 131072
	put_direct "$dev" 12289 <"$tmp/new"
	patched $((12289 * 512)) <"$tmp/new"
}

# two_writers: write even and odd sectors of unwritten blocks at the same time.
two_writers() {
	pattern both 65536 14336 >"$tmp/both"
	jobs=''
	for half in 0 1; do
		n=$half
		while [ $n -lt 128 ]; do
			dd if="$tmp/both" of="$dev" bs=512 count=1 skip=$n \
				seek=$((14336 + n)) oflag=direct conv=notrunc \
				2>/dev/null
			n=$((n + 2))
		done &
		jobs="$jobs $!"
	done
	for job in $jobs; do
		wait "$job"
	done
	patched $((14336 * 512)) <"$tmp/both"
}

for device in "zimg $tmp/base.gz --cow 4M" "file $tmp/base --cow 4M -q 2" \
	"zimg $tmp/base.gz --cow $tmp/kept.z -q 2 --cache 256K" \
	"file $tmp/base --cow $tmp/kept.f" \
	"file $tmp/base --buffered -q 2 --cow $tmp/kept.b" \
	"ram 8M --cow 4M" "ram 8M -q 2 --cow $tmp/kept.r"; do
	what=$(echo "$device" | sed "s|$tmp/||g")
	case $device in
	ram*) cp "$tmp/zeroes" "$tmp/want" ;;
	*) cp "$tmp/base" "$tmp/want" ;;
	esac
	# shellcheck disable=SC2086 # words are meant to be split
	served "$what" $device
	is "$(blockdev --getro "$dev")" 0 "$what: it can be written"
	holds "$what: at first it is what is below"
	write_all "$what"
	holds "$what: then what was written"
	two_writers
	holds "$what: by two at once"
	[ -z "$recovers" ] || {
		kill_all
		ok "$what: recover it" ublk recover "$id"
		holds "$what: after all its processes were killed"
		ok "$what: upgrade it" ublk upgrade "$id"
		holds "$what: and behind another program"
	}
	ok "$what: pack it" ublk pack "$dev" "$tmp/packed.gz"
	zcat "$tmp/packed.gz" >"$tmp/got"
	same "$tmp/got" "$tmp/want" "$what: as it is"
	stopped "$what: stop it" "$dev"
	case $device in *'--cow 4M'*) continue ;; esac
	below_it=$(echo "$device" | cut -d ' ' -f 2)
	case $device in ram*) below_it=$tmp/zeroes ;; esac
	kept=${device##*--cow }
	kept=${kept%% *}
	ok "$what: pack it without a device" ublk pack --cow "$kept" \
		"$below_it" "$tmp/packed.gz"
	zcat "$tmp/packed.gz" >"$tmp/got"
	same "$tmp/got" "$tmp/want" "$what: it is the same"
	run ublk pack --verity --cow "$kept" "$below_it" "$tmp/packed.gz"
	is "$out" "$(ublk pack --force --verity "$tmp/want" "$tmp/got")" \
		"$what: and so is its root hash"
	# shellcheck disable=SC2086 # words are meant to be split
	served "$what: once more" $device
	holds "$what: it is all there again"
	stopped "$what: stop it" "$dev"
	# shellcheck disable=SC2086 # words are meant to be split
	served "$what: only to be read" $device --read-only
	is "$(blockdev --getro "$dev")" 1 "$what: it cannot be written"
	holds "$what: and is the same"
	ok "$what: nothing is to be flushed" sync "$dev"
	stopped "$what: stop it" "$dev"
done

# full NAME: a write beyond the limit fails with one message, and the rest of
# the disk is still served.
full() {
	dmesg -c >/dev/null
	dd if="$tmp/other" of="$dev" bs=64k seek=1 count=127 oflag=direct \
		conv=notrunc 2>"$tmp/dd"
	like "$(cat "$tmp/dd")" 'No space left' "$1: no space is an error"
	dd if="$tmp/other" of="$dev" bs=64k seek=120 count=1 oflag=direct \
		conv=notrunc 2>"$tmp/dd"
	like "$(cat "$tmp/dd")" 'No space left' "$1: and again"
	is "$(dmesg | grep -c 'writes fail$')" 1 "$1: the log says it once"
	dd if="$tmp/base" of="$tmp/want" bs=64k 2>/dev/null
	written=$(read_back "$dev" $size | cmp -l - "$tmp/base" | wc -l)
	is "$(read_back "$dev" 65536 7864320 | sum -)" \
		"$(tail -c +7864321 "$tmp/base" | head -c 65536 | sum -)" \
		"$1: what could not be written is as it was"
	[ "$written" -gt 10000 ] && pass "$1: what was written is there" ||
		fail "$1: what was written is there" "$written bytes"
	ok "$1: what is discarded" blkdiscard -o 65536 -l 524288 "$dev"
	dd if="$tmp/other" of="$dev" bs=64k seek=120 skip=120 count=4 \
		oflag=direct conv=notrunc 2>"$tmp/dd"
	is "$(read_back "$dev" 262144 7864320 | sum -)" \
		"$(tail -c +7864321 "$tmp/other" | head -c 262144 | sum -)" \
		"$1: makes room"
}

served "more than the machine has" ram 1T --cow 1M
put "$dev" 1099511622656 <"$tmp/new"
is "$(read_back "$dev" 5120 1099511622656 | sum -)" "$(sum "$tmp/new")" \
	"its end can be written"
is "$(read_back "$dev" 1048576 549755813888 | tr -d '\0' | wc -c)" 0 \
	"and its middle is zeroes"
stopped "stop it" "$dev"

served "a megabyte" zimg "$tmp/base.gz" --cow 1M -q 2
full memory
[ ! -d /run/ublk.memory ] || {
	is $(($(memory) <= 1024 + 16)) 1 "no more memory is taken: $(memory) KiB"
	blkdiscard "$dev"
	is $(($(memory) <= (page_kib > 16 ? page_kib : 16))) 1 \
		"all is given back: $(memory) KiB"
}
is "$(read_back "$dev" $size | tr -d '\0' | wc -c)" 0 \
	"all that is discarded is zeroes, and nothing of what is below"
stopped "stop it" "$dev"
mkdir "$tmp/small"
mount -t tmpfs -o size=1M tmpfs "$tmp/small"
at_exit 'umount "$tmp/small"'
at_exit 'stop_started'
served "a filesystem of a megabyte" file "$tmp/base" --cow "$tmp/small/kept"
full filesystem
stopped "stop it" "$dev"

# Devices.
fails 1 "a device that is too small" ublk file "$tmp/base" --cow /dev/vda
like "$err" 'has 4194304 bytes, and needs 8396800' "is refused, with numbers"
cp "$tmp/base" "$tmp/want"
for round in 1 2; do
	served "a device, time $round" zimg "$tmp/base.gz" --cow /dev/vdb -q 2
	[ $round = 2 ] || put "$dev" 1024 <"$tmp/new"
	patched 1024 <"$tmp/new"
	holds "a device, time $round"
	fails 1 "a second server is refused" \
		ublk zimg "$tmp/base.gz" --cow /dev/vdb
	stopped "stop it" "$dev"
done
fails 1 "another image" ublk zimg "$tmp/other.gz" --cow /dev/vdb
like "$err" '/dev/vdb: was written over another image' "is refused"
fails 1 "a device that is not there" ublk file "$tmp/base" --cow /dev/none
[ ! -e /dev/none ] && pass "is not made" || fail "is not made"

# Files.
fails 1 "a file with something else in it" ublk file "$tmp/base" \
	--cow "$tmp/other"
like "$err" 'holds something else' "is refused"
is "$(sum "$tmp/other")" "$(pattern other $size | sum -)" "and left alone"
fails 1 "less than a block" ublk file "$tmp/base" --cow 4095
fails 1 "nothing to be read" ublk file "$tmp/base" --cow "$tmp/not" -r
cd "$tmp" || exit
served "by a path from here" file base --cow by-name
cd /
like "$(cat "/run/ublk/$id")" "^file_cow=$tmp/by-name\$" "the record has all of it"
fails 1 "a second server of the same file" ublk file "$tmp/base" \
	--cow "$tmp/by-name"
like "$err" 'in use by another server' "is refused"
stopped "stop it" "$dev"

# Data after the last block belongs to somebody else.
pattern behind 65536 >"$tmp/behind"
truncate -s $((4096 + 4096 + size)) "$tmp/larger"
cat "$tmp/behind" >>"$tmp/larger"
served "a file with more behind it" file "$tmp/base" --cow "$tmp/larger"
put "$dev" 1024 <"$tmp/new"
stopped "stop it" "$dev"
tail -c 65536 "$tmp/larger" >"$tmp/got"
same "$tmp/got" "$tmp/behind" "has that still"

# The last process writes the map: the supervisor, its worker, or `ublk stop`.
# kept NAME: what was written is there when it is served again.
kept() {
	served "$1: once more" file "$tmp/base" --cow "$tmp/last"
	is "$(read_back "$dev" 5120 1024 | sum -)" "$(sum "$tmp/new")" \
		"$1: what was written is there"
	is "$(read_back "$dev" 5120 $((size - 8192)) | sum -)" \
		"$(sum "$tmp/new")" "$1: all of it"
	stopped "$1: stop it" "$dev"
	rm "$tmp/last"
}
for dead in supervisor worker both; do
	[ -n "$recovers" ] || break
	served "$dead" file "$tmp/base" --cow "$tmp/last" -q 2
	put_direct "$dev" 2 <"$tmp/new"
	case $dead in
	supervisor) kill -KILL "$(server_of "$id")" ;;
	worker) kill -KILL "$(worker_of "$id")" ;;
	esac
	put_direct "$dev" $((size / 512 - 16)) <"$tmp/new"
	[ $dead != both ] || kill_all
	ok "$dead is killed: stop it" ublk stop "$dev"
	is "$(what_is)" "" "$dead: nothing is left"
	kept "$dead"
done

# If that is impossible, `stop` fails, and the written blocks stay.
[ -z "$recovers" ] || {
	served "a disk that will fail" ram 32M
	lower=$dev
	mkfs.ext4 -q "$lower"
	mkdir "$tmp/failing"
	mount "$lower" "$tmp/failing"
	served "a device over it" file "$tmp/base" --cow "$tmp/failing/kept"
	put_direct "$dev" 2 <"$tmp/new"
	ok "take the lower one away" ublk stop --force "$lower"
	fails 1 "stop fails" ublk stop "$dev"
	like "$err" "device $id: some writes are not in the --cow file yet" \
		"and says so"
	like "$(ublk list)" "^$id .* (dead|gone) " "the device is left"
	[ -e "/run/ublk.memory/$id" ] && pass "with what was written" ||
		fail "with what was written"
	fails 1 "so it is once more" ublk stop "$id"
	fails 1 "recover says that, too" ublk recover "$id"
	ok "by force it is stopped" ublk stop --force "$id"
	is "$(what_is)" "" "nothing is left"
	umount "$tmp/failing"

	served "one whose file is moved" file "$tmp/base" --cow "$tmp/last"
	put_direct "$dev" 2 <"$tmp/new"
	put_direct "$dev" $((size / 512 - 16)) <"$tmp/new"
	kill_all
	mv "$tmp/last" "$tmp/moved"
	fails 1 "stop fails" ublk stop "$id"
	mv "$tmp/moved" "$tmp/last"
	ok "with it, it is stopped" ublk stop "$id"
	like "$err" "device $id: all writes are in the --cow file now" \
		"which says so"
	kept "moved"
}
# The file for writes cannot be the base.
truncate -s 8M "$tmp/itself"
fails 1 "the same file" ublk file "$tmp/itself" --cow "$tmp/itself"
like "$err" 'input and output are the same file' "is refused"
blkdiscard -z /dev/vdb
fails 1 "the same device" ublk file /dev/vdb --cow /dev/vdb
like "$err" 'input and output are the same file' "is refused"
is "$(tr -d '\000' <"$tmp/itself" | wc -c) $(tr -d '\000' </dev/vdb | wc -c)" \
	"0 0" "and nothing was written to either"

# Nor is anything written over what is being read: the image, a disk of ours on
# it, or the file for its writes.
sum "$tmp/base.gz" >"$tmp/sums"
served "a disk in the image's file" file "$tmp/base.gz"
fails 1 "unpack onto it" ublk unpack -f "$tmp/base.gz" "$dev"
like "$err" 'holds the same as the input' "is refused"
fails 1 "pack it onto the file" ublk pack -f "$dev" "$tmp/base.gz"
like "$err" 'holds the same as the input' "is refused"
stopped "stop it" "$dev"
cp "$tmp/base" "$tmp/want"
served "an image with writes" zimg "$tmp/base.gz" --cow "$tmp/over"
put "$dev" 1024 <"$tmp/new"
patched 1024 <"$tmp/new"
for out in "$tmp/base.gz" "$tmp/over"; do
	fails 1 "pack the disk onto ${out##*/}" ublk pack -f "$dev" "$out"
	like "$err" 'holds the same as the input' "is refused"
done
stopped "stop it" "$dev"
served "a RAM disk with writes" ram 1M --cow "$tmp/over.ram"
put "$dev" 1024 <"$tmp/new"
fails 1 "pack it onto the file of its writes" ublk pack -f "$dev" "$tmp/over.ram"
like "$err" 'holds the same as the input' "is refused"
stopped "stop it" "$dev"
fails 1 "pack what was written onto itself" \
	ublk pack -f --cow "$tmp/over" "$tmp/base.gz" "$tmp/over"
like "$err" 'the same file' "is refused"
is "$(sum "$tmp/base.gz")" "$(cat "$tmp/sums")" "the image is as before"
ok "and what was written is there" ublk pack -f --cow "$tmp/over" \
	"$tmp/base.gz" "$tmp/merged.gz"
served "it can be served" zimg "$tmp/merged.gz"
holds "and is what it was"
stopped "stop it" "$dev"

# A filesystem in an image.
truncate -s 12M "$tmp/fs"
mkfs.ext4 -q -b 1024 "$tmp/fs"
ublk pack "$tmp/fs" "$tmp/fs.gz"
mkdir "$tmp/mnt"
for round in 1 2 3; do
	served "an image of ext4" zimg "$tmp/fs.gz" --cow "$tmp/kept.fs" -q 2
	ok "is mounted" mount -t ext4 -o discard "$dev" "$tmp/mnt"
	[ $round = 1 ] || is "$(cat "$tmp"/mnt/file* | sum -)" "$want" \
		"and has what was written before"
	head -c 500000 "$tmp/other" >"$tmp/mnt/file$round"
	rm "$tmp/mnt/file$((round - 2))" 2>/dev/null
	ok "its free blocks are given back" fstrim "$tmp/mnt"
	want=$(cat "$tmp"/mnt/file* | sum -)
	umount "$tmp/mnt"
	ok "it is clean" e2fsck -fn "$dev"
	stopped "stop it" "$dev"
done

done_testing
