# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/memory.lib --tool mkfs.ext4
# board: --disk 16M --disk 64M --mem 96M --timeout 400
#
# Everything that a server needs is in memory and locked before its disk
# appears. None of its processes ever waits for a page to be read, however often
# the kernel drops what it can, including the server's own program. The server
# of a root filesystem does not even need a new page.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/memory.lib"

program_on /dev/vda
mkdir "$tmp/data"
mkfs.ext4 -q -F /dev/vdb
ok "a disk for the data" mount -t ext4 /dev/vdb "$tmp/data"
at_exit 'umount "$tmp/data"'
at_exit 'umount "$tmp/own" 2>/dev/null'
at_exit 'stop_started'
pattern image 4194304 >"$tmp/data/disk"
ublk pack "$tmp/data/disk" "$tmp/data/image.gz"
truncate -s 16M "$tmp/data/file"

# lacking PID [NAME]: prints which of its memory (of the file NAME) is not there
# or not locked. Pages that the kernel itself mapped do not count.
lacking() {
	awk -v name="${2:-}" '
		function tell() {
			if (range && flags !~ / (pf|io|mm|de) / &&
			    access !~ /^---/ && (!name || name == file) &&
			    (present < size || flags !~ / lo /))
				print range, access, file, present " of " size
		}
		/^[0-9a-f]+-[0-9a-f]+ / {
			tell()
			range = $1
			access = $2
			file = $6
		}
		/^Size:/ { size = $2 }
		/^Rss:/ { present = $2 }
		/^VmFlags:/ { flags = $0 " " }
		END { tell() }
	' "/proc/$1/smaps"
}
# status_of PID NAME
status_of() {
	sed -n "s/^$2:[^0-9]*\\([0-9]*\\) kB/\\1/p" "/proc/$1/status"
}

# buffers_of PID: prints its memory for the data of requests.
buffers_of() {
	awk '/ublk-buffers/ { print $4, $5 }' "/proc/$1/maps"
}

# in_use: reads, and writes if possible, with 64 requests at once.
in_use() {
	n=0
	jobs=''
	while [ $n -lt 16 ]; do
		n=$((n + 1))
		[ "${device%% *}" = zimg ] ||
			dd if="$tmp/data/disk" of="$dev" bs=128k count=8 \
				seek=$((n * 8 - 8)) oflag=direct 2>/dev/null &
		jobs="$jobs $!"
		dd if="$dev" of=/dev/null bs=128k count=8 iflag=direct \
			skip=$(((n % 4) * 8)) 2>/dev/null &
		jobs="$jobs $!"
	done
	for job in $jobs; do
		wait "$job" || problem="$problem an I/O error"
	done
}

for device in "null 16M" "ram 16M" "ram 16M -q 2" "file $tmp/data/file" \
	"file $tmp/data/file -q 2 --buffered" \
	"zimg $tmp/data/image.gz -q 2" "ram 16M --rootfs" \
	"file $tmp/data/file --rootfs" \
	"file $tmp/data/file --rootfs -q 2 --cow $tmp/data/kept" \
	"zimg $tmp/data/image.gz -q 2 --cache 1M --rootfs"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$device" $device
	server=$(server_of "$id")
	worker=$(worker_of "$id")
	problem=''
	for process in $server $worker; do
		text=$(lacking "$process" "$tmp/program/ublk")
		[ -z "$text" ] || problem="$problem $process: $text"
	done
	verdict "$device: the program is there whole, and locked"
	before=$(page_reads $server $worker)
	process=${worker:-$server}
	resident=$(status_of "$process" VmRSS)
	case $device in
	*--rootfs)
		is "$(lacking "$process")" "" \
			"$device: all its memory is there, and locked"
		;;
	esac
	problem=''
	round=0
	while [ $round -lt "$rounds" ]; do
		echo 3 >/proc/sys/vm/drop_caches
		in_use
		round=$((round + 1))
	done
	verdict "$device: is read and written"
	is "$(page_reads $server $worker)" "$before" \
		"$device: nothing was read again for it"
	grown=$(($(status_of "$process" VmRSS) - resident))
	note "$device: $resident KiB before it was used, $grown more since"
	case $device in
	*--rootfs)
		is $grown 0 "$device: it has taken nothing since it is there"
		;;
	esac
	[ -z "$recovers" ] || {
		# The next one finds the program where it is.
		echo 3 >/proc/sys/vm/drop_caches
		buffers=$(buffers_of "$worker")
		kill -KILL "$worker"
		ok "$device: another worker" wait_until 30 another_worker
		worker=$(worker_of "$id")
		is "$(page_reads "$worker")" "0 " "$device: which reads nothing"
		is "$(buffers_of "$worker")" "${buffers:-buffers}" \
			"$device: and has the same buffers"
		is "$(lacking "$worker" "$tmp/program/ublk")" "" \
			"$device: and has the program whole, and locked"
	}
	stopped "$device: stop it" "$dev"
done

# Zeroes need no memory, so there is nothing to lock.
device="ram 256M --cow $tmp/data/kept-zeroes"
# shellcheck disable=SC2086 # words are meant to be split
served "$device" $device
worker=$(worker_of "$id")
locked=$(status_of "${worker:-$(server_of "$id")}" VmLck)
[ "${locked:-99999}" -lt 24576 ] &&
	pass "$device: locks no memory for the zeroes" ||
	fail "$device: locks no memory for the zeroes" "$locked KiB"
stopped "$device: stop it" "$dev"

# The program is on the disk that it serves.
[ -n "$recovers" ] || done_testing
served "a disk that holds a program" file "$tmp/data/file"
mkfs.ext4 -q -F "$dev"
mkdir "$tmp/own"
ok "has a filesystem" mount -t ext4 "$dev" "$tmp/own"
cp "$tmp/program/ublk" "$tmp/data/disk" "$tmp/own"
sync
ok "its server is upgraded to that program" ublk upgrade "$dev" \
	"$tmp/own/ublk"
round=0
problem=''
while [ $round -lt 3 ] && [ -z "$problem" ]; do
	echo 3 >/proc/sys/vm/drop_caches
	worker=$(worker_of "$id")
	kill -KILL "$worker"
	wait_until 30 another_worker || problem="no new worker"
	cmp "$tmp/own/disk" "$tmp/data/disk" 2>"$tmp/cmp" ||
		problem="$problem $(cat "$tmp/cmp")"
	round=$((round + 1))
done
verdict "which serves on, however often its workers are killed"
is "$(page_reads "$(server_of "$id")" "$(worker_of "$id")")" "0 0 " \
	"and reads nothing of itself"
umount "$tmp/own"
stopped "stop it" "$dev"

done_testing
