# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# `check` finds damage, and reports it in sectors of the disk. `info` describes
# an image.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}

# Ten chunks of 4 KiB and a partial one; the fourth has only zeroes.
{
	pattern disk 12288
	head -c 4096 /dev/zero
	pattern rest 25000
} >"$tmp/disk"
ok 'an image' "$ublk" pack -c 4K "$tmp/disk" "$tmp/image"
ok 'is good' "$ublk" check "$tmp/image"
is "$out$err" '' 'without a word'
size=$(wc -c <"$tmp/image")

run "$ublk" info "$tmp/image"
is "$out" "image: $tmp/image
format: ublk 1
disk size: 41384 (40.4K)
image size: $size ($(echo "$out" | sed -n 's/^image size: .*(\(.*\))$/\1/p'))
ratio: $((size * 100 / 41384)).$((size * 1000 / 41384 % 10)) %
chunk size: 4096 (4K)
chunks: 11
zero chunks: 1
index size: 94 (94)" 'info tells all of it'

# damage PLACE: changes a byte in a copy.
damage() {
	cp "$tmp/image" "$tmp/bad"
	byte=$(dd if="$tmp/bad" bs=1 skip="$1" count=1 2>/dev/null |
		od -An -tu1 | tr -d ' ')
	# shellcheck disable=SC2059 # the format is the data
	printf "\\$(printf '%o' $((byte ^ 16)))" |
		dd of="$tmp/bad" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

damage 100
fails 1 'a damaged chunk' "$ublk" check "$tmp/bad"
like "$out" '^sectors 0-7: chunk 0 at byte 66: ' 'is named'
is "$(printf '%s\n' "$out" | wc -l)" 1 'and no other'
like "$err" '1 of 11 chunks are damaged' 'and counted'
damage $((size - 94 - 28 - 5))
fails 1 'the last chunk' "$ublk" check "$tmp/bad"
like "$out" '^sectors 80-80: chunk 10 at byte [0-9]*: wrong checksum$' \
	'has one sector'
damage 10
fails 1 'a damaged header' "$ublk" check "$tmp/bad"
like "$err" 'bad: the header is damaged|plain gzip' 'is told'
damage 30
fails 1 'a damaged disk size' "$ublk" check "$tmp/bad"
like "$err" 'bad: the header is damaged \(at byte 0\)' 'is told'
damage $((size - 28 - 50))
fails 1 'a damaged index' "$ublk" check "$tmp/bad"
like "$err" "the index is damaged \(at byte $((size - 28 - 94))\)" \
	'is told with its place'
damage $((size - 3))
fails 1 'a damaged end' "$ublk" check "$tmp/bad"
like "$err" "the last member is damaged \(at byte $((size - 28))\)" 'is told'
head -c $((size - 1)) "$tmp/image" >"$tmp/bad"
fails 1 'one byte less' "$ublk" check "$tmp/bad"
like "$err" "truncated: $((size - 1)) bytes of $size are there" 'is told'
{ cat "$tmp/image"; pattern behind 9999; } >"$tmp/bad"
ok 'something behind the image does not matter' "$ublk" check "$tmp/bad"

# The member of the chunk of zeroes is verified as well.
found=
place=66
while [ $place -lt $((size - 94 - 28)) ]; do
	length=$(dd if="$tmp/image" bs=1 skip=$((place + 16)) count=2 \
		2>/dev/null | od -An -tu2 | tr -d ' ')
	[ "$length" -gt 60 ] || { found=$place; break; }
	place=$((place + length + 1))
done
damage $((found + 20))
fails 1 'a damaged chunk of zeroes' "$ublk" check "$tmp/bad"
like "$out" "^sectors 24-31: chunk 3 at byte $found: " 'is named'

fails 2 'check wants an image' "$ublk" check
fails 2 'info wants an image' "$ublk" info
fails 2 'and only one' "$ublk" info a b

done_testing
