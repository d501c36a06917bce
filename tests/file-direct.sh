# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/writer --tool mkfs.ext4
# board: --tool losetup --tool blkdiscard --disk 128M --disk 16M --mem 512M
#
# Direct I/O if the file supports it, so that data is not cached twice, and not
# copied if the driver lends the pages of requests. FLUSH and FUA reach the
# storage. The disk's block size is that of the file.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# On the board, the program is beside the test.
writer=${0%/*}/writer
[ -x "$writer" ] || writer=build/$(uname -m)/driver/writer

mkdir "$tmp/mnt"
mkfs.ext4 -q /dev/vda
mount /dev/vda "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'
at_exit 'stop_started'
at_exit 'umount "$tmp/fua" 2>/dev/null'

# cached: prints the page cache in KiB, without tmpfs.
cached() {
	awk '/^Cached:|^Buffers:/ { sum += $2 } /^Shmem:/ { sum -= $2 }
		END { print sum }' /proc/meminfo
}

# opened NAME FILE FLAG yes|no: whether the server opened it with that flag.
opened() {
	found=no
	for link in /proc/"$(server_of "$id")"/fd/*; do
		[ "$(readlink "$link")" = "$2" ] || continue
		flags=$(sed -n 's/^flags:	*//p' \
			"${link%/fd/*}/fdinfo/${link##*/}")
		[ $((flags & $3)) -eq 0 ] || found=yes
	done
	is $found "$4" "$1"
}

# serving: prints the process that has the rings.
serving() {
	worker=$(worker_of "$id")
	echo "${worker:-$(server_of "$id")}"
}

# Whether the driver lends the pages of requests.
lends=no
! ublk features | grep -q '^AUTO_BUF_REG *yes' || lends=yes

# pinned NAME yes|no: whether the server's ring has registered buffers, if it
# needs any.
pinned() {
	kib=$(awk '$1 == "VmPin:" { print $2 }' "/proc/$(serving)/status")
	[ $lends = no ] || set -- "$1" no
	is "$([ "$kib" -ge 1024 ] && echo yes || echo no)" "$2" "$1"
}

# copied NAME yes|no: whether data was in the server's buffers.
copied() {
	# Behind the buffers are the counters.
	kib=$(awk '/^[0-9a-f]+-/ {
			buffers = /ublk-buffers/ && $3 == "00000000"
		}
		buffers && $1 == "Rss:" { sum += $2 }
		END { print sum + 0 }' "/proc/$(serving)/smaps")
	is "$([ "$kib" -gt 0 ] && echo yes || echo no)" "$2" "$1"
}
copies=yes
[ $lends = no ] || copies=no
# The flags of an open file, as the processor's ABI has them.
direct=040000 nonblock=04000
case $(uname -m) in
arm* | aarch64) direct=0200000 ;;
mips*) direct=0100000 nonblock=0200 ;;
esac

# through_cache NAME yes|no: whether reading and writing 24 MiB fills the cache.
through_cache() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	was_cached=$(cached)
	dd if="$dev" of=/dev/null bs=1M count=24 iflag=direct 2>/dev/null
	dd if=/dev/zero of="$dev" bs=1M count=24 seek=24 oflag=direct 2>/dev/null
	more=$(($(cached) - was_cached))
	if [ $more -gt 40960 ]; then found=yes
	elif [ $more -lt 8192 ]; then found=no
	else found="$more KiB"
	fi
	is "$found" "$2" "$1"
}

dd if=/dev/zero of="$tmp/file" bs=1M count=4 2>/dev/null
served "a file on tmpfs" file "$tmp/file"
kib=$(awk '$1 == "VmPin:" { print $2 }' "/proc/$(serving)/status")
is "$kib" 0 "is copied: its ring knows no buffers"
stopped "stop it" "$dev"

file=$tmp/mnt/file
dd if=/dev/zero of="$file" bs=1M count=64 2>/dev/null
was_cached=$(cached)
served "a file on ext4" file "$file"
less=$((was_cached - $(cached)))
if [ $less -gt 61440 ]; then
	pass "the cache has nothing of it any more"
else
	fail "the cache has nothing of it any more" "$less KiB less"
fi
opened "has it direct" "$file" $direct yes
opened "waiting" "$file" $nonblock no
pinned "its ring knows the buffers" yes
through_cache "fills no cache" no
copied "copies what is moved, unless pages are lent" $copies
# The driver's own is 3: where it copies, memory need not be aligned to more.
below=3
[ $lends = no ] || below=$(cat /sys/block/vda/queue/dma_alignment)
is "$(cat "/sys/block/${dev#/dev/}/queue/dma_alignment")" "$below" \
	"wants users' memory aligned as the disk below does, if pages are lent"
stopped "stop it" "$dev"
echo 1 >/sys/block/vda/queue/stable_writes
served "a file on storage that computes checksums of the data" file "$file"
pattern stable 8192 | put "$dev" 4096
copied "copies it, so that nobody changes it meanwhile" yes
echo 0 >/sys/block/vda/queue/stable_writes
stopped "stop it" "$dev"
served "a file that is only read" file --read-only "$file"
pinned "takes no memory for that" no
read_back "$dev" 1048576 >/dev/null
copied "copies as well" $copies
stopped "stop it" "$dev"
served "a file --buffered" file --buffered "$file"
opened "has it not direct" "$file" $direct no
opened "waiting" "$file" $nonblock no
through_cache "fills the cache" yes
copied "copies no more than before" $copies
stopped "stop it" "$dev"
served "a file with --cow" file "$file" --cow 1M
pattern cow 8192 | put "$dev" 4096
read_back "$dev" 8192 >/dev/null
copied "is looked at, and copied" yes
stopped "stop it" "$dev"

# flushes DISK: prints how often it was flushed.
flushes() {
	awk '{ print $16 }' "/sys/block/$1/stat"
}
# flushed NAME more|same: the flushes of the disk below, since the last
# `from_here`.
from_here() {
	sync
	flushed_before=$(flushes vda)
}
flushed() {
	if [ "$(flushes vda)" -gt "$flushed_before" ]; then found="more"
	else found="same"
	fi
	is $found "$2" "$1"
}

# all_flushes: what must reach vda from the served device.
all_flushes() {
	is "$(cat /sys/block/ublkb$id/queue/write_cache)" "write back" \
		"has a cache to flush"
	is "$(cat /sys/block/ublkb$id/queue/fua)" 1 "takes FUA"
	from_here
	dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct 2>/dev/null
	flushed "a write alone flushes nothing" same
	from_here
	dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct conv=fsync \
		2>/dev/null
	flushed "FLUSH reaches the storage" more
	is "$(flushes ublkb$id)" 1 "as one FLUSH"

	# A direct write to allocated blocks of a file is a FUA and no more.
	mkfs.ext4 -q -F "$dev"
	mkdir -p "$tmp/fua"
	# It must not write by itself meanwhile.
	mount -o commit=600,noinit_itable "$dev" "$tmp/fua"
	dd if=/dev/zero of="$tmp/fua/file" bs=64k count=1 2>/dev/null
	sync
	from_here
	flushed_here=$(flushes ublkb$id)
	ok "a write with O_DSYNC" "$writer" write 1 \
		"one:dsync:$tmp/fua/file:0:65536"
	flushed "FUA reaches the storage" more
	is "$(flushes ublkb$id)" "$flushed_here" "without a FLUSH"
	umount "$tmp/fua"
}
served "a file on ext4" file "$file"
all_flushes
stopped "stop it" "$dev"
served "a file --buffered" file --buffered "$file"
all_flushes
stopped "stop it" "$dev"
umount "$tmp/mnt"

served "a disk" file /dev/vda
opened "has it direct" /dev/vda $direct yes
opened "waiting" /dev/vda $nonblock no
all_flushes
pattern disk 4194304 >"$tmp/disk"
put "$dev" 0 <"$tmp/disk"
is "$(read_back "$dev" 4194304 | sum -)" "$(sum "$tmp/disk")" "keeps data"
ok "takes a discard" blkdiscard -o 1048576 -l 1048576 "$dev"
is "$(read_back "$dev" 1048576 1048576 | sum -)" \
	"$(head -c 1048576 /dev/zero | sum -)" "it is zeroes"
ok "takes zeroes" blkdiscard -z -o 4096 -l 4096 "$dev"
{
	head -c 4096 "$tmp/disk"
	head -c 4096 /dev/zero
	head -c 1048576 "$tmp/disk" | tail -c +8193
	head -c 1048576 /dev/zero
	tail -c +2097153 "$tmp/disk"
} >"$tmp/mirror"
is "$(read_back "$dev" 4194304 | sum -)" "$(sum "$tmp/mirror")" \
	"all else stays"
stopped "stop it" "$dev"
is "$(read_back /dev/vda 4194304 | sum -)" "$(sum "$tmp/mirror")" \
	"it is all on the disk"
served "a disk --buffered" file --buffered /dev/vda
opened "waiting" /dev/vda $nonblock no
through_cache "fills the cache" yes
stopped "stop it" "$dev"

served "a part of a disk, between its sectors" file /dev/vda --offset 1000 \
	--size 1M
is "$(read_back "$dev" 1048576 | sum -)" \
	"$(tail -c +1001 /dev/vda | head -c 1048576 | sum -)" "shows just that"
pattern between 1048576 >"$tmp/data"
put "$dev" 0 <"$tmp/data"
is "$(read_back /dev/vda 1048576 1000 | sum -)" "$(sum "$tmp/data")" \
	"changes that"
is "$(read_back /dev/vda 1000 | sum -)" "$(head -c 1000 "$tmp/mirror" | sum -)" \
	"and nothing before"
ok "zeroes it" blkdiscard -z "$dev"
is "$(read_back "$dev" 1048576 | sum -)" "$(head -c 1048576 /dev/zero | sum -)" \
	"as it should"
stopped "stop it" "$dev"

# A disk with sectors of 4096 bytes.
loop=$(losetup -f)
losetup -b 4096 "$loop" /dev/vdb
at_exit '[ -z "$loop" ] || losetup -d "$loop"'
before
fails 1 "a block below the backing's is refused" ublk file "$loop" \
	--block-size 512
leaves_nothing "and leaves nothing"
served "a disk of sectors of 4096 bytes" file "$loop"
is "$(blockdev --getss "$dev")" 4096 "has the same"
opened "has it direct" "$loop" $direct yes
put "$dev" 0 <"$tmp/disk"
is "$(read_back "$dev" 4194304 | sum -)" "$(sum "$tmp/disk")" "keeps data"
stopped "stop it" "$dev"

mkfs.ext4 -q "$loop"
mount "$loop" "$tmp/mnt"
cp "$tmp/disk" "$file"
served "a file on such a disk" file "$file"
is "$(blockdev --getss "$dev")" 512 "has sectors of 512"
opened "and is not direct" "$file" $direct no
opened "but waiting" "$file" $nonblock no
same "$dev" "$tmp/disk" "gives the file"
pattern one 512 | put_direct "$dev" 3
pattern one 512 | put_direct "$tmp/disk" 3
same "$dev" "$tmp/disk" "takes a sector"
stopped "stop it" "$dev"
served "the same with blocks of 4096" file "$file" --block-size 4096
opened "is direct" "$file" $direct yes
same "$dev" "$tmp/disk" "gives the file"
put "$dev" 4096 <"$tmp/data"
tail -c +4097 "$file" | head -c 1048576 >"$tmp/got"
same "$tmp/got" "$tmp/data" "changes the file"
stopped "stop it" "$dev"
umount "$tmp/mnt"
losetup -d "$loop"
loop=''

# If the storage must split a request, the ring passes it to a thread,
# iou-wrk-PID, and that costs more than two requests.
echo 64 >/sys/block/vdb/queue/max_sectors_kb
put /dev/vdb 0 <"$tmp/disk"
served "a disk that takes small requests" file /dev/vdb
is "$(cat "/sys/block/ublkb$id/queue/max_sectors_kb")" 64 "takes no larger ones"
dd if="$dev" bs=128k count=32 iflag=direct 2>/dev/null | sum - >"$tmp/got"
is "$(cat "$tmp/got")" "$(sum "$tmp/disk")" "gives its data"
dd if="$tmp/disk" of="$dev" bs=128k oflag=direct 2>/dev/null
is "$(cat /proc/"$(serving)"/task/*/comm | grep -c iou-wrk)" 0 \
	"and leaves none to another thread"
stopped "stop it" "$dev"

done_testing
