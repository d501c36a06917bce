# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/memory.lib --tool mkfs.ext4
# board: --tool e2fsck --disk 16M --disk 24M --disk 144M --mem 64M --timeout 600
#
# A filesystem on the disk is written through the page cache, much more than the
# board has memory: first with one and the same worker, then while workers are
# killed. Afterwards every file and the filesystem are intact.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/memory.lib"

program_on /dev/vda
small_board 40
mkdir "$tmp/mnt" "$tmp/below"
at_exit 'umount "$tmp/below" 2>/dev/null'
at_exit 'stop_started'
at_exit 'umount "$tmp/mnt" 2>/dev/null'

# Files of 8 MiB, each another part of a pattern on a disk.
files='0 1 2 3 4 5 6 7 8 9'
pattern written 17825792 | dd of=/dev/vdb bs=64k conv=fsync 2>/dev/null
original() {
	dd if=/dev/vdb bs=1M skip="$1" count=8 2>/dev/null
}
for n in $files; do
	original "$n" | sum -
done >"$tmp/sums"

# written: copies all files in turn, under as many names as the disk has room
# for.
written() {
	for n in $files; do
		original "$n" >"$tmp/mnt/$((n % room))" || return 1
	done
	sync
}
# whole: the last copies are on the disk.
whole() {
	echo 3 >/proc/sys/vm/drop_caches
	for n in $(echo "$files" | tr ' ' '\n' | tail -n "$room"); do
		sum "$tmp/mnt/$((n % room))"
	done >"$tmp/got"
	tail -n "$room" "$tmp/sums" | cmp - "$tmp/got" 2>&1
}

# writes COMMAND...: everything is written and compared; meanwhile COMMAND PID
# runs, which ends when the process does.
writes() {
	written &
	load=$!
	"$@" $load
	wait $load || problem="$problem a write failed"
	different=$(whole) || problem="$problem $different"
}

# ext4 of Linux 7.3 itself loses writes without this option (docs/boards.md).
mounted=''
! linux_since 7 0 || mounted='-o dioread_lock'
mounts() {
	# shellcheck disable=SC2086 # words are meant to be split
	mount -t ext4 $mounted "$@"
}

# How many pages were reclaimed.
pages_reclaimed() {
	awk '/^pgsteal_(kswapd|direct) / { sum += $2 } END { print sum }' \
		/proc/vmstat
}

# under_pressure ROOM DEVICE...: all that, on a disk with room for ROOM files.
under_pressure() {
	problem=''
	room=$1
	shift
	served "$*" "$@"
	ok "$*: a filesystem" mkfs.ext4 -q -F "$dev"
	ok "$*: mount it" mounts "$dev" "$tmp/mnt"
	victims=$(event oom_kill)
	pages=$(pages_reclaimed)
	killed=0
	round=0
	while [ $round -lt "$rounds" ] && [ -z "$problem" ]; do
		# shellcheck disable=SC2034 # another_worker wants it
		worker=$(worker_of "$id")
		writes wait
		! another_worker || problem="$problem another worker"
		round=$((round + 1))
		# With large pages, a load may have too few requests for all kills.
		again=0
		while [ -n "$recovers" ] && [ -z "$problem" ] && [ $again -lt 4 ]; do
			writes kill_workers
			again=$((again + 1))
			[ $killed -lt $((3 * round)) ] || break
		done
		sleep "$pause"
	done
	pages=$(($(pages_reclaimed) - pages))
	note "$((pages * page_kib / 1024)) MiB of memory reclaimed, $killed workers killed"
	[ "$(event oom_kill)" = "$victims" ] ||
		problem="$problem somebody was killed"
	# Pages of a file that is overwritten are freed without reclaim.
	[ $((pages * page_kib / 1024)) -ge $((24 * rounds)) ] ||
		problem="$problem no pressure"
	[ $killed -ge $((3 * rounds)) ] || [ -z "$recovers" ] ||
		problem="$problem only $killed workers were killed"
	verdict "$*: written under pressure, all is there"
	ok "$*: umount" umount "$tmp/mnt"
	ok "$*: the filesystem is whole" e2fsck -fn "$dev"
	stopped "$*: stop it" "$dev"
}

rounds=${ROUNDS:-1}
under_pressure 1 ram 16M
under_pressure 12 file /dev/vdc
mkfs.ext4 -q -F /dev/vdc
ok "a filesystem below" mounts /dev/vdc "$tmp/below"
truncate -s 120M "$tmp/below/file"
under_pressure 12 file "$tmp/below/file" -q 2
ublk pack "$tmp/below/file" "$tmp/below/image.gz"
truncate -s 16M "$tmp/below/file"
# Then its buffers take 8 MiB; without them, there would be no pressure.
under_pressure 1 file "$tmp/below/file" --cow 16M --depth 64
under_pressure 12 zimg "$tmp/below/image.gz" --cow "$tmp/below/written"

done_testing
