# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool fio --tool mkfs.ext4 --mem 1G
# board: --disk 128M --timeout 1200
#
# fio writes at random with many requests in flight, and reads everything back:
# every block has the data that was written there last.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

mkdir "$tmp/tmpfs" "$tmp/ext4"
mount -t tmpfs -o size=64M tmpfs "$tmp/tmpfs"
mkfs.ext4 -q /dev/vda
mount /dev/vda "$tmp/ext4"
at_exit 'umount "$tmp/tmpfs" "$tmp/ext4" 2>/dev/null'
at_exit 'stop_started'

# verified ARGUMENT...
verified() {
	served "$*" "$@"
	ok "fio verifies it" fio --name=verify --filename="$dev" --size=16M \
		--ioengine=libaio --direct=1 --iodepth=64 --rw=randwrite \
		--bsrange="$blocks" --verify=crc32c --verify_fatal=1 \
		--randrepeat=0 --group_reporting --output-format=terse
	stopped "stop it" "$dev"
}

truncate -s 16M "$tmp/tmpfs/file" "$tmp/ext4/file"
blocks=512-64k
verified ram 16M -q 1
verified ram 16M -q 2
verified ram 16M -q 2 -d 2 --max-io 4096
verified file "$tmp/tmpfs/file" -q 2
verified file "$tmp/ext4/file" -q 2
verified file "$tmp/ext4/file" -q 2 --buffered
umount "$tmp/ext4"
verified file /dev/vda -q 2
verified file /dev/vda --offset 1M --size 16M

# Several at the same time, each with its own data.
: >"$tmp/nodes"
for options in "ram 16M -q 2" "ram 16M" "file $tmp/tmpfs/file"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$options beside others" $options
	echo "$dev" >>"$tmp/nodes"
done
jobs=''
while read -r dev; do
	jobs="$jobs --name=${dev##*/} --filename=$dev"
done <"$tmp/nodes"
# shellcheck disable=SC2086 # words are meant to be split
ok "fio verifies all at once" fio --size=8M --ioengine=libaio --direct=1 \
	--iodepth=32 --rw=randwrite --bsrange=512-64k --verify=crc32c \
	--verify_fatal=1 --output-format=terse $jobs
while read -r dev; do
	stopped "stop $dev" "$dev"
done <"$tmp/nodes"

blocks=4k-256k
verified ram 16M -q 2 --block-size 4096 --max-io 1M

done_testing
