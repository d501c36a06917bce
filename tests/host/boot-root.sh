# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools e2fsprogs fdisk cpio
#
# Every place where the root can be: in the initramfs, on a partition that is
# named in each of the possible ways, on a whole disk; compressed or not;
# squashfs and ext4.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

# The root prints its options, and checks all its files.
new_root root <<'INIT'
echo "first argument $1, second $2, environment $word, name $0"
echo "mounted $(grep -E ' (/|/run/root/lower) ' /proc/mounts | tr '\n' ';')"
echo "served $(ublk list | sed 1d)"
echo "console $(readlink /proc/1/fd/0); others $(readlink /proc/1/fd/* | grep -cv \
	-e '^/dev/console$' -e '^/sbin/init$' -e /proc/1/fd -e '^pipe:')"
echo "spared $(cat /run/sendsigs.omit.d/ublk) of $(sed -n "s/^pid=//p; s/^worker=//p" /run/ublk/0 | tr "\n" " ")"
dmesg | grep 'ublk: init: root'
cd / && sha256sum -c /sums >/run/sums 2>&1 && echo "files $(wc -l </run/sums)"
off
INIT
fill root 40
squashfs root
pack "$tmp/root.squashfs"
ext4 root 8M -O ^has_journal
pack "$tmp/root.ext4"

# booted NAME: the last boot succeeded.
booted() {
	shows "^files $files$" "$1: every file is as it was made"
	went_off "$1"
}

initramfs "$tmp/root.squashfs.gz"
boot 'word=value single ublk.nonesuch=1 -- "two words"'
booted 'image in the initramfs, no words'
shows 'first argument single, second two words, environment value, name /sbin/init' \
	"arguments and environment are the kernel's"
shows '^mounted .*/dev/ublkb0 /run/root/lower squashfs ro,' \
	"the squashfs is found out and mounted read-only"
shows '^mounted .*overlay / overlay rw,' "below an overlay"
shows '^served 0 +/dev/ublkb0 +live +zimg .* /root.img.gz' "zimg serves it"
shows '^console /dev/console; others 0$' \
	"init has a console and no file that it has not opened itself"
shows '^spared ([0-9]+ [0-9]+) of \1 $' "initscripts are told to spare the server"
shows 'ublk: init: root /dev/ublkb0 \(squashfs, .*\) ready [0-9]+\.[0-9][0-9] s after' \
	"the log says what was mounted and how long it took"
shows 'ublk.nonesuch=1: unknown' "an unknown word is named"

mkdir -p "$tmp/more/images"
cp "$tmp/root.ext4.gz" "$tmp/more/images/my root"
initramfs none "$tmp/more"
boot '"ublk.root=/images/my root" ublk.cache=1M ublk.rootfstype=ext4'
booted 'ext4 image of another name in the initramfs'
shows '^mounted .*/dev/ublkb0 /run/root/lower ext4 ro,' "it is mounted read-only"
shows '^served .*zimg' "zimg serves it"

initramfs none
gpt "$tmp/root.squashfs.gz" root
uuid=$(sfdisk --part-uuid "$tmp/disk" 2)
# shellcheck disable=SC2046 # options are meant to be split
boot "ublk.root=PARTUUID=$uuid" $(disk "$tmp/disk")
booted 'image on a partition, by PARTUUID'
shows '^served .*zimg .*/dev/vda2' "the second partition it is"

gzip -c "$tmp/root.squashfs" >"$tmp/root.gzip"
gpt "$tmp/root.gzip" gzip
# shellcheck disable=SC2046 # options are meant to be split
boot ublk.root=PARTLABEL=gzip $(disk "$tmp/disk")
booted 'what gzip made, on a partition'
shows '^served .*zimg .*/dev/vda2' "zimg serves it"

gpt "$tmp/root.ext4" 'my root'
# shellcheck disable=SC2046 # options are meant to be split
boot 'ublk.root="PARTLABEL=my root" ublk.init=/sbin/init' $(disk "$tmp/disk")
booted 'bare ext4 on a partition, by PARTLABEL with a space'
shows '^served .*file .*/dev/vda2.*read only' "it is served read-only"
shows '^mounted .*/dev/ublkb0 /run/root/lower ext4 ro,' "it is found out to be ext4"

rm "$tmp/disk"
truncate -s 12M "$tmp/disk"
printf 'label: dos\nlabel-id: 0x1234abcd\nsize=10MiB\n' | sfdisk -q "$tmp/disk"
dd if="$tmp/root.squashfs.gz" of="$tmp/disk" bs=1M seek=1 conv=notrunc status=none
# shellcheck disable=SC2046 # options are meant to be split
boot 'ublk.root=PARTUUID=1234ABCD-01' $(disk "$tmp/disk")
booted 'image on a partition of a DOS label, by PARTUUID'
# shellcheck disable=SC2046 # options are meant to be split
boot 'ublk.root=/dev/vda1' $(disk "$tmp/disk")
booted 'image on a partition, by its node'

# shellcheck disable=SC2046 # options are meant to be split
boot 'ublk.root=/dev/vda ublk.overlay=none' $(disk "$tmp/root.squashfs")
booted 'bare squashfs on a whole disk, without overlay'
shows '^mounted /dev/ublkb0 / squashfs ro,' "it is / itself"

done_testing
