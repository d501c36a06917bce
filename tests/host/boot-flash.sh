# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools cpio
# kernel: tests
#
# The root is in flash memory, in a partition that is named by the kernel's line:
# mtd:NAME, or its block device. The flash is a disk here, by block2mtd. The simulated
# chip of the tests' kernel comes before it: its partitions are 1 to 3.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

TESTS_KERNEL=${TESTS_KERNEL:-$(linux/default-kernel)}
TESTS_KERNEL=${TESTS_KERNEL%-tests}-tests
[ -f "$TESTS_KERNEL" ] || skip_all "no $TESTS_KERNEL: make kernel CONFIG=tests"

new_root root <<'INIT'
echo "served $(ublk list | sed 1d)"
cd / && sha256sum -c /sums >/run/sums 2>&1 && echo "files $(wc -l </run/sums)"
off
INIT
fill root 10
squashfs root
pack "$tmp/root.squashfs"
initramfs none

# A flash of erased bytes, with the image in its second partition.
tr '\0' '\377' </dev/zero | head -c 16M >"$tmp/flash"
dd if="$tmp/root.squashfs.gz" of="$tmp/flash" bs=1M seek=1 conv=notrunc status=none
flash='block2mtd.block2mtd=/dev/vda,65536,flash'
parts='mtdparts=flash:1M(loader),8M(rootfs),-(data)'

for name in mtd:rootfs /dev/mtdblock2; do
	# shellcheck disable=SC2046 # two words
	boot "$flash $parts ublk.root=$name" $(disk "$tmp/flash")
	shows "^files $files$" "$name: every file is as it was made"
	shows '^served .* zimg .* /dev/mtdblock2' "$name: from the second partition"
	went_off "$name"
done

# shellcheck disable=SC2046
boot "$flash $parts ublk.root=mtd:root ublk.wait=1" $(disk "$tmp/flash")
shows 'ublk.root=mtd:root: there is no such device' "a name that is not there"
shows '/dev/mtdblock2: mtd:rootfs' "those that are there are named"

done_testing
