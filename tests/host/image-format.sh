# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: python3 gzip
#
# What image/format.md says about the formats is true: the image and the index
# that it shows byte by byte, and the example reader that it contains.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}
manual=image/format.md
# With LIBDEFLATE=no zlib compresses, to other bytes.
with_libdeflate=$(nm "build/${ARCH:-$(uname -m)}/ublk.debug" 2>/dev/null |
	grep -m 1 libdeflate_) || :

# shows FILE TITLE: the section of the manual with that title shows the file. A
# line has the offset, the bytes and, after column 40, their meaning.
shows() {
	sed -n "/^## $2/,/^## [^$(printf %.1s "$2")]/p" "$manual" |
		sed -n 's/^    \([0-9a-f]\{4\}\)  \(.\{1,40\}\).*/\1 \2/p' \
		>"$tmp/lines"
	if [ -n "$with_libdeflate" ]; then
		is "$(cut -d ' ' -f 2- "$tmp/lines" | tr -d ' \n')" \
			"$(od -An -v -tx1 "$1" | tr -d ' \n')" 'is made, byte by byte'
	else
		skip 'is made, byte by byte' "the program has no libdeflate"
	fi
	is "$(awk '{
		if (sprintf("%04x", at) != $1) print "line " $0
		for (i = 2; i <= NF; i++) at += length($i) / 2
	}' "$tmp/lines")" '' 'and each line is where it says'
}

printf 'hello, disk\n' >"$tmp/disk"
truncate -s 5000 "$tmp/disk"
ok 'the image that it shows' "$ublk" pack -c 4K "$tmp/disk" "$tmp/image"
shows "$tmp/image" "An image, byte"
yes 'hello, disk' | head -c 70000 | gzip -9n >"$tmp/disk.gz"
ok 'the index that it shows' "$ublk" index --spacing 64K "$tmp/disk.gz"
shows "$tmp/disk.gz.index" 'The index of'

sed -n '/^```python$/,/^```$/p' "$manual" | grep -v '^```' >"$tmp/reader.py"
pattern disk 800000 >"$tmp/disk"
head -c 200000 /dev/zero >>"$tmp/disk"
head -c 300001 /dev/urandom >>"$tmp/disk"
truncate -s 9000000 "$tmp/disk"
for chunk in 4K 60K 1M; do
	"$ublk" pack -f -c $chunk "$tmp/disk" "$tmp/image"
	ok "the reader, chunks of $chunk" \
		python3 "$tmp/reader.py" "$tmp/image"
	same "$tmp/disk" "$tmp/out" 'reads the disk'
done
"$ublk" pack -f -c 4K "$tmp/disk" "$tmp/image"
ok 'it reads chunks by their numbers' \
	python3 "$tmp/reader.py" "$tmp/image" 2000 1 1024
{
	dd if="$tmp/disk" bs=4096 skip=2000 count=1
	dd if="$tmp/disk" bs=4096 skip=1 count=1
	dd if="$tmp/disk" bs=4096 skip=1024 count=1
} >"$tmp/chunks" 2>/dev/null
same "$tmp/chunks" "$tmp/out" 'in any order'

done_testing
