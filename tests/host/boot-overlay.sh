# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools e2fsprogs cpio
#
# ublk.overlay=: a root whose writes go to memory, up to a limit; and a root as
# it is, read-only or written through to the disk.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

new_root root <<'INIT'
mounted() { grep " $1 " /proc/mounts; }
echo "memory of the overlay: $(df -k /run/root/upper | sed -n '$s/^tmpfs *\([0-9]*\) .*/\1/p')"
echo something >/etc/new && echo "written: $(cat /etc/new)"
rm /etc/old && [ ! -e /etc/old ] && echo "deleted"
[ -e /run/root/lower/etc/old ] && echo "the image still has it"
dd if=/dev/zero of=/tmp/fill bs=64k 2>&1 | grep -i 'no space'
echo "filled: $(wc -c </tmp/fill)"
off
INIT
echo old >"$tmp/root/etc/old"
squashfs root
initramfs "$tmp/root.squashfs"
boot ublk.overlay=tmpfs,size=5M
went_off "overlay with a limit"
shows '^memory of the overlay: 5120$' "tmpfs gets the limit"
shows '^written: something$' "the root can be written"
shows '^deleted$' "its files can be deleted"
shows '^the image still has it$' "but not in the image"
shows 'No space left' "it is full at some time"
shows '^filled: (49|50|51|52)[0-9]{5}$' "which is at the limit"

# A root without any mount points.
new_root bare <<'INIT'
echo "points: $(echo /proc/self /sys/block /dev/null /run/ublk)"
off
INIT
rmdir "$tmp/bare/proc" "$tmp/bare/sys" "$tmp/bare/dev" "$tmp/bare/run"
squashfs bare
initramfs "$tmp/bare.squashfs"
boot ''
went_off "root without mount points"
shows '^points: /proc/self /sys/block /dev/null /run/ublk$' \
	"mount points are made on the overlay"
mkdir "$tmp/bare/proc" "$tmp/bare/dev" "$tmp/bare/sys"
squashfs bare
initramfs "$tmp/bare.squashfs"
boot ublk.overlay=none
went_off "read-only root without /run"
shows 'the root has no usable directory /run: left unmounted' "it says so"

new_root disk <<'INIT'
echo "mounted $(grep ' / ' /proc/mounts | tr '\n' ';')"
[ -e /count ] || echo 0 >/count
count=$(($(cat /count) + 1))
echo $count >/count
mkdir /dir$count
i=0
while [ $i -lt 200 ]; do
	i=$((i + 1))
	echo "file $i of $count" >/dir$count/$i
done
cat /dir*/* | md5sum
sync
mount -o remount,ro / && echo "read-only again"
off
INIT
ext4 disk 16M
initramfs none
round=0
for kind in '' ublk.rootfstype=ext4; do
	round=$((round + 1))
	# shellcheck disable=SC2046 # options are meant to be split
	boot "ublk.overlay=none ublk.root=/dev/vda $kind" \
		$(disk "$tmp/disk.ext4")
	went_off "ext4 written through, round $round"
	shows '^mounted /dev/ublkb0 / ext4 rw,' "it is mounted to be written"
	shows '^read-only again$' "and read-only before the end"
done
ok "the filesystem is clean and whole" e2fsck -fn "$tmp/disk.ext4"
is "$(debugfs -R 'cat /count' "$tmp/disk.ext4" 2>/dev/null)" 2 "both boots wrote"
mkdir "$tmp/dump"
for folder in dir1 dir2; do
	debugfs -R "rdump /$folder $tmp/dump" "$tmp/disk.ext4" 2>/dev/null
done
shows "^$(cat "$tmp"/dump/dir*/* | sum -)  -$" "all that was written is there"

dd if="$tmp/disk.ext4" of="$tmp/copy" status=none
chmod 400 "$tmp/copy"
# shellcheck disable=SC2046 # options are meant to be split
boot 'ublk.overlay=none ublk.root=/dev/vda ublk.init=/bin/sh -- -c
	"cat /proc/mounts; poweroff -f"' $(disk "$tmp/copy"),readonly=on
shows '^/dev/ublkb0 / ext4 ro,' "a disk that cannot be written is mounted read-only"

done_testing
