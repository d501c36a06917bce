# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/sectors --tool mkfs.ext4
# board: --disk 16M --timeout 300
#
# A file that shrinks, and a filesystem that is full: requests for missing data
# fail, each one once, and the device works on.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

mkdir "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'
at_exit 'stop_started'

# How dd names an output that it cannot sync: BusyBox's by its name alone; and
# musl's words for EIO are others. A write that fails is another message.
failed="^dd: (fsync failed for ')?/dev/ublkb[0-9]+'?: (Input/output|I/O) error"
page=$(stat -f -c %S /dev/shm)	# of a tmpfs: the kernel's

# shows FILE FAILED NAME: read sector by sector, the disk has the contents of
# FILE, except that the last FAILED sectors cannot be read.
shows() {
	"${0%/*}/sectors" "$dev" 2048 >"$tmp/got" 2>"$tmp/failed"
	is "$(cat "$tmp/failed")" "$2" "$3"
	is "$(head -c $(((2048 - $2) * 512)) "$tmp/got" | sum -)" \
		"$(head -c $(((2048 - $2) * 512)) "$1" | sum -)" \
		"all others can be read"
}

# shrinks OPTION...
shrinks() {
	cp "$tmp/data" "$tmp/mnt/file"
	served "a file on $fs, $*" file "$tmp/mnt/file" "$@"
	watch_server
	for length in 524288 700 0; do
		head -c $((length / 512 * 512)) "$tmp/data" >"$tmp/image"
		truncate -s 1M "$tmp/image"
		truncate -s $length "$tmp/mnt/file"
		shows "$tmp/image" $(((1048576 - length + 511) / 512)) \
			"cut to $length bytes, what is lost is unreadable"
		"${0%/*}/sectors" "$dev" 256 4096 2>"$tmp/failed" >/dev/null
		is "$(cat "$tmp/failed")" $(((1048576 - length + 4095) / 4096)) \
			"and blocks of which a part is lost"
	done
	# A whole page: of one that is written in part the rest would be read.
	over=$tmp/back
	pattern back "$page" >"$over"
	ok "writing where it was brings it back" put "$dev" $((2 * page)) <"$over"
	truncate -s $((2 * page)) "$tmp/image"
	cat "$over" >>"$tmp/image"
	truncate -s 1M "$tmp/image"
	shows "$tmp/image" $((2048 - 3 * page / 512)) "what lies behind is unreadable still"
	truncate -s 1M "$tmp/mnt/file"
	shows "$tmp/image" 0 "grown back, nothing is"
	same_server "the server has been live through all that"
	silent "and said nothing"
	stopped "stop it" "$dev"
	same "$tmp/mnt/file" "$tmp/image" "and all is in the file"
	rm "$tmp/mnt/file"
}

# fill FIRST OPTION...: writes pieces of 128K after the first MiB, from piece
# FIRST on, until one fails. $pieces is the number of those written.
fill() {
	skip=$1
	shift
	status=0
	dd if="$tmp/fill" of="$dev" bs=128k skip="$skip" seek=$((8 + skip)) \
		"$@" 2>"$tmp/dd" || status=$?
	# BusyBox's counts nothing when a sync fails.
	count=$(sed -n 's/^\([0-9]*\)+0 records out/\1/p' "$tmp/dd")
	pieces=$((skip + ${count:-0}))
}
full='No space left on device'

# filled NAME: the disk has the data, and everything that was added to it.
filled() {
	{
		cat "$tmp/data"
		head -c $((pieces * 131072)) "$tmp/fill"
	} >"$tmp/image"
	is "$(read_back "$dev" $((1048576 + pieces * 131072)) | sum -)" \
		"$(sum "$tmp/image")" "$1"
}

# fills OPTION...
fills() {
	dd if=/dev/zero of="$tmp/mnt/other" bs=64k count=160 2>/dev/null
	truncate -s 32M "$tmp/mnt/file"
	served "a file of more than $fs has room for, $*" file \
		"$tmp/mnt/file" "$@"
	watch_server
	ok "there is room for some" put "$dev" 0 <"$tmp/data"
	fill 0 oflag=direct
	like "$(cat "$tmp/dd")" "$full" "filling it fails: no space"
	ok "not at once and not at the end" \
		[ "$pieces" -gt 0 -a "$pieces" -lt 64 ]
	filled "what was written is there"
	before=$pieces
	fill "$pieces" oflag=direct
	like "$(cat "$tmp/dd")" "$full" "filling it fails again"
	filled "and what was written is there"
	is "$(sectors "$dev" 61440 4096 | sum -)" \
		"$(head -c 2097152 /dev/zero | sum -)" "a hole has zeroes"
	ok "what has its place can be written" put "$dev" 0 <"$tmp/data"
	is "$(head -c 1048576 "$tmp/mnt/file" | sum -)" "$(sum "$tmp/data")" \
		"and gets there"
	fill "$pieces" conv=fsync
	like "$(cat "$tmp/dd")" "$failed" \
		"through the cache, fsync tells of it"
	ok "once" dd if=/dev/null of="$dev" conv=notrunc,fsync
	rm "$tmp/mnt/other"
	sync
	pieces=$before
	fill "$pieces" oflag=direct conv=fsync
	is "$status $pieces" "0 64" "when there is room again, it is filled"
	filled "and is there"
	same_server "the server has been live through all that"
	silent "and said nothing"
	stopped "stop it" "$dev"
	is "$(head -c 9437184 "$tmp/mnt/file" | sum -)" "$(sum "$tmp/image")" \
		"and it is all in the file"
	rm "$tmp/mnt/file"
}

pattern data 1048576 >"$tmp/data"
pattern fill 8388608 >"$tmp/fill"
for fs in ext4 tmpfs; do
	if [ $fs = tmpfs ]; then
		mount -t tmpfs -o size=14M tmpfs "$tmp/mnt"
	else
		mkfs.ext4 -q -F /dev/vda
		mount /dev/vda "$tmp/mnt"
	fi
	for options in "-q 1" "-q 2" "-q 1 --buffered" "-q 2 --buffered"; do
		shrinks $options
		fills $options
	done
	umount "$tmp/mnt"
done

done_testing
