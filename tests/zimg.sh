# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --smp 2 --timeout 400
#
# A compressed image is the disk that it was made of: all of it, and any part,
# with chunks of several sizes, one or more queues, a large cache and the
# smallest.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# Text, random data, and zeroes, not aligned to chunks.
{
	pattern disk 3000000
	head -c 1500000 /dev/zero
	pattern more 700000 | gzip
	head -c 1000000 /dev/urandom
	pattern end 2000000
	head -c 900000 /dev/zero
} >"$tmp/disk"
size=$(wc -c <"$tmp/disk")
sectors=$(((size + 511) / 512))
head -c $((sectors * 512 - size)) /dev/zero | cat "$tmp/disk" - >"$tmp/padded"
all=$(sum "$tmp/padded")

# serves CHUNK OPTION...: serves an image with chunks of that size.
serves() {
	ok "chunks of $1" ublk pack -fl 1 --chunk "$1" "$tmp/disk" "$tmp/image"
	what="chunks of $1"
	shift
	served "$what, $*" zimg "$@" "$tmp/image"
	parts "$tmp/padded" "parts of it, $*"
	is "$(dd if="$dev" bs=1M iflag=direct 2>/dev/null | sum -)" "$all" \
		'all of it in large reads'
	is "$(sum "$dev")" "$all" 'all of it through the page cache'
	stopped 'stop it' "$dev"
}

serves 4K -q 2 --cache 0
serves 4K -q 1
serves 64K -d 4 --max-io 1M
serves 1M -q 2 --cache 0
serves 60K -q 1
serves 60K -q 2 --cache 1M
serves 60K -q 2 --cache 0

# Its memory is that of the cache and of the requests in flight.
pattern large 16777216 >"$tmp/large"
ublk pack -fl 1 "$tmp/large" "$tmp/large.image"
served 'a disk twice as large as the cache' zimg "$tmp/large.image"
is "$(sum "$dev")" "$(sum "$tmp/large")" 'all of it in order'
is "$(read_back "$dev" 16777216 | sum -)" "$(sum "$tmp/large")" 'and once more'
resident=$(resident_of "$id")
goal=$((9216 + $(idle_goal)))
if [ "$resident" -lt $goal ]; then
	pass "its server has less than $goal KiB resident"
else
	fail "its server has less than $goal KiB resident" "$resident KiB"
fi
note "$resident KiB"
stopped 'stop it' "$dev"

served 'once more' zimg "$tmp/image"
is "$(blockdev --getsize64 "$dev")" $((sectors * 512)) \
	'its size is a number of sectors'
is "$(blockdev --getro "$dev")" 1 'it is read only'
like "$(ublk list)" "zimg.*$tmp/image" 'and listed'
stopped 'stop it' "$dev"
served 'with blocks of 4096' zimg --block-size 4096 "$tmp/image"
is "$(blockdev --getsize64 "$dev")" $(((size + 4095) / 4096 * 4096)) \
	'the size is a number of these'
is "$(head -c $size "$dev" | sum -)" "$(sum "$tmp/disk")" 'the same data'
stopped 'stop it' "$dev"
ok 'by a relative path' cd "$tmp"
served 'that is' zimg image
like "$(cat "/run/ublk/$id")" "=$tmp/image" 'the record has the whole'
stopped 'stop it' "$dev"

done_testing
