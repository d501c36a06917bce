# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --tool mkfs.ext4 --tool mksquashfs --mem 128M --disk 16M
#
# The kernel has everything that the appliance needs.
. "${0%/*}/lib.sh"

ok "the ublk control device" test -c /dev/ublk-control
for type in squashfs ext4 ext2 overlay tmpfs devtmpfs proc sysfs; do
	like "$(cat /proc/filesystems)" "	$type\$" "filesystem $type"
done

mkdir "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'
ok "make ext4" mkfs.ext4 -q /dev/vda
ok "mount ext4" mount /dev/vda "$tmp/mnt"
pattern ext4 1000000 >"$tmp/mnt/file"
ok "unmount ext4" umount "$tmp/mnt"
ok "mount it again" mount -t ext4 /dev/vda "$tmp/mnt"
is "$(sum "$tmp/mnt/file")" "$(pattern ext4 1000000 | sum -)" "contents of ext4"
umount "$tmp/mnt"

mkdir "$tmp/root" "$tmp/upper" "$tmp/work"
pattern squashfs 300000 >"$tmp/root/file"
for compressor in gzip lz4 xz; do
	rm -f "$tmp/image"
	ok "make squashfs, $compressor" mksquashfs "$tmp/root" "$tmp/image" \
		-comp $compressor -no-progress -processors 1 -mem 32M
	ok "mount it from a loop device" \
		mount -t squashfs -o loop,ro "$tmp/image" "$tmp/mnt"
	same "$tmp/mnt/file" "$tmp/root/file" "contents of squashfs, $compressor"
	ok "unmount it" umount "$tmp/mnt"
done

ok "mount overlay" mount -t overlay overlay -o \
	"lowerdir=$tmp/root,upperdir=$tmp/upper,workdir=$tmp/work" "$tmp/mnt"
echo changed >>"$tmp/mnt/file"
is "$(tail -c 8 "$tmp/upper/file")" changed "writes go to the upper layer"

for file in /dev/ptmx /dev/loop-control /dev/kmsg \
	/proc/sys/kernel/seccomp/actions_avail /proc/swaps /proc/sysvipc/shm \
	/proc/sys/fs/aio-nr /proc/net/unix
do
	ok "$file" test -e $file
done
! linux_since 6 6 ||
	ok "io_uring can be forbidden" test -e /proc/sys/kernel/io_uring_disabled
ok "mount namespaces" unshare -m true

done_testing
