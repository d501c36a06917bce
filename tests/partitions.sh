# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool sfdisk --tool mkfs.ext4
#
# A disk with partitions: each has a node and the right contents, and using it
# counts as using the disk, whichever target and whichever process serves it.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

pattern one 1048576 >"$tmp/one"
pattern two 2097152 >"$tmp/two"
truncate -s 8M "$tmp/gpt" "$tmp/dos"
printf 'label: gpt\nsize=1MiB, name=first\nsize=2MiB, name="my root"\n' |
	sfdisk -q "$tmp/gpt"
printf 'label: dos\nsize=1MiB\nsize=2MiB\n' | sfdisk -q "$tmp/dos"
for table in gpt dos; do
	dd if="$tmp/one" of="$tmp/$table" bs=1M seek=1 conv=notrunc 2>/dev/null
	dd if="$tmp/two" of="$tmp/$table" bs=1M seek=2 conv=notrunc 2>/dev/null
	ublk pack "$tmp/$table" "$tmp/$table.img.gz"
done
gzip -c "$tmp/dos" >"$tmp/dos.gz"

# right NAME: both partitions of $dev are there, with their contents.
right() {
	is "$(ls "$dev"p* | tr '\n' ' ')" "${dev}p1 ${dev}p2 " \
		"$1: two partitions"
	blockdev --flushbufs "$dev"
	same "${dev}p1" "$tmp/one" "the first is right"
	same "${dev}p2" "$tmp/two" "and the second"
}

for how in "zimg $tmp/gpt.img.gz" "zimg $tmp/dos.img.gz -q 2" \
	"zimg $tmp/dos.gz" "zimg $tmp/gpt.img.gz --cow 2M" \
	"file $tmp/gpt" "file $tmp/dos -r" "file $tmp/gpt --cow $tmp/cow"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$how" $how
	right "$how"
	stopped "stop it" "$dev"
	is "$(ls "$dev"* 2>/dev/null)" "" "no node is left"
done

# A write to one partition is at the right place, and only there.
served "a disk to write to" file "$tmp/gpt"
pattern new 4096 | put "${dev}p2" 8192
stopped "stop it" "$dev"
pattern new 4096 | dd of="$tmp/two" bs=4096 seek=2 conv=notrunc 2>/dev/null
served "serve it again" file "$tmp/gpt"
right "written"

# They outlive their server.
if [ -n "$recovers" ]; then
	worker=$(worker_of "$id")
	kill -KILL "$worker"
	ok "the worker is killed, another one comes" \
		wait_until 20 another_worker
	right "another worker"
	kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
	wait_until 20 eval '[ -z "$(pidof ublk)" ]'
	ok "all are killed, and the disk recovered" \
		wait_until 20 ublk recover "$id"
	right "recovered"
else
	skip "they outlive their server" "this driver has no recovery"
fi

mkfs.ext4 -q "${dev}p2"
mkdir "$tmp/mnt"
mount "${dev}p2" "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'
like "$(ublk list)" "^$id +$dev +live +file " "the disk is listed"
is "$(ublk list "$id" | wc -l)" 2 "and only the disk"
fails 1 "with a partition mounted it is not stopped" ublk stop "$dev"
like "$err" "device $id is in use" "and said to be in use"
umount "$tmp/mnt"
stopped "unmounted it is stopped" "$dev"

done_testing
