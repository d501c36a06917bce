# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool blkdiscard --tool mkfs.ext4 --tool dd
# board: --disk 32M --timeout 900
#
# A file in memory, on a tmpfs or a ramfs, as a disk, and as what is below or
# above with --cow: the queue moves the data itself. Data is where it belongs,
# and no thread of io_uring is there, as a request that goes through the ring
# leaves one. Nor is one for what the page cache has of a file on a disk. Requests
# of more than 8 KiB do go through the ring, where there are processors for its
# threads.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

mkdir "$tmp/tmpfs" "$tmp/ramfs" "$tmp/ext4"
mount -t tmpfs -o size=32M tmpfs "$tmp/tmpfs"
mount -t ramfs ramfs "$tmp/ramfs"
mkfs.ext4 -q /dev/vda
mount /dev/vda "$tmp/ext4"
at_exit 'umount "$tmp/tmpfs" "$tmp/ramfs" "$tmp/ext4"'
at_exit 'stop_started'

size=4194304
pattern old $size >"$tmp/old"
pattern new $size >"$tmp/new"

# threads: prints the names of the threads that serve $id.
threads() {
	process=$(worker_of "$id")
	cat /proc/"${process:-$(server_of "$id")}"/task/*/comm
}

# no_thread NAME: none of them is one of io_uring.
no_thread() {
	unlike "$(threads)" iou-wrk "$1"
}

# mirror OFFSET: standard input is there in $tmp/mirror, too.
mirror() {
	dd of="$tmp/mirror" bs=64k oflag=seek_bytes seek="$1" conv=notrunc \
		2>/dev/null
}

# used FILE: prints its allocated size in KiB.
used() {
	du -k "$1" | cut -f 1
}

# changed NAME: changes the disk in pieces of many sizes, and $tmp/mirror in the
# same way; both are equal then.
changed() {
	for sector in 1 6 8 1021 8190; do
		pattern "one $sector" 512 >"$tmp/piece"
		put_direct "$dev" $sector <"$tmp/piece"
		mirror $((sector * 512)) <"$tmp/piece"
	done
	pattern large 2097152 >"$tmp/piece"
	dd if="$tmp/piece" of="$dev" bs=1M seek=1 oflag=direct conv=notrunc,fsync \
		2>/dev/null
	mirror 1048576 <"$tmp/piece"
	pattern cached 700416 >"$tmp/piece"
	put "$dev" 1536 <"$tmp/piece"
	mirror 1536 <"$tmp/piece"
	is "$(read_back "$dev" $size | sum -)" "$(sum "$tmp/mirror")" \
		"$1: pieces of many sizes are there"
	ok "$1: zeroes" blkdiscard -z -o 1536 -l 1024512 "$dev"
	head -c 1024512 /dev/zero | mirror 1536
	is "$(read_back "$dev" $size | sum -)" "$(sum "$tmp/mirror")" \
		"$1: they are there, and nowhere else"
}

# No request is larger than this, and a page is never split.
page=$(stat -f -c %S "$tmp/tmpfs")
small="--max-io $((page > 8192 ? page : 8192))"
[ "$page" -le 8192 ] || [ "$(nproc)" -eq 1 ] ||
	skip_all "with pages of $page bytes every request is a large one"

for fs in tmpfs ramfs; do
	file=$tmp/$fs/file
	for options in "$small" "-q 2 $small" "$small --buffered" \
		"-q 1" "-q 2 --max-io 1M" "--buffered" "-d 2 -q 2"; do
		cp "$tmp/old" "$file"
		cp "$tmp/old" "$tmp/mirror"
		# shellcheck disable=SC2086 # words are meant to be split
		served "$fs, $options" file "$file" $options
		same "$dev" "$tmp/old" "$fs, $options: has the file's contents"
		changed "$fs, $options"
		same "$file" "$tmp/mirror" "$fs, $options: the file has the same"
		if [ $fs = tmpfs ]; then
			kib=$(used "$file")
			ok "$fs, $options: discard" \
				blkdiscard -o 1048576 -l 2097152 "$dev"
			is $((kib - $(used "$file"))) 2048 \
				"$fs, $options: its memory is given back"
			is "$(read_back "$dev" 2097152 1048576 | tr -d '\0' |
				wc -c)" 0 "$fs, $options: it is zeroes"
			is "$(cat "/sys/block/ublkb$id/queue/discard_max_bytes")" \
				16777216 "$fs, $options: a piece is not large"
		fi
		case "$(nproc) $options" in
		"1 "* | *"$small"*)
			no_thread "$fs, $options: no thread of io_uring helped"
			;;
		*)
			like "$(threads)" iou-wrk \
				"$fs, $options: threads helped with large requests"
			;;
		esac
		stopped "$fs, $options: stop it" "$dev"
	done

	cp "$tmp/old" "$file"
	# shellcheck disable=SC2086 # words are meant to be split
	served "$fs, a range" file "$file" --offset 1000 --size 1M $small
	put "$dev" 0 <"$tmp/piece"
	{
		head -c 1000 "$tmp/old"
		cat "$tmp/piece"
		tail -c +$((1001 + 700416)) "$tmp/old"
	} >"$tmp/mirror"
	same "$file" "$tmp/mirror" "$fs, a range: just that is changed"
	no_thread "$fs, a range: no thread of io_uring helped"
	stopped "$fs, a range: stop it" "$dev"

	# Below, and above: both stay in memory.
	cp "$tmp/old" "$file"
	for place in 8M "$tmp/$fs/kept"; do
		cp "$tmp/old" "$tmp/mirror"
		# shellcheck disable=SC2086 # words are meant to be split
		served "$fs, --cow $place" file "$file" --cow "$place" -q 2 \
			$small
		# Blocks of 4 KiB are filled from below.
		changed "$fs, --cow $place"
		no_thread "$fs, --cow $place: no thread of io_uring helped"
		stopped "$fs, --cow $place: stop it" "$dev"
		same "$file" "$tmp/old" "$fs, --cow $place: what is below stays"
	done
	served "$fs, --cow: once more" file "$file" --cow "$tmp/$fs/kept"
	is "$(read_back "$dev" $size | sum -)" "$(sum "$tmp/mirror")" \
		"$fs, --cow: all is there"
	stopped "$fs, --cow: stop it" "$dev"
	rm "$file" "$tmp/$fs/kept"
done

# In the page cache. Its writes are left to threads: ext4 makes none without the
# risk of waiting for the disk, and then the queue's other requests would wait.
file=$tmp/ext4/file
cp "$tmp/new" "$file"
served "ext4, --buffered" file "$file" --buffered
sum "$file" >/dev/null
is "$(read_back "$dev" $size | sum -)" "$(sum "$tmp/new")" \
	"ext4, --buffered: has the file's contents"
no_thread "ext4, --buffered: no thread read what was cached"
cp "$tmp/new" "$tmp/mirror"
changed "ext4, --buffered"
same "$file" "$tmp/mirror" "ext4, --buffered: the file has the same"
stopped "ext4, --buffered: stop it" "$dev"

done_testing
