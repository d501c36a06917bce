# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool fio --tool mkfs.ext4
# board: --tool blkdiscard --disk 16M --timeout 300
#
# The disk that the file is on is removed under load: every request gets an
# error, the server stays and can be stopped, and flushed data is there when the
# disk is back.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# EIO, in the words of glibc and of musl.
eio='(Input/output|I/O) error'

mkdir "$tmp/mnt"
at_exit 'umount -l "$tmp/mnt" 2>/dev/null'
at_exit 'stop_started'

# find_disk: sets $disk to its node, which may have another name after it was
# removed.
find_disk() {
	for serial in /sys/block/vd*/serial; do
		[ "$(cat "$serial")" = disk0 ] || continue
		disk=${serial%/serial}
		disk=/dev/${disk##*/}
		[ -b "$disk" ] && return
	done
	return 1
}

# pull driver|slot: unbinds its driver, or removes it from its slot.
pull() {
	way=$1
	device=$(readlink -f "/sys/block/${disk##*/}/device")
	if [ "$way" = driver ]; then
		echo "${device##*/}" >/sys/bus/virtio/drivers/virtio_blk/unbind
	else
		echo 1 >"${device%/*}/remove"
	fi
	wait_until 10 [ ! -e "$disk" ] || fail "the disk is pulled"
}
plug() {
	if [ "$way" = driver ]; then
		echo "${device##*/}" >/sys/bus/virtio/drivers/virtio_blk/bind
	else
		echo 1 >/sys/bus/pci/rescan
	fi
	wait_until 10 find_disk || fail "the disk is plugged in again"
}

under_load() {
	[ "$(answered "$dev" 1)" -gt 100 ] && [ "$(answered "$dev" 5)" -gt 100 ]
}

# all_fail RW FIELD: 256 requests of fio get an error each.
all_fail() {
	had=$(answered "$dev" "$2")
	fio --name=errors --filename="$dev" --size=1M --ioengine=libaio \
		--direct=1 --iodepth=16 --bs=4k --rw="$1" --thread \
		--continue_on_error=all --output-format=json >"$tmp/fio" 2>&1
	is "$(sed -n 's/.*"\(total_err\|first_error\)" : \([0-9]*\).*/\2/p' \
		"$tmp/fio" | paste -s -d ' ')" "256 5" \
		"every $1 gets an I/O error"
	is $(($(answered "$dev" "$2") - had)) 256 "once"
}

# pulled WAY FILE OPTION...: the disk that FILE is, or that it is on.
pulled() {
	how=$1
	shift
	served "to be pulled by its $how: $*" file "$@"
	watch_server
	put "$dev" 0 <"$tmp/flushed"
	fio --name=load --filename="$dev" --offset=4M --size=4M \
		--ioengine=libaio --direct=1 --iodepth=32 --rw=randrw --bs=4k \
		--thread --time_based --runtime=600 >"$tmp/load" 2>&1 &
	load=$!
	wait_until 60 under_load || fail "fio runs" "$(cat "$tmp/load")"
	pull "$how"
	wait $load
	like "$(cat "$tmp/load")" "err=.*$eio" \
		"whoever used it gets an error"
	all_fail read 1
	all_fail write 5
	if [ "$1" = "$disk" ] || [ -n "$told" ]; then
		fails 1 "a discard does" blkdiscard -f -o 1M -l 1M "$dev"
		like "$err" "$eio" "too"
	fi
	fails 1 "and an fsync" dd if=/dev/null of="$dev" conv=notrunc,fsync
	like "$err" "$eio" "too"
	same_server "the server is live"
	silent "and has said nothing"
	# Dirty data of the device cannot be written when it stops.
	dd if="$tmp/flushed" of="$dev" bs=64k conv=notrunc 2>/dev/null
}

# device_pulled WAY OPTION...
device_pulled() {
	how=$1
	shift
	pulled "$how" "$disk" "$@"
	old=$dev
	plug
	is "$(read_back "$disk" 1048576 | sum -)" "$(sum "$tmp/flushed")" \
		"what had been flushed is there again"
	served "it can be served again" file "$disk"
	ok "and written" put "$dev" 0 <"$tmp/flushed"
	stopped "stop it" "$dev"
	stopped "stop that of the disk that was pulled" "$old"
}

# file_pulled WAY OPTION...
file_pulled() {
	how=$1
	shift
	mkfs.ext4 -q -F "$disk"
	mount "$disk" "$tmp/mnt"
	dd if=/dev/zero of="$tmp/mnt/file" bs=1M count=9 2>/dev/null
	pulled "$how" "$tmp/mnt/file" "$@"
	stopped "stop it" "$dev"
	umount "$tmp/mnt"
	plug
	mount "$disk" "$tmp/mnt"
	is "$(head -c 1048576 "$tmp/mnt/file" | sum -)" "$(sum "$tmp/flushed")" \
		"what had been flushed is in the file"
	umount "$tmp/mnt"
}

# first_chunk NAME: the first chunk of the image can be read.
first_chunk() {
	is "$(sectors "$dev" 0 120 | sum -)" \
		"$(head -c 61440 "$tmp/data" | sum -)" "$1"
}

# A filesystem that does not learn that its disk is gone works on with what it
# has in memory.
told=''
! linux_since 6 6 || told=1

pattern flushed 1048576 >"$tmp/flushed"
find_disk
device_pulled driver -q 1
device_pulled slot -q 2 --buffered
file_pulled slot -q 2
if [ -n "$told" ]; then
	file_pulled driver -q 1 --buffered
else
	skip "a file on a disk, through the page cache" \
		"this kernel does not tell ext4 that its disk is gone"
fi

# An image: cached chunks stay readable.
head -c 400000 /dev/urandom >"$tmp/data"
ublk pack -c 60K "$tmp/data" "$tmp/image"
dd if="$tmp/image" of="$disk" bs=64k conv=fsync 2>/dev/null
served "an image" zimg "$disk"
watch_server
first_chunk "can be read"
pull slot
first_chunk "what it has in memory can still be"
dd if="$dev" of=/dev/null bs=512 skip=240 iflag=direct conv=noerror \
	2>"$tmp/dd"
is "$(grep -cE "^dd: (error reading ')?$dev'?: $eio" "$tmp/dd")" \
	$((782 - 240)) "all else cannot"
same_server "the server is live"
# The kernel limits the number of messages of a process.
said | sed -n 's/.*\(chunk [0-9]*\) .*/\1/p' | sort >"$tmp/chunks"
ok "and names a chunk that it could not read" [ -s "$tmp/chunks" ]
is "$(uniq -d "$tmp/chunks")" "" "once"
stopped "stop it" "$dev"
plug
served "plugged in again" zimg "$disk"
is "$(head -c 400000 "$dev" | sum -)" "$(sum "$tmp/data")" "it is whole"
stopped "stop it" "$dev"

done_testing
