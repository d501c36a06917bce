#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A generator of systemd, for the initramfs: mounts what ublk-root.sh serves, unless
# another root= is named beside ublk.root=. systemd's own generator would take
# root=ublk: for the name of a device; units in the folder for early generators, $2,
# come before its own.
root='' served='' type='' options=''
# shellcheck disable=SC2013 # words are meant
for word in $(cat /proc/cmdline); do
	case $word in
	--) break ;;
	root=*) root=${word#*=} ;;
	ublk.root=?*) served=1 ;;
	rootfstype=*) type=${word#*=} ;;
	rootflags=*) options=${word#*=} ;;
	ro | rw) mode=$word ;;
	esac
done
case $root in
ublk:*) ;;
'') [ -n "$served" ] || exit 0 ;;
*) exit 0 ;;
esac

device='dev-ublk\x2droot'
cat >"$2/sysroot.mount" <<UNIT
[Unit]
Before=initrd-root-fs.target
Requires=systemd-fsck@$device.service
After=systemd-fsck@$device.service
[Mount]
Where=/sysroot
What=/dev/ublk-root
Type=${type:-auto}
Options=${mode:-ro}${options:+,$options}
UNIT
mkdir -p "$2/initrd-root-fs.target.requires" "$2/$device.device.d"
ln -sf ../sysroot.mount "$2/initrd-root-fs.target.requires"
# How long a disk is waited for, dracut says.
printf '[Unit]\nJobTimeoutSec=0\nJobRunningTimeoutSec=0\n' \
	>"$2/$device.device.d/timeout.conf"
