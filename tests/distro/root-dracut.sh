# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: qemu-system-x86 e2fsprogs dpkg-dev debhelper dh-dkms git fdisk
#
# A root of Debian's served from the initramfs of dracut (root.lib says what is done),
# which systemd runs in. `make test-distro` runs it. REBOOTS=N (6) is how many times the
# machine is booted again.
. "${0%/*}/../lib.sh"

# shellcheck disable=SC2034 # for root.lib
reboots=${REBOOTS:-6} list_initrd=lsinitrd
# log is dracut's.
# shellcheck disable=SC2034
fsck_log='journalctl -b -o cat -t systemd-fsck' left='disk log shutdown ublk ublk.served'
# shellcheck disable=SC2034
other_words='ro fsck.mode=force loglevel=7 rd.shell=0 rd.emergency=reboot'

# apt removes initramfs-tools, since dracut is in its place.
prepare_tree() {
	tests/distro/get-packages "$tree/packages" dracut dracut-core >&2
}

own_initrd_step() {
	cat <<'STEP'
echo 'hostonly=yes' >/etc/dracut.conf.d/own.conf
STEP
}

. "${0%/*}/root.lib"
