# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: qemu-system-x86 e2fsprogs dpkg-dev debhelper dh-dkms git fdisk
#
# A root of Debian's served from the initramfs of initramfs-tools (root.lib says what
# is done). `make test-distro` runs it. REBOOTS=N (20) is how many times the machine is
# booted again.
. "${0%/*}/../lib.sh"

# shellcheck disable=SC2034 # for root.lib
reboots=${REBOOTS:-20} list_initrd=lsinitramfs
# shellcheck disable=SC2034
fsck_log='cat /run/initramfs/fsck.log' left='disk fsck-root fsck.log shutdown ublk'
# shellcheck disable=SC2034
other_words='ro fsck.mode=force loglevel=7'

# The root's node does not exist while the first initramfs is made, so nobody could see
# its type: this is what puts e2fsck there.
prepare_tree() {
	echo FSTYPE=ext4 >>"$tree/etc/initramfs-tools/conf.d/machine"
}

own_initrd_step() {
	cat <<'STEP'
sed -i '/^FSTYPE=/d' /etc/initramfs-tools/conf.d/machine
sed -i '/virtio/d' /usr/share/initramfs-tools/modules.d/machine
sed -i 's/^MODULES=.*/MODULES=dep/' /etc/initramfs-tools/conf.d/machine
STEP
}

. "${0%/*}/root.lib"
