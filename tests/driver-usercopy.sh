# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --tool mkfs.ext4 --mem 512M
#
# The data of a request may be in objects of the slab allocator, to which a
# kernel with HARDENED_USERCOPY does not allow copy_to_user(). Such an object is
# what the journal of an ext4 with blocks smaller than a page writes instead of
# a block that starts with the journal's magic number. The server must get it
# all the same.
. "${0%/*}/lib.sh"

grep -q ' usercopy_abort$' /proc/kallsyms 2>/dev/null ||
	skip_all "this kernel does not check copies to user space"

dev=$(ublk ram 64M) || skip_all "no disk to test on"
at_exit 'ublk stop --all >/dev/null 2>&1'
at_exit 'umount "$tmp/mnt" 2>/dev/null'
mkdir "$tmp/mnt"
ok "make a filesystem with blocks of 1 KiB" mkfs.ext4 -q -b 1024 "$dev"
ok "mount it, with data in the journal" \
	mount -t ext4 -o data=journal "$dev" "$tmp/mnt"

# blocks: prints 256 blocks that start with the magic number.
blocks() {
	n=0
	while [ $n -lt 256 ]; do
		printf '\300\073\071\230%01020d' $n
		n=$((n + 1))
	done
}
blocks >"$tmp/blocks"
ok "write blocks that the journal has to escape" cp "$tmp/blocks" "$tmp/mnt/file"
ok "sync" sync
ok "unmount" umount "$tmp/mnt"
ok "mount it again" mount -t ext4 "$dev" "$tmp/mnt"
same "$tmp/mnt/file" "$tmp/blocks" "the file is what was written"
ok "unmount again" umount "$tmp/mnt"
done_testing
