# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/files.lib
# board: --tool mkfs.ext4 --tool e2fsck --disk 128M
#
# A filesystem on each kind of disk is created, filled, unmounted and mounted
# again. It has the same files, and e2fsck finds no error.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/files.lib"

mkdir "$tmp/mnt" "$tmp/below"
at_exit 'umount "$tmp/below" 2>/dev/null'
at_exit 'stop_started'
at_exit 'umount "$tmp/mnt" 2>/dev/null'

# filesystem NAME ARGUMENT...: serves a disk, and uses the filesystem.
filesystem() {
	what=$1
	shift
	served "$what: ublk $*" "$@"
	ok "make ext4" mkfs.ext4 -q -F "$dev"
	ok "mount it" mount -o discard "$dev" "$tmp/mnt"
	cp -a "$files" "$tmp/mnt/one" &
	cp -a "$files" "$tmp/mnt/two" &
	wait
	rm -r "$tmp/mnt/one"
	cp -a "$files" "$tmp/mnt/three"
	fstrim "$tmp/mnt"
	forget
	whole "$tmp/mnt/three" "what was copied is there"
	ok "unmount it" umount "$tmp/mnt"
	ok "e2fsck finds it clean" e2fsck -fn "$dev"
}

# again: mounts it again, checks it, and stops.
again() {
	ok "mount it again" mount "$dev" "$tmp/mnt"
	for copy in two three; do
		whole "$tmp/mnt/$copy" "copy $copy is there"
	done
	ok "unmount it" umount "$tmp/mnt"
	stopped "stop it" "$dev"
}

for queues in 1 2; do
	filesystem "ram" ram 32M -q $queues
	again
done

mkfs.ext4 -q /dev/vda
mount /dev/vda "$tmp/below"
for options in "-q 1" "-q 2 --buffered"; do
	rm -f "$tmp/below/file"
	truncate -s 48M "$tmp/below/file"
	# shellcheck disable=SC2086 # words are meant to be split
	filesystem "a file" file "$tmp/below/file" $options
	stopped "stop it" "$dev"
	served "serve it again" file "$tmp/below/file"
	again
	ok "mount the file itself" mount -o loop,ro "$tmp/below/file" "$tmp/mnt"
	whole "$tmp/mnt/three" "it is all in the file"
	umount "$tmp/mnt"
done
umount "$tmp/below"

# A part of a disk, between two that must not change.
pattern before 4194304 | dd of=/dev/vda bs=1M 2>/dev/null
pattern behind 4194304 | dd of=/dev/vda bs=1M seek=68 2>/dev/null
filesystem "a part of a disk" file /dev/vda --offset 4M --size 64M -q 2
again
is "$(read_back /dev/vda 4194304 | sum -)" "$(pattern before 4194304 | sum -)" \
	"what is before it stays"
is "$(read_back /dev/vda 4194304 71303168 | sum -)" \
	"$(pattern behind 4194304 | sum -)" "what is behind it stays"

# A disk on a disk.
served "a disk" ram 32M
lower=$dev
filesystem "a disk on a disk" file "$lower"
again
stopped "stop the lower one" "$lower"

done_testing
