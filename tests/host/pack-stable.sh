# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: rdiff gzip
#
# A small change of the disk changes little of the image: to update the first
# image to the second, rsync would send a few chunks and the index.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}

# sent OLD NEW: prints the bytes of the difference, as rsync finds it.
sent() {
	rdiff -f -b 512 signature "$1" "$tmp/signature" &&
		rdiff -f delta "$tmp/signature" "$2" "$tmp/delta" &&
		wc -c <"$tmp/delta"
}

# overwrite TEXT OFFSET: in the new disk.
overwrite() {
	printf %s "$1" |
		dd of="$tmp/new" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# Numbers compress to less than half, and all chunks differ.
seq 1000000 7 9000000 | tr -d '\n' | head -c 6000000 >"$tmp/old"
cp "$tmp/old" "$tmp/new"
overwrite 'some bytes in the middle' 3000000
for chunk in 16K 60K 256K; do
	size=$((${chunk%K} * 1024))
	"$ublk" pack -f -l 6 -c $chunk "$tmp/old" "$tmp/old.gz"
	"$ublk" pack -f -l 6 -c $chunk "$tmp/new" "$tmp/new.gz"
	all=$(wc -c <"$tmp/new.gz")
	index=$("$ublk" info "$tmp/new.gz" | sed -n 's/^index size: \([0-9]*\).*/\1/p')
	part=$(sent "$tmp/old.gz" "$tmp/new.gz")
	note "chunks of $chunk: $part of $all bytes"
	ok "chunks of $chunk: one chunk and the index, of $all bytes" \
		test "$part" -lt $((size / 2 + index + 2048))
done

overwrite 'a write here' 100
overwrite 'one there' 5999990
"$ublk" pack -f -l 6 "$tmp/old" "$tmp/old.gz"
"$ublk" pack -f -l 6 "$tmp/new" "$tmp/new.gz"
part=$(sent "$tmp/old.gz" "$tmp/new.gz")
ok 'three places: three chunks' test "$part" -lt $((3 * 30720 + 4096))
truncate -s 8000000 "$tmp/new"
"$ublk" pack -f -l 6 "$tmp/new" "$tmp/new.gz"
part=$(sent "$tmp/old.gz" "$tmp/new.gz")
ok 'a larger disk: as little' test "$part" -lt $((4 * 30720 + 8192))

# By contrast, a gzip file differs from the change on.
gzip -nc "$tmp/old" >"$tmp/old.gz"
gzip -nc "$tmp/new" >"$tmp/new.gz"
part=$(sent "$tmp/old.gz" "$tmp/new.gz")
ok 'of a gzip it is all' test "$part" -gt $(($(wc -c <"$tmp/new.gz") / 4))
done_testing
