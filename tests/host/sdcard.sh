# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: mtools fdisk e2fsprogs
#
# The SD cards of `make sdcard` start the boards that they are made for, as QEMU
# has them: U-Boot from its place on the card, the FIT image from the FAT partition,
# the root from the second, and changes in the third. Skips cards that are not made.
. "${0%/*}/../lib.sh"

arch=${ARCH:-x86_64}
O=build/$arch
boards=
for board in $(linux/board --of "$arch"); do
	[ ! -f "$O/$board.img" ] || boards="$boards $board"
done
[ -n "$boards" ] || skip_all "no card: make sdcard BOARD=NAME"

# on_card BOARD UNTIL: starts the board from $tmp/card, until the console shows
# UNTIL.
on_card() {
	: >"$tmp/serial"
	set_kernel=
	started=$(linux/board "$1" file)
	if [ -n "$started" ]; then
		mcopy -n -i "$tmp/card@@1M" "::$started" "$tmp/started"
		set_kernel="-kernel $tmp/started"
	fi
	# shellcheck disable=SC2046,SC2086 # options are meant to be split
	(ARCH=$1 exec linux/emulate --smp 4 --seconds 400 '' '' $set_kernel \
		-drive "if=sd,format=raw,file=$tmp/card" \
		$(linux/board "$1" serial)) </dev/null >"$tmp/serial" 2>&1 &
	running=$!
	wait_until 400 said "$2" || :
	kill $running 2>/dev/null || :
	wait $running 2>/dev/null || :
	console=$(tr -d '\r\0' <"$tmp/serial")
}

said() {
	grep -qE -- "$1" "$tmp/serial" || ! kill -0 $running
}

# words TEXT: sets the words on the card's FAT partition, as a person would.
words() {
	echo "words=$1" >"$tmp/boot.txt"
	mcopy -o -i "$tmp/card@@1M" "$tmp/boot.txt" ::boot.txt
}

for board in $boards; do
	note "$board"
	cp "$O/$board.img" "$tmp/card"
	# QEMU takes cards of certain sizes only.
	size=1048576
	until [ $size -ge "$(wc -c <"$tmp/card")" ]; do size=$((size * 2)); done
	truncate -s $size "$tmp/card"
	words 'ublk.root=/dev/mmcblk0p2 demo=check'
	on_card "$board" 'reboot: Power down|Kernel panic|files, [0-9]+ differ'
	like "$console" 'U-Boot 20' "$board: U-Boot starts from the card"
	like "$console" 'sha256\+ OK' "$board: the FIT image is whole"
	like "$console" '^ */dev/ublkb0 /run/root/lower squashfs ro' \
		"$board: the root is the image"
	like "$console" '^ *[1-9][0-9]* files, 0 differ$' "$board: every file is as it was made"
	unlike "$console" 'Kernel panic|Oops|BUG:|WARNING:|I/O error' \
		"$board: the kernel has nothing to report"
done
done_testing
