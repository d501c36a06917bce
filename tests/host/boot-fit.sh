# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: u-boot-qemu u-boot-tools device-tree-compiler squashfs-tools e2fsprogs
# packages: fdisk cpio
#
# The distribution's U-Boot starts the FIT image of a board: kernel, device tree
# and an initramfs with a compressed root. One that was damaged is refused.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

arch=${ARCH:-x86_64}
loader=$(linux/board "$arch" loader)
[ -n "$loader" ] || skip_all "U-Boot does not start such boards"
fit=$(linux/board "$arch" fit)
memory=256M	# some U-Boots have addresses beyond 128 MiB
kernel=${TESTS_KERNEL:-$(linux/default-kernel)}

# loaded NAME: makes $tmp/disk, with the FIT image $tmp/NAME.itb and the script
# that U-Boot looks for. With its own values of *_high, U-Boot would use tree and
# initramfs where they are in the FIT image, and the kernel overwrites them.
loaded() {
	rm -rf "$tmp/files"
	mkdir "$tmp/files"
	cp "$tmp/$1.itb" "$tmp/files/ublk.itb"
	cat >"$tmp/script" <<SCRIPT
setenv bootargs $(linux/board "$arch" append) panic=-1 quiet ublk.rescue=reboot
setenv fdt_high
setenv initrd_high
load \${devtype} \${devnum}:\${distro_bootpart} $fit ublk.itb
bootm $fit
poweroff
reset
SCRIPT
	mkimage -q -T script -d "$tmp/script" "$tmp/files/boot.scr" >/dev/null
	rm -f "$tmp/files.ext4"
	mke2fs -q -t ext4 -O ^metadata_csum,^64bit -d "$tmp/files" \
		"$tmp/files.ext4" 48M >/dev/null
	rm -f "$tmp/disk"
	truncate -s 50M "$tmp/disk"
	echo 'start=1MiB, size=48MiB, bootable' |
		sfdisk -q --label dos "$tmp/disk"
	dd if="$tmp/files.ext4" of="$tmp/disk" bs=1M seek=1 conv=notrunc status=none
}

# by_loader: starts U-Boot, which finds the disk, until the board is off. It has the
# memory that its device tree says.
by_loader() {
	# shellcheck disable=SC2046,SC2086 # options are meant to be split
	(exec linux/emulate --seconds 180 '' '' -m $memory $loader \
		$(disk "$tmp/disk") -serial stdio) </dev/null >"$tmp/serial" 2>&1 || :
	# shellcheck disable=SC2034 # shows() looks at it
	console=$(tr -d '\r\0' <"$tmp/serial")
}

new_root root <<'INIT'
mount -t proc proc /proc
mount -t sysfs sys /sys
echo "root $(grep ' / \| /run/root/lower ' /proc/mounts | tr '\n' ';')"
echo "tree $(tr '\0' ' ' </proc/device-tree/model 2>/dev/null || echo none)"
echo "words $(cat /proc/cmdline)"
(cd / && sha256sum -c sums) | grep -c ': OK$'
off
INIT
fill root 20
squashfs root
pack "$tmp/root.squashfs"
initramfs "$tmp/root.squashfs.gz"
ok "the board's device tree" linux/emulate --tree "$tmp/tree" -m $memory
ok "a FIT image of the three" initramfs/make-fit "$arch" "$kernel" "$tmp/tree" \
	"$tmp/initramfs" "$tmp/good.itb"
ok "and once more" initramfs/make-fit "$arch" "$kernel" "$tmp/tree" \
	"$tmp/initramfs" "$tmp/again.itb"
same "$tmp/good.itb" "$tmp/again.itb" "is the same to the byte"

loaded good
by_loader
shows 'U-Boot 20' "U-Boot starts"
shows 'sha256\+ OK' "and finds the checksums right"
shows '^root .*/dev/ublkb0 .*squashfs ro' "the root comes out of the initramfs"
shows '^words .*ublk.rescue=reboot' "with the words of its script"
shows "^$files\$" "every file is as it was made"
went_off "started by U-Boot"

# The initramfs is last.
cp "$tmp/good.itb" "$tmp/bad.itb"
middle=$(($(wc -c <"$tmp/bad.itb") - $(wc -c <"$tmp/initramfs") / 2))
printf 'damaged' | dd of="$tmp/bad.itb" bs=1 seek=$middle conv=notrunc status=none
loaded bad
by_loader
shows 'Bad Data Hash|Bad hash|bad hash' "a damaged one is refused"
shows_not '^root ' "and not started"

done_testing
