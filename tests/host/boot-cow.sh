# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: e2fsprogs fdisk
#
# ublk.cow=: the root in a compressed image is an ext4 that is mounted writable.
# Writes go to memory, or to a partition, where the next boot finds them.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

new_root root <<'INIT'
echo "mounted $(grep ' / ' /proc/mounts | tr '\n' ';')"
[ -e /count ] || echo 0 >/count
count=$(($(cat /count) + 1))
echo $count >/count
echo "boot $count"
mkdir /dir$count
i=0
while [ $i -lt 100 ]; do
	i=$((i + 1))
	echo "file $i of $count" >/dir$count/$i
done
rm -f /etc/old
cat /dir*/* | md5sum
case $count in 2) sync; echo b >/proc/sysrq-trigger ;; esac
mount -o remount,ro / && echo "read-only again"
off
INIT
echo old >"$tmp/root/etc/old"
ext4 root 16M
pack "$tmp/root.ext4"
initramfs "$tmp/root.ext4.gz"

boot ublk.cow=8M
went_off "in memory"
shows '^mounted /dev/ublkb0 / ext4 rw,' "the root can be written, with nothing over it"
shows '^boot 1' "it is as in the image"
shows '^read-only again$' "and read-only before the end"
boot 'ublk.cow=8M ublk.overlay=tmpfs'
shows '^mounted overlay / overlay rw,' "an overlay that is asked for is there"

# The partition is found by its name.
truncate -s 20M "$tmp/empty"
gpt "$tmp/empty" kept
for round in 1 2 3 4; do
	# shellcheck disable=SC2046 # options are meant to be split
	boot ublk.cow=PARTLABEL=kept $(disk "$tmp/disk")
	shows '^mounted /dev/ublkb0 / ext4 rw,' "boot $round: the root can be written"
	shows "^boot $round" "boot $round: what was written before is there"
	[ $round = 2 ] || went_off "boot $round"
done
dd if="$tmp/disk" of="$tmp/kept" bs=1M skip=2 count=20 status=none
ok "the partition over the image" ./ublk pack --cow "$tmp/kept" \
	"$tmp/root.ext4.gz" "$tmp/merged.gz"
zcat "$tmp/merged.gz" >"$tmp/merged"
ok "is a filesystem that is clean and whole" e2fsck -fn "$tmp/merged"
is "$(debugfs -R 'cat /count' "$tmp/merged" 2>/dev/null)" 4 "all boots wrote"
mkdir "$tmp/dump"
for n in 1 2 3 4; do
	debugfs -R "rdump /dir$n $tmp/dump" "$tmp/merged" 2>/dev/null
done
shows "^$(cat "$tmp"/dump/dir*/* | sum -)  -$" "all that was written is there"

# Erased flash reads as ones.
head -c 20971520 /dev/zero | tr '\000' '\377' >"$tmp/erased"
gpt "$tmp/erased" erased
for round in 1 2; do
	# shellcheck disable=SC2046 # options are meant to be split
	boot ublk.cow=PARTLABEL=erased $(disk "$tmp/disk")
	shows '^mounted /dev/ublkb0 / ext4 rw,' "erased, boot $round: it can be written"
	shows "^boot $round" "erased, boot $round: what was written before is there"
done
printf x | dd of="$tmp/erased" bs=1 seek=100000 conv=notrunc status=none
gpt "$tmp/erased" used
# shellcheck disable=SC2046 # options are meant to be split
boot ublk.cow=PARTLABEL=used $(disk "$tmp/disk")
shows 'holds something else' "one that is used is refused"
truncate -s 20M "$tmp/empty"
gpt "$tmp/empty" kept
dd if="$tmp/kept" of="$tmp/disk" bs=1M seek=2 conv=notrunc status=none

# The result of the merge is a root like any other.
initramfs "$tmp/merged.gz"
boot ublk.cow=8M
shows '^boot 5' "the merged image boots"
# shellcheck disable=SC2046 # options are meant to be split
boot ublk.cow=PARTLABEL=kept $(disk "$tmp/disk")
shows 'was written over another image or file' \
	"with another image the partition is refused"
boot ublk.cow=none
shows 'ublk.cow=none: not PARTUUID=' "a place that is none is refused"

done_testing
