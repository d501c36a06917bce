# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/memory.lib --tool mkfs.ext4
# board: --disk 16M --disk 128M --disk 192M --mem 64M --timeout 900
#
# Disks that are the swap of the board that serves them. What a process and a
# tmpfs put there, more than the board's memory, comes back intact, from one
# server, or from several that were killed in turn. No other process had to be
# killed for it.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/memory.lib"

# Seen with a plain disk as swap, too: 2 of 8 rounds.
[ ! -d /sys/bus/platform/drivers/uml-blkdev ] ||
	skip_all "user-mode Linux loses what it has swapped out"

program_on /dev/vda
small_board 40

# Twice the free memory, to be read again and again: a pattern on a disk.
bytes=$((($(memory MemAvailable) * 2 / 1024 + 1) * 1048576))
pattern swapped $bytes | dd of=/dev/vdb bs=64k conv=fsync 2>/dev/null
original() {
	dd if=/dev/vdb bs=64k iflag=fullblock,count_bytes count=$bytes \
		2>/dev/null
}
whole=$(original | sum -)
at_exit 'umount "$tmp/swapped" 2>/dev/null'
at_exit '[ -z "$dev" ] || swapoff "$dev" 2>/dev/null'
mkdir "$tmp/swapped"

# swaps: a process that has all of it in memory, and a file that has, both get
# the original back.
swaps() {
	original | tail -c $bytes | sum - >"$tmp/process"
	[ "$(cat "$tmp/process")" = "$whole" ] || return 1
	mount -t tmpfs -o size=$bytes swapped "$tmp/swapped"
	original >"$tmp/swapped/file"
	sum "$tmp/swapped/file" >"$tmp/file"
	umount "$tmp/swapped"
	[ "$(cat "$tmp/file")" = "$whole" ]
}

# swapped DEVICE...: a device is the swap while all of it is written and read,
# by one worker, and again while workers are killed.
swapped() {
	problem=''
	serve "$@"
	[ -b "$dev" ] || problem="not served: $err"
	mkswap "$dev" >/dev/null
	swapon "$dev" || problem="$problem swapon"
	swaps_while wait "$@"
	[ -z "$recovers" ] || swaps_while kill_workers "$@"
	fails 1 "$*: is not stopped while it is the swap" ublk stop "$dev"
	ok "$*: swapoff" swapoff "$dev"
	stopped "$*: stop it" "$dev"
}
# swaps_while COMMAND DEVICE...: a check; meanwhile COMMAND PID runs, which ends
# when the process does.
swaps_while() {
	during=$1
	shift
	worker=$(worker_of "$id")
	first=$worker
	before="$(event oom_kill)"
	out=$(event pswpout)
	in=$(event pswpin)
	killed=0
	round=0
	while [ $round -lt "$rounds" ] && [ -z "$problem" ]; do
		swaps &
		$during $!
		wait $! || problem="$problem not what it was: process $(cat \
			"$tmp/process"), file $(cat "$tmp/file")"
		round=$((round + 1))
		sleep "$pause"
	done
	out=$((($(event pswpout) - out) * page_kib / 1024))
	in=$((($(event pswpin) - in) * page_kib / 1024))
	note "$out MiB written, $in MiB read, $killed workers killed"
	# Each MiB that does not fit is swapped out and in, twice a round.
	[ $in -ge $((bytes / 1048576 / 2 * rounds)) ] ||
		problem="$problem only $in MiB were read"
	[ "$(event oom_kill)" = "$before" ] ||
		problem="$problem somebody was killed"
	case $during in
	wait)
		[ "$(worker_of "$id")" = "$first" ] ||
			problem="$problem it is another server"
		verdict "$*: as swap, all is as it was" ;;
	*)
		[ $killed -ge $((5 * rounds)) ] ||
			problem="$problem only $killed workers were killed"
		verdict "$*: workers are killed, all is as it was" ;;
	esac
}

rounds=${ROUNDS:-1}
swapped file /dev/vdc
swapped file /dev/vdc -q 2
mkfs.ext4 -q -F /dev/vdc
mkdir "$tmp/below"
at_exit 'umount "$tmp/below" 2>/dev/null'
at_exit 'stop_started'
ok "a filesystem" mount -t ext4 /dev/vdc "$tmp/below"
dd if=/dev/zero of="$tmp/below/file" bs=1M count=150 2>/dev/null
swapped file "$tmp/below/file" -q 2

# A disk in memory saves nothing, but nothing is lost either.
served "a disk in memory" ram 8M
mkswap "$dev" >/dev/null
ok "is swap as well" swapon "$dev"
ok "and is no more" swapoff "$dev"
stopped "stop it" "$dev"

done_testing
