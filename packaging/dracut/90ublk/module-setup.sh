#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A module of dracut: puts the program, the driver, and filesystems that images and
# what they lie on have into an initramfs, where ublk-root.sh serves the root.

check() {
	require_binaries ublk blkid || return 1
	return 0
}

depends() {
	echo rootfs-block fs-lib
}

installkernel() {
	hostonly='' instmods ublk_drv ext4 squashfs erofs vfat nls_cp437 nls_ascii
}

install() {
	inst_multiple ublk blkid cat dd mkdir modprobe mount sleep udevadm umount
	inst_simple /usr/share/ublk/root
	inst_script "$moddir/ublk-root.sh" /usr/bin/ublk-root
	inst_hook cmdline 50 "$moddir/parse-ublk.sh"
	inst_hook initqueue/settled 50 "$moddir/settled-ublk.sh"
	inst_hook initqueue/finished 50 "$moddir/finished-ublk.sh"
	inst_hook initqueue/timeout 50 "$moddir/timeout-ublk.sh"
	if dracut_module_included systemd; then
		inst_script "$moddir/ublk-generator.sh" \
			"$systemdutildir/system-generators/dracut-ublk-generator"
	fi
	dracut_need_initqueue
}
