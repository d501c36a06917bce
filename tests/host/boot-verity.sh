# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools fdisk cpio cryptsetup-bin
# kernel: tests
#
# A root with ublk.roothash= is verified as it is read. A bit that is changed
# anywhere, in data or hash tree, is an error for who reads it, and never a wrong
# file; what the kernel cannot verify is not mounted.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

TESTS_KERNEL=${TESTS_KERNEL:-$(linux/default-kernel)}
TESTS_KERNEL=${TESTS_KERNEL%-tests}-tests
[ -f "$TESTS_KERNEL" ] || skip_all "no $TESTS_KERNEL: make kernel CONFIG=tests"

# The root reads all its files, also when its server has died. Each is right, or
# cannot be read, or is wrong.
new_root root <<'INIT'
echo "mounted $(grep -E ' (/|/run/root/lower) ' /proc/mounts | tr '\n' ';')"
echo "below $(ls /sys/block/dm-0/slaves), read-only $(cat /sys/block/dm-0/ro)"
if echo 3 >/changed 2>/dev/null; then echo "changes $(cat /changed)"; fi
read_all() {
	right=0 unread=
	while read -r sum file; do
		echo 3 >/proc/sys/vm/drop_caches
		if ! now=$(sha256sum "$file" 2>/dev/null); then
			unread="$unread $file"
		elif [ "${now%% *}" = "$sum" ]; then
			right=$((right + 1))
		else
			echo "$1: wrong: $file"
		fi
	done </sums
	echo "$1: $right right, unread:$unread."
}
cd /
read_all first
. /run/ublk/0
kill -9 "$worker"
read_all second
off
INIT
fill root 40
squashfs root
size=$(wc -c <"$tmp/root.squashfs")
hash=$(./ublk pack --verity "$tmp/root.squashfs" "$tmp/root.gz")
like "$hash" '^[0-9a-f]{64}$' "an image with a hash tree"

# booted NAME: the last boot succeeded, and all was read.
booted() {
	shows "^first: $files right, unread:\.$" "$1: every file is as it was made"
	shows "^second: $files right, unread:\.$" "$1: also from another server"
	went_off "$1"
}

initramfs "$tmp/root.gz"
boot "ublk.roothash=$hash loglevel=7"
booted "an image in the initramfs"
shows '^mounted /dev/dm-0 /run/root/lower squashfs ro,.*overlay / overlay rw,' \
	"dm-verity is below the overlay"
shows '^below ublkb0, read-only 1$' "and the served disk below that"
shows '^changes 3$' "changes are kept in memory"
shows 'dm-verity verifies /dev/ublkb0 as /dev/dm-0' "the log says so"
shows 'ublk: init: root /dev/dm-0 \(squashfs, ' "and what was mounted"

boot "ublk.roothash=$(echo "$hash" | tr a-f A-F) ublk.overlay=none"
booted "without an overlay"
shows '^mounted /dev/dm-0 / squashfs ro,' "the verified disk is / itself"
shows_not '^changes' "and cannot be written"

# What veritysetup made, on a partition that is larger than it, and as an image.
initramfs none
cp "$tmp/root.squashfs" "$tmp/theirs"
size=$(((size + 4095) / 4096 * 4096))
truncate -s $size "$tmp/theirs"
run veritysetup format --hash-offset=$size --data-blocks=$((size / 4096)) \
	"$tmp/theirs" "$tmp/theirs"
their_hash=$(echo "$out" | sed -n 's/^Root hash:[[:space:]]*//p')
gpt "$tmp/theirs" verified
# shellcheck disable=SC2046 # options are meant to be split
boot "ublk.root=PARTLABEL=verified ublk.roothash=$their_hash,offset=$size" \
	$(disk "$tmp/disk")
booted "veritysetup's hash tree on a partition"
# shellcheck disable=SC2046
boot "ublk.root=PARTLABEL=verified ublk.roothash=$their_hash" $(disk "$tmp/disk")
shows 'ublk.roothash: /dev/ublkb0 has .*ended with the disk|no hash tree can end with them' \
	"without its place it is not found"
shows_not '^first' "and nothing is booted"
pack "$tmp/theirs"
initramfs "$tmp/theirs.gz"
boot "ublk.roothash=$their_hash"
booted "veritysetup's hash tree, packed"
pack "$tmp/disk"
initramfs "$tmp/disk.gz"
boot "ublk.root=,part=2 ublk.roothash=$their_hash,offset=$size"
booted "veritysetup's hash tree in a partition of an image"
shows '^below ublkb0p2, ' "the partition is what is verified"

# refused REGEX NAME WORDS: the boot fails with a message.
refused() {
	boot_until 'nothing more happens|^first' "ublk.rescue=hang $3"
	shows "ublk: init: $1" "$2"
	shows_not '^first' "$2: it is not booted"
}

# changed PLACE: changes a bit of the disk, packs it and puts it in the initramfs.
zcat "$tmp/root.gz" >"$tmp/good"
changed() {
	cp "$tmp/good" "$tmp/bad"
	byte=$(od -An -tu1 -j "$1" -N 1 "$tmp/bad" | tr -d ' ')
	# shellcheck disable=SC2059 # the format is the data
	printf "\\$(printf '%o' $((byte ^ 16)))" |
		dd of="$tmp/bad" bs=1 seek="$1" conv=notrunc status=none
	./ublk pack --force -l 1 "$tmp/bad" "$tmp/bad.gz"
	initramfs "$tmp/bad.gz"
}

initramfs "$tmp/root.gz"
refused "ublk.roothash: /dev/ublkb0 has another root hash: $hash" \
	"another root hash" "ublk.roothash=$their_hash"
refused 'ublk.cow: a disk with ublk.roothash= cannot be written' \
	"a disk that can be written" "ublk.roothash=$hash ublk.cow=8M"
initramfs "$tmp/root.squashfs"
refused 'ublk.roothash: /dev/ublkb0 has ' "no hash tree" "ublk.roothash=$hash"
changed $((size + 2))
refused 'ublk.roothash: /dev/ublkb0 has no superblock of dm-verity at byte' \
	"a damaged superblock" "ublk.roothash=$hash"
changed $((size + 32))
refused 'ublk.roothash: /dev/ublkb0 has a hash tree whose hash is not sha256' "another hash" \
	"ublk.roothash=$hash"
changed $((size + 4096))
refused 'ublk.roothash: /dev/ublkb0 has another root hash' \
	"a damaged highest level" "ublk.roothash=$hash"

# Nothing is compressed, and files can be found in the disk. The first 128 KiB of
# this one are a block of squashfs in which nothing else is.
place=$(grep -abo 'file30 sector 000000000100' "$tmp/good" | head -n 1)
place=${place%%:*}
changed "$place"
boot "ublk.roothash=$hash"
shows "^first: $((files - 1)) right, unread: ./usr/file30\.$" \
	"a changed bit of a file: that file cannot be read, and no other is wrong"
shows "^second: $((files - 1)) right, unread: ./usr/file30\.$" "nor later"
shows 'verity: .*data block [0-9]+ is corrupted' \
	"the kernel says which block"
shows_not ': wrong:' "nothing wrong is read"
boot ''
shows '^first: wrong: ./usr/file30$' "without a root hash it is read, and wrong"

# A block of the lowest level has the digests of 512 KiB.
changed $((size + 8192 + place / 524288 * 4096 + 5))
boot "ublk.roothash=$hash"
shows 'verity: .*metadata block [0-9]+ is corrupted' "a changed bit of the hash tree"
shows '^first: [0-9]+ right, unread:.* ./usr/file30' "makes files unreadable"
shows_not ': wrong:' "and none wrong"

done_testing
