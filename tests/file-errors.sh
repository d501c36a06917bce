# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool mkfs.ext4 --disk 16M
#
# An error of the backing fails the one request it belongs to, and the device
# goes on.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

mkdir "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'
at_exit 'stop_started'

# unreadable NAME NODE OFFSET
unreadable() {
	if dd if="$2" of=/dev/null bs=4096 count=1 iflag=direct,skip_bytes \
		skip="$3" 2>"$tmp/dd"; then
		fail "$1" "it was read"
	else
		like "$(cat "$tmp/dd")" "(I|Input)/(O|output) error" "$1"
	fi
}
# readable NAME NODE FILE OFFSET: 4096 bytes are those of the file.
readable() {
	is "$(dd if="$2" bs=4096 count=1 iflag=direct,skip_bytes skip="$4" \
		2>/dev/null | sum -)" \
		"$(tail -c +$(($4 + 1)) "$3" | head -c 4096 | sum -)" "$1"
}

pattern data 1048576 >"$tmp/data"
for fs in ext4 ext4-buffered tmpfs; do
	case $fs in
	tmpfs) mount -t tmpfs -o size=4M tmpfs "$tmp/mnt" ;;
	*)
		mkfs.ext4 -q -F /dev/vda
		mount /dev/vda "$tmp/mnt"
		;;
	esac
	option=''
	[ $fs != ext4-buffered ] || option=--buffered

	cp "$tmp/data" "$tmp/mnt/file"
	served "a file on $fs" file "$tmp/mnt/file" $option
	truncate -s 700 "$tmp/mnt/file"
	unreadable "what it lost when it shrank is unreadable" "$dev" 524288
	unreadable "so is its last part" "$dev" 0
	pattern back 4096 >"$tmp/back"
	ok "writing where it was brings it back" put "$dev" 8192 <"$tmp/back"
	is "$(sectors "$dev" 16 8 | sum -)" "$(sum "$tmp/back")" \
		"and can be read again"
	truncate -s 1M "$tmp/mnt/file"
	is "$(sectors "$dev" 16 8 | sum -)" "$(sum "$tmp/back")" \
		"and is still there when the file has grown back"
	stopped "stop it" "$dev"
	rm "$tmp/mnt/file"

	# A sparse file, more than there is room for.
	truncate -s 32M "$tmp/mnt/file"
	served "a file of more than $fs has room for" file "$tmp/mnt/file" \
		$option
	put "$dev" 0 <"$tmp/data"
	if dd if=/dev/zero of="$dev" bs=128k seek=8 oflag=direct \
		2>"$tmp/dd"; then
		fail "filling it fails"
	else
		like "$(cat "$tmp/dd")" "No space left|(I|Input)/(O|output) error" \
			"filling it fails: no space"
	fi
	readable "what was written before is there" "$dev" "$tmp/data" 0
	readable "to its end" "$dev" "$tmp/data" 1044480
	ok "what has its place can be written" put "$dev" 0 <"$tmp/data"
	is "$(head -c 1048576 "$tmp/mnt/file" | sum -)" "$(sum "$tmp/data")" \
		"and gets there"
	stopped "stop it" "$dev"
	umount "$tmp/mnt"
done

done_testing
