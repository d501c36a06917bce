#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Usage: ublk-root [late]
#
# Serves the root that root=ublk: or ublk.root= names, once, as /dev/ublk-root. dracut
# calls it when devices have settled, until /run/initramfs/ublk.served is there. What
# is missing is an error only when it is late.
resolve_device() {
	case $1 in
	/*) [ -e "$1" ] && echo "$1" ;;
	*) blkid -l -t "$1" -o device ;;
	esac
}

get_fstype() {
	blkid -o value -s TYPE "$1"
}

wait_for_udev() {
	udevadm settle --timeout="$1"
}

# dracut's own scripts bring devices between two calls.
run_scripts() { :; }

# /run may be mounted noexec. Private: a disk that is mounted in there would otherwise be
# mounted once more, in what is below it.
prepare_kept() {
	mount --bind "$kept" "$kept" && mount --make-private "$kept" &&
		mount -o remount,bind,exec "$kept"
}

# is_complete: whether all devices are there that the kernel's line names.
is_complete() {
	names=${place%%:/*}
	case $cow in
	'' | [0-9]*) ;;
	*) names="$names $cow" ;;
	esac
	for name in $names; do
		resolve_device "$name" >/dev/null || return 1
	done
}

# shellcheck source=packaging/initramfs/root
. /usr/share/ublk/root
mkdir -p "$kept"
read_words
if [ -n "$place" ]; then
	[ "${1:-}" = late ] || is_complete || exit 0
	wait=0
	serve || exit 1
	mkdir -p /run/udev/rules.d
	printf 'KERNEL=="%s", SYMLINK+="ublk-root"\n' "${root#/dev/}" \
		>/run/udev/rules.d/61-ublk-root.rules
	udevadm control --reload
	udevadm trigger --settle --name-match="$root"
	# Where a module of dracut has something to do at shutdown, the initramfs is
	# unpacked to the same place then. systemd must find our program there instead.
	mkdir -p /run/systemd/system/dracut-shutdown.service.d
	printf '[Unit]\nConditionPathExists=!%s/ublk\n' "$kept" \
		>/run/systemd/system/dracut-shutdown.service.d/ublk.conf
fi
: >"$kept/ublk.served"
