# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: u-boot-tools dosfstools mtools fdisk qemu-system-arm device-tree-compiler
#
# What linux/boards says is what happens, and what it cannot do make refuses and says
# why: the words ARCH=, ARCHES= and BOARD=, cards and their parts.
. "${0%/*}/../lib.sh"

# In a copy of this tree, where nothing is made.
mkdir "$tmp/tree"
tar --exclude=./build --exclude=./ublk --exclude=./.git -cf - . | tar -C "$tmp/tree" -xf -
cd "$tmp/tree" || exit
make_here() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u ARCH -u ARCHES -u BOARD -u REALGCC \
		make "$@"
}

here=$(linux/board --here)
is "$(linux/board "$here" machine)" "$(uname -m)" "this machine's architecture"
for board in $(linux/board --boards); do
	like "$(linux/board --of "$(linux/board "$board" arch)")" "^$board\$" \
		"$board is a board of its architecture"
done
fails 1 "there is no other board" linux/board pdp11

for arch in x86_64 mips mipsel; do
	fails 2 "no FIT image on $arch" make_here ARCH=$arch fit
	like "$err" "ARCH=$arch: U-Boot does not start.* arm64 armv7 riscv64\$" \
		"make says where there is one"
done
fails 2 "a board that gets a card is none to be reached" make_here test BOARD=raspi3b
like "$err" 'BOARD=raspi3b.*make sdcard.*root@HOST' "make says what BOARD= is for test"
fails 2 "one that is reached gets no card" make_here sdcard BOARD=root@192.0.2.7
like "$err" 'sdcard: BOARD=root@192.0.2.7: .* raspi3b orangepi-pc$' \
	"make says which do"
fails 2 "nor does one of another architecture" make_here ARCH=mips sdcard BOARD=raspi3b
like "$err" 'raspi3b is another one, arm64' "make says which it is"
fails 2 "ARCHES= with a wrong name" make_here test-boards ARCHES='arm64 pdp11'
like "$err" 'there are only x86_64 .*riscv64' "make says which there are"
is "$(find . -name build | wc -l)" 0 "nothing was built meanwhile"

# A test that needs this machine's board, too, says how to make it.
other=mips
[ "$here" != mips ] || other=arm64
like "$(ARCH=$other sh tests/host/moved.sh)" "SKIP .*: make ARCH=$here kernel busybox\$" \
	"host/moved says what to make"

# The emulator that does not start.
mkdir "$tmp/bin"
printf '%s\n' '#!/bin/sh' 'echo "no such machine today" >&2; exit 1' \
	>"$tmp/bin/qemu-system-aarch64"
chmod +x "$tmp/bin/qemu-system-aarch64"
fails 2 "an emulator that fails" env PATH="$tmp/bin:$PATH" \
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make ARCH=arm64 build/arm64/emulated.dtb
like "$err" 'no such machine today' "is heard"

# Cards of files that are not U-Boot, but stand for it.
pattern fit 300000 >"$tmp/fit"
pattern image 400000 >"$tmp/image"
for board in $(linux/board --boards); do
	mkdir "$tmp/$board"
	firmware=$tmp/$board/$(linux/board "$board" firmware)
	pattern "$board" 200000 >"$firmware"
	ok "a card of $board" initramfs/make-card "$board" "$tmp/$board" "$tmp/fit" \
		"$tmp/image" "$tmp/$board.img"
	file=$(linux/board "$board" file)
	sector=$(linux/board "$board" sector)
	if [ -n "$file" ]; then
		mcopy -n -i "$tmp/$board.img@@1M" "::$file" "$tmp/found"
		same "$tmp/found" "$firmware" "U-Boot is the file $file"
		is "$(mtype -i "$tmp/$board.img@@1M" ::config.txt | paste -s -d ' ')" \
			"$(linux/board "$board" settings)" "with its settings"
	else
		dd if="$tmp/$board.img" bs=512 skip="$sector" status=none |
			head -c 200000 >"$tmp/found"
		same "$tmp/found" "$firmware" "U-Boot is at sector $sector"
	fi
	mcopy -n -i "$tmp/$board.img@@1M" ::ublk.itb "$tmp/found.itb"
	same "$tmp/found.itb" "$tmp/fit" "the FIT image is on it"
	rm "$tmp/found.itb"
done
sed -i '/^	sector /d' linux/boards
fails 1 "a card without a place for U-Boot" initramfs/make-card orangepi-pc \
	"$tmp/orangepi-pc" "$tmp/fit" "$tmp/image" "$tmp/none.img"
like "$err" 'orangepi-pc: linux/boards says neither' "is said to be"
ok "and not made" [ ! -e "$tmp/none.img" ]

done_testing
