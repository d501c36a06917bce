# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool blkdiscard
#
# A disk in memory keeps what is written, with every size, alignment and number
# of queues, and reads as zeroes where nothing was written.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

zeroes() {
	head -c "$1" /dev/zero | sum -
}
page=$(stat -f -c %S /dev/shm)	# of a tmpfs: the kernel's

served "a disk of 4M" ram 4M
is "$(cat /sys/block/ublkb$id/size)" 8192 "has 8192 sectors"
is "$(read_back "$dev" 4194304 | sum -)" "$(zeroes 4194304)" "is all zeroes"
pattern whole 4194304 >"$tmp/whole"
put "$dev" 0 <"$tmp/whole"
is "$(read_back "$dev" 4194304 | sum -)" "$(sum "$tmp/whole")" \
	"keeps what fills it"

# A file with the same contents as the disk.
cp "$tmp/whole" "$tmp/mirror"
# both SECTOR COUNT: writes sectors to the disk and to that file.
both() {
	pattern "at $1" $(($2 * 512)) "$1" >"$tmp/data"
	put_direct "$dev" "$1" <"$tmp/data"
	put_direct "$tmp/mirror" "$1" <"$tmp/data"
}
both 1 1
both 7 2
both 8 8
both 4093 5
both 8191 1
blockdev --flushbufs "$dev"
same "$dev" "$tmp/mirror" "keeps single sectors beside others"
is "$(sectors "$dev" 4093 5 | sum -)" "$(pattern 'at 4093' 2560 4093 | sum -)" \
	"gives single sectors"

# Discards that start and end within pages: the rest of the pages must stay.
end=$((2 * page + 3584))
blkdiscard -o 1536 -l $((end - 1536)) "$dev"
is "$(read_back "$dev" 1536 | sum -)" "$(head -c 1536 "$tmp/mirror" | sum -)" \
	"a discard leaves what is before it"
is "$(read_back "$dev" 4096 $end | sum -)" \
	"$(tail -c +$((end + 1)) "$tmp/mirror" | head -c 4096 | sum -)" \
	"a discard leaves what is behind it"
is "$(read_back "$dev" $page $page | sum -)" "$(zeroes $page)" \
	"a discarded page is zeroes"
put "$dev" 0 <"$tmp/mirror"
blkdiscard -z -o 1536 -l 10240 "$dev"
dd if=/dev/zero of="$tmp/mirror" bs=512 seek=3 count=20 conv=notrunc 2>/dev/null
same "$dev" "$tmp/mirror" "write zeroes zeroes exactly its range"
ok "zero it all" blkdiscard -z "$dev"
is "$(read_back "$dev" 4194304 | sum -)" "$(zeroes 4194304)" "is all zeroes"
stopped "stop it" "$dev"
served "the next one" ram 4M
is "$(read_back "$dev" 4194304 | sum -)" "$(zeroes 4194304)" \
	"has nothing of the one before"
stopped "stop that" "$dev"

# The last page is partial.
served "a disk of 1M and a sector" ram 1049088
is "$(cat /sys/block/ublkb$id/size)" 2049 "has 2049 sectors"
pattern odd 1049088 >"$tmp/odd"
put "$dev" 0 <"$tmp/odd"
same "$dev" "$tmp/odd" "keeps what fills it"
pattern last 512 2048 | put_direct "$dev" 2048
is "$(sectors "$dev" 2048 1 | sum -)" "$(pattern last 512 2048 | sum -)" \
	"keeps its last sector"
blkdiscard -z -o 1048576 -l 512 "$dev"
is "$(sectors "$dev" 2048 1 | sum -)" "$(zeroes 512)" "zeroes its last sector"
pattern last 512 2048 | put_direct "$dev" 2048
ok "discard all" blkdiscard "$dev"
is "$(read_back "$dev" 1049088 | sum -)" "$(zeroes 1049088)" "all is zeroes"
stopped "stop it" "$dev"
served "a disk of one sector" ram 512
pattern one 512 | put_direct "$dev" 0
is "$(sectors "$dev" 0 9 | sum -)" "$(pattern one 512 | sum -)" "keeps it"
stopped "stop it" "$dev"

# Devices with all kinds of options have the same data.
pattern shape 2097152 >"$tmp/shape"
for options in "-q 1" "-q 2" "-q 4" "-d 1" "-d 1 -q 2" "-d 3" "-d 4096" \
	"--max-io 4096" "--max-io 4096 -d 1" "--max-io 32M" "--block-size 4096"
do
	# shellcheck disable=SC2086 # words are meant to be split
	served "ram $options" ram 2M $options
	head -c 1048576 "$tmp/shape" | put "$dev" 0 &
	tail -c 1048576 "$tmp/shape" | put "$dev" 1048576
	wait
	same "$dev" "$tmp/shape" "keeps data"
	case $options in
	"-q 4") is "$(ls /sys/block/ublkb$id/mq | wc -l)" \
		$(($(nproc) < 4 ? $(nproc) : 4)) \
		"has queues, at most one a processor" ;;
	"-d 3") is "$(cat /sys/block/ublkb$id/queue/nr_requests)" 3 \
		"has that depth" ;;
	"--max-io 4096") is "$(cat /sys/block/ublkb$id/queue/max_hw_sectors_kb)" \
		$((page / 1024)) "has no larger requests" ;;
	"--max-io 32M") is "$(cat /sys/block/ublkb$id/queue/max_hw_sectors_kb)" \
		32768 "has that large requests" ;;
	--block*) is "$(blockdev --getss "$dev")" 4096 "has that block" ;;
	esac
	stopped "stop it" "$dev"
done

served "ram --read-only" ram 1M --read-only
is "$(blockdev --getro "$dev")" 1 "says so"
echo data | dd of="$dev" conv=fsync 2>/dev/null
is "$(read_back "$dev" 1048576 | sum -)" "$(zeroes 1048576)" "cannot be written"
stopped "stop it" "$dev"

done_testing
