# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool mkfs.ext4 --tool e2fsck --disk 128M
#
# A filesystem on each kind of disk: made, filled, unmounted, mounted again,
# with the same files in it and nothing that e2fsck would mend.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

mkdir "$tmp/mnt" "$tmp/files" "$tmp/below"
at_exit 'umount "$tmp/below" 2>/dev/null'
at_exit 'stop_started'
at_exit 'umount "$tmp/mnt" 2>/dev/null'

for n in 0 1 2 3 4 5 6 7 8 9; do
	mkdir "$tmp/files/$n"
	pattern "file $n" $((n * n * 12345 + 1)) >"$tmp/files/$n/data"
	for small in a b c d e f g h; do
		echo "$n $small" >"$tmp/files/$n/$small"
	done
done
# sums FOLDER: prints a line for each file.
sums() {
	(cd "$1" && find . -type f -exec md5sum {} + | sort -k 2)
}
sums "$tmp/files" >"$tmp/sums"

# filesystem NAME ARGUMENT...: serves, and works with it.
filesystem() {
	what=$1
	shift
	served "$what: ublk $*" "$@"
	ok "make ext4" mkfs.ext4 -q -F "$dev"
	ok "mount it" mount -o discard "$dev" "$tmp/mnt"
	cp -a "$tmp/files" "$tmp/mnt/one" &
	cp -a "$tmp/files" "$tmp/mnt/two" &
	wait
	rm -r "$tmp/mnt/one"
	cp -a "$tmp/files" "$tmp/mnt/three"
	fstrim "$tmp/mnt"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sums "$tmp/mnt/three" >"$tmp/got"
	same "$tmp/got" "$tmp/sums" "what was copied is there"
	ok "unmount it" umount "$tmp/mnt"
	ok "e2fsck finds it clean" e2fsck -fn "$dev"
}

# again: mounts it again, looks at it, and stops.
again() {
	ok "mount it again" mount "$dev" "$tmp/mnt"
	for copy in two three; do
		sums "$tmp/mnt/$copy" >"$tmp/got"
		same "$tmp/got" "$tmp/sums" "copy $copy is there"
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
	sums "$tmp/mnt/three" >"$tmp/got"
	same "$tmp/got" "$tmp/sums" "it is all in the file"
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
