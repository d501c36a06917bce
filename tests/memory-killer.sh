# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/memory.lib
# board: --tool mkfs.ext4 --disk 16M --disk 64M --mem 96M
# board: --timeout 600
#
# A board runs out of memory, and the OOM killer kills the process that has
# taken it. The servers, whose program is on a disk and can be evicted, serve on
# as the same processes, and a program that writes and verifies sees no error.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/memory.lib"

program_on /dev/vda
small_board 64
mkdir "$tmp/data" "$tmp/fill"
mkfs.ext4 -q -F /dev/vdb
ok "a disk for the data" mount -t ext4 /dev/vdb "$tmp/data"
at_exit 'umount "$tmp/data"'
at_exit 'umount "$tmp/fill" 2>/dev/null'
at_exit 'stop_started'
at_exit 'let_go'

truncate -s 16M "$tmp/data/file"
pattern image 4194304 >"$tmp/data/disk"
ublk pack "$tmp/data/disk" "$tmp/data/image.gz"
parts='0 1'
for n in $parts; do
	pattern "part $n" 1048576 >"$tmp/data/new0.$n"
	pattern "again $n" 1048576 >"$tmp/data/new1.$n"
	dd if="$tmp/data/disk" of="$tmp/data/old.$n" bs=1M skip="$n" count=1 \
		2>/dev/null
done

# verified N old|new: reads a part of the disk, after writing one of two new
# parts in turn, until $tmp/end exists. Uses direct I/O.
verified() {
	times=0
	part=$tmp/data/old.$1
	while [ ! -e "$tmp/end" ]; do
		[ "$2" = old ] || {
			part=$tmp/data/new$((times % 2)).$1
			dd if="$part" of="$dev" bs=64k seek=$(($1 * 16)) \
				oflag=direct conv=notrunc 2>"$tmp/dd.$1" ||
				return 1
		}
		dd if="$dev" bs=64k skip=$(($1 * 16)) count=16 iflag=direct \
			2>"$tmp/dd.$1" | cmp - "$part" 2>"$tmp/cmp.$1" ||
			return 1
		times=$((times + 1))
		echo $times >"$tmp/times.$1"
		[ "$pause" -eq 0 ] || sleep 1
	done
}

# out_of_memory: the board runs out of memory twice: one process takes all and
# is killed, and a file takes all while small processes are killed.
out_of_memory() {
	grow
	mount -t tmpfs -o size=100% fill "$tmp/fill"
	hold 8
	fill "$tmp/fill" 3 || problem="$problem the file was full"
	umount "$tmp/fill"
	let_go
}

# survives DEVICE...: it is served while that happens.
survives() {
	problem=''
	exposed 0
	served "$*" "$@"
	exposed -1000
	processes="$(server_of "$id") $(worker_of "$id")"
	# shellcheck disable=SC2086 # words are meant to be split
	reads=$(page_reads $processes)
	before=$(event oom_kill)
	rm -f "$tmp/end" "$tmp"/times.*
	load=new
	[ "$1" != zimg ] || load=old
	jobs=''
	for n in $parts; do
		verified "$n" $load &
		jobs="$jobs $!"
	done
	round=0
	goes_on || problem="no load"
	while [ $round -lt "$rounds" ] && [ -z "$problem" ]; do
		out_of_memory
		keep_log
		goes_on || problem="$problem no more load"
		round=$((round + 1))
		sleep "$pause"
	done
	touch "$tmp/end"
	n=0
	for job in $jobs; do
		wait "$job" || problem="$problem part $n: $(cat "$tmp/dd.$n" \
			"$tmp/cmp.$n")"
		n=$((n + 1))
	done
	died=$(($(event oom_kill) - before))
	note "$died killed, parts verified $(cat "$tmp"/times.* |
		paste -s -d ' ') times"
	[ $died -ge $((4 * rounds)) ] ||
		problem="$problem only $died processes were killed"
	verdict "out of memory, no error, no difference"
	is "$(server_of "$id") $(worker_of "$id")" "$processes" \
		"by the same processes"
	# shellcheck disable=SC2086 # words are meant to be split
	is "$(page_reads $processes)" "$reads" "for which nothing was read"
	stopped "stop it" "$dev"
}

rounds=${ROUNDS:-1}
survives ram 16M -q 2
survives file "$tmp/data/file"
survives file "$tmp/data/file" -q 2 --buffered
survives zimg "$tmp/data/image.gz" -q 2 --cache 1M

unlike "$(cat "$tmp/log")" "Killed process [0-9]+ \(ublk\)" \
	"no server was killed"
unlike "$(cat "$tmp/log")" "I/O error|died|was killed by" \
	"nor was there any error"

done_testing
