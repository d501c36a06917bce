# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools e2fsprogs fdisk cpio
#
# A root on a partition of the served disk: named by ublk.root=...,part=, or
# found, or refused with a list of what there is.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

new_root root <<'INIT'
echo "mounted $(grep -E ' (/|/run/root/lower) ' /proc/mounts | tr '\n' ';')"
echo "kept $(cat /etc/mark)" && echo new >/etc/mark && echo written
mount -o remount,ro /
off
INIT
echo old >"$tmp/root/etc/mark"
squashfs root
ext4 root 8M
# As after a power cut: mounting it writes to it.
mkdir "$tmp/data"
ext4 data 3M
debugfs -w -R 'feature needs_recovery' "$tmp/data.ext4" >"$tmp/out" 2>&1

# disk_of NAME LABEL FILE FILE: makes the disk $tmp/NAME of two partitions with
# these contents, called "my data" and "my root" if the label has names.
disk_of() {
	rm -f "$tmp/$1"
	truncate -s 16M "$tmp/$1"
	case $2 in
	gpt) printf 'label: gpt\nsize=3MiB, name="my data"\nsize=10MiB, name="my root"\n' ;;
	*) printf 'label: dos\nlabel-id: 0x1234abcd\nsize=3MiB\nsize=10MiB\n' ;;
	esac | sfdisk -q "$tmp/$1"
	dd if="$3" of="$tmp/$1" bs=1M seek=1 conv=notrunc status=none
	dd if="$4" of="$tmp/$1" bs=1M seek=4 conv=notrunc status=none
}

# refused REGEX NAME WORDS [OPTION...]: the boot hangs after that message.
refused() {
	regex=$1 name=$2 words=$3
	shift 3
	boot_until 'nothing more happens|rebooting|Power down' \
		"$words ublk.wait=1 ublk.rescue=hang" "$@"
	shows "^\[ .*ublk: init: $regex" "$name"
	shows 'nothing more happens here' "and the board hangs"
}

# An image with two filesystems.
disk_of disk gpt "$tmp/data.ext4" "$tmp/root.squashfs"
uuid=$(sfdisk --part-uuid "$tmp/disk" 1 | tr A-Z a-z)
pack "$tmp/disk"
initramfs "$tmp/disk.gz"
boot ublk.root=/root.img.gz,part=2
went_off "by number"
shows '^mounted .*/dev/ublkb0p2 /run/root/lower squashfs ro,' "it is the second"
shows '^written$' "below an overlay"
boot '"ublk.root=,part=PARTLABEL=my root" ublk.overlay=none ublk.rootfstype=squashfs'
went_off "by label, of the usual image"
shows '^mounted /dev/ublkb0p2 / squashfs ro,' "it is the second, without an overlay"

before=$(sum "$tmp/disk")
# shellcheck disable=SC2046 # options are meant to be split
refused '/dev/ublkb0: more than one partition can be the root; choose one, as in ublk.root=/dev/vda,part=2$' \
	"of two filesystems none is taken" 'ublk.root=/dev/vda ublk.overlay=none' \
	$(disk "$tmp/disk")
shows "ublk: init: part=1: ext[234], PARTUUID=$uuid, PARTLABEL=my data$" \
	"the first is named"
shows 'ublk: init: part=2: squashfs, PARTUUID=.*, PARTLABEL=my root$' "and the second"
is "$(sum "$tmp/disk")" "$before" "and none was written to"
refused '/dev/ublkb0: has no partition part=PARTLABEL=root; there are$' \
	"a partition that there is not" ublk.root=,part=PARTLABEL=root
shows 'waiting for part=PARTLABEL=root of /dev/ublkb0, up to 1 s' "it was waited for"
shows 'ublk: init: part=2: squashfs, .*PARTLABEL=my root$' "those that there are are named"

# A disk with one, which is written to.
initramfs none
truncate -s 1M "$tmp/empty"
disk_of inner dos "$tmp/empty" "$tmp/root.ext4"
gpt "$tmp/inner" outer
words='ublk.root=/dev/vda2,part=PARTUUID=1234ABCD-02 ublk.cow=4M'
# shellcheck disable=SC2046 # options are meant to be split
boot "$words" $(disk "$tmp/disk")
went_off "by identifier, of a disk on a partition, with ublk.cow="
shows '^mounted /dev/ublkb0p2 / ext4 rw,' "the partition can be written"
for kept in old new; do
	# shellcheck disable=SC2046 # options are meant to be split
	boot 'ublk.root=/dev/vda ublk.overlay=none' $(disk "$tmp/inner")
	went_off "not named"
	shows '^mounted /dev/ublkb0p2 / ext4 rw,' "the only filesystem is found"
	shows "^kept $kept$" "and is as the last boot left it"
done

# A filesystem that leaves room for a partition table is the root, whatever is
# in that room.
printf 'label: dos\nstart=2048, size=1MiB\nsize=1MiB\n' |
	sfdisk -q --wipe never --wipe-partitions never "$tmp/root.ext4"
# shellcheck disable=SC2046 # options are meant to be split
boot ublk.root=/dev/vda $(disk "$tmp/root.ext4")
went_off "a filesystem with a partition table in front"
shows '^mounted .*/dev/ublkb0 /run/root/lower ext4 ro,' "it is the root"

# Partitions have the names of the table that the kernel used, and none from the
# remains of another one.
disk_of disk gpt "$tmp/empty" "$tmp/root.ext4"
stale=$(sfdisk --part-uuid "$tmp/disk" 2)
printf 'label: dos\nlabel-id: 0x1234abcd\nsize=3MiB\nsize=10MiB\n' |
	sfdisk -q --wipe never --wipe-partitions never "$tmp/disk"
is "$(dd if="$tmp/disk" bs=8 skip=64 count=1 status=none)" 'EFI PART' \
	"a GPT is left behind a DOS label"
# shellcheck disable=SC2046 # options are meant to be split
boot ublk.root=PARTUUID=1234abcd-02 $(disk "$tmp/disk")
went_off "by the identifier of the DOS label"
# shellcheck disable=SC2046 # options are meant to be split
refused "ublk.root=PARTUUID=$stale: there is no such device" \
	"the one that is left is not found" "ublk.root=PARTUUID=$stale" \
	$(disk "$tmp/disk")
shows 'ublk: init: /dev/vda2: PARTUUID=1234abcd-02$' "and those there are are named"
shows 'ublk: init: /dev/vda1: PARTUUID=1234abcd-01$' "all of them"

# Labels with any characters, quoted as the kernel accepts them.
rm -f "$tmp/disk"
truncate -s 16M "$tmp/disk"
printf 'label: gpt\nsize=3MiB, name="Küche"\nsize=10MiB, name="Größe 2 Ж"\n' |
	sfdisk -q "$tmp/disk"
dd if="$tmp/root.ext4" of="$tmp/disk" bs=1M seek=4 conv=notrunc status=none
first=$(sfdisk --part-uuid "$tmp/disk" 1)
second=$(sfdisk --part-uuid "$tmp/disk" 2)
for root in 'PARTLABEL="Größe 2 Ж"' "PARTUUID=$second" \
	"PARTUUID=$first/PARTNROFF=1" '/dev/vda,part=PARTLABEL="Größe 2 Ж"'
do
	# shellcheck disable=SC2046 # options are meant to be split
	boot "ublk.root=$root" $(disk "$tmp/disk")
	went_off "ublk.root=$root"
done
# shellcheck disable=SC2046 # options are meant to be split
refused 'ublk.root=PARTLABEL=Küchen: there is no such device' "another label" \
	'ublk.root="PARTLABEL=Küchen"' $(disk "$tmp/disk")
shows 'ublk: init: /dev/vda1: PARTUUID=.*, PARTLABEL=Küche$' "the labels are shown"
shows 'ublk: init: /dev/vda2: PARTUUID=.*, PARTLABEL=Größe 2 Ж$' "as they are"

# With the option `gpt`, the kernel uses the table at the end of the disk.
dd if=/dev/zero of="$tmp/disk" bs=512 seek=1 count=1 conv=notrunc status=none
# shellcheck disable=SC2046 # options are meant to be split
boot "gpt ublk.root=PARTUUID=$second" $(disk "$tmp/disk")
went_off "by the second table"

# A disk that had blocks of 4096 bytes, and so has its filesystem.
ext4 root 12M -b 4096
rm -f "$tmp/large"
truncate -s 24M "$tmp/large"
printf '%s\n' g n 1 256 1023 n 2 1024 4095 w |
	fdisk -b 4096 "$tmp/large" >"$tmp/out" 2>&1
is "$(dd if="$tmp/large" bs=8 skip=512 count=1 status=none)" 'EFI PART' \
	"a table for blocks of 4096 bytes"
dd if="$tmp/root.ext4" of="$tmp/large" bs=1M seek=4 conv=notrunc status=none
# shellcheck disable=SC2046 # options are meant to be split
boot 'ublk.root=/dev/vda ublk.overlay=none' $(disk "$tmp/large")
went_off "on a disk with blocks of 512"
shows '^mounted /dev/ublkb0p2 / ext4 rw,' "its partition is found"
pack "$tmp/large"
initramfs "$tmp/large.gz"
boot ''
went_off "as an image"
shows '^mounted .*/dev/ublkb0p2 /run/root/lower ext4 ro,' "it is found as well"
boot ublk.block-size=4K
went_off "with the block size said"
refused '/dev/ublkb0: no filesystem known to this kernel' "as one of 512" \
	ublk.block-size=512
initramfs none

# An image of a mounted filesystem, for a kernel that must not write to it.
cp "$tmp/root.ext4" "$tmp/used.ext4"
debugfs -w -R 'feature needs_recovery' "$tmp/used.ext4" >"$tmp/out" 2>&1
pack "$tmp/used.ext4"
initramfs "$tmp/used.ext4.gz"
refused '/dev/ublkb0: ext4 has a journal to replay, .*ublk.cow=32M boots it' \
	"a journal to replay" ''
boot ublk.cow=32M
went_off "with what it was told"
shows '^mounted /dev/ublkb0 / ext4 rw,' "it is replayed in memory"
initramfs none

disk_of disk gpt "$tmp/empty" "$tmp/empty"
# shellcheck disable=SC2046 # options are meant to be split
refused '/dev/ublkb0: neither the disk nor a partition holds a filesystem known' \
	"a disk without any" ublk.root=/dev/vda $(disk "$tmp/disk")
shows 'ublk: init: part=2: no filesystem known, PARTUUID=' "its partitions are named"

done_testing
