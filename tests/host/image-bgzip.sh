# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: tabix xz-utils
#
# Files of other programs: those of bgzip are read like our own images, and what
# cannot be read at any offset is refused by name.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}

for size in 0 1 65279 65280 65281 1000003; do
	pattern bgzip $size >"$tmp/disk"
	bgzip -c "$tmp/disk" >"$tmp/disk.gz"
	ok "$size bytes: check" "$ublk" check "$tmp/disk.gz"
	ok "$size bytes: info" "$ublk" info "$tmp/disk.gz"
	like "$out" "^disk size: $size " "$size bytes: info knows"
	like "$out" '^format: bgzf$' "$size bytes: and the format"
	rm -f "$tmp/back"
	ok "$size bytes: unpack" "$ublk" unpack "$tmp/disk.gz" "$tmp/back"
	same "$tmp/disk" "$tmp/back" "$size bytes: the same"
done

cat "$tmp/disk.gz" "$tmp/disk.gz" >"$tmp/two.gz"
ok 'two files in one: check' "$ublk" check "$tmp/two.gz"
ok 'two files in one: unpack' "$ublk" unpack "$tmp/two.gz" "$tmp/two"
cat "$tmp/disk" "$tmp/disk" >"$tmp/both"
same "$tmp/both" "$tmp/two" 'two files in one: the same'

# Several programs omit the empty last block, and zcat does not miss it.
warned() {
	for verb in info check; do
		ok "$1: $verb" "$ublk" $verb "$tmp/short.gz"
		is "$(grep -c 'warning: without the empty block' "$tmp/err")" 1 \
			"$1: with one warning"
	done
	rm -f "$tmp/back"
	ok "$1: unpack" "$ublk" unpack "$tmp/short.gz" "$tmp/back"
	is "$(printf '%s\n' "$err" | wc -l)" 1 "$1: with one warning"
	same "$tmp/disk" "$tmp/back" "$1: the disk"
}
size=$(wc -c <"$tmp/disk.gz")
head -c $((size - 28)) "$tmp/disk.gz" >"$tmp/short.gz"
zcat "$tmp/short.gz" | cmp - "$tmp/disk" ||
	fail 'zcat expands it' 'or this test is wrong'
warned 'without the last block'
for behind in '\000' '\377'; do
	{
		head -c $((size - 28)) "$tmp/disk.gz"
		head -c 300000 /dev/zero | tr '\000' "$behind"
	} >"$tmp/short.gz"
	warned "with $behind behind it"
done

# refused FILE PATTERN NAME: by all verbs, with the reason.
refused() {
	for verb in info check; do
		fails 1 "$3: refused by $verb" "$ublk" $verb "$1"
		like "$err" "$2" "$3: $verb says why"
	done
	rm -f "$tmp/back"
	fails 1 "$3: refused by unpack" "$ublk" unpack "$1" "$tmp/back"
	like "$err" "$2" "$3: unpack says why"
	ok "$3: nothing is left" test ! -e "$tmp/back"
}

# A file that is cut within a block, or overwritten, is damaged.
head -c $((size - 29)) "$tmp/disk.gz" >"$tmp/x"
refused "$tmp/x" 'truncated' 'cut within the last block but one'
cp "$tmp/disk.gz" "$tmp/x"
at=$(dd if="$tmp/x" bs=1 skip=16 count=2 2>/dev/null | od -An -tu2 | tr -d ' ')
head -c 4096 /dev/zero | dd of="$tmp/x" bs=1 seek=$((at + 1)) conv=notrunc \
	2>/dev/null
refused "$tmp/x" 'not a BGZF block' 'a block overwritten with zeroes'
xz -c "$tmp/disk" >"$tmp/x"
refused "$tmp/x" ': xz; .xzcat' 'xz'
refused "$tmp/disk" 'not a compressed image' 'a raw disk'
{
	head -c 1080 /dev/zero
	printf '\123\357'
	head -c 4096 /dev/zero
} >"$tmp/x"
refused "$tmp/x" 'ext4 filesystem' 'ext4'
{ printf hsqs; head -c 4096 /dev/zero; } >"$tmp/x"
refused "$tmp/x" 'squashfs.*ublk file' 'squashfs'
: >"$tmp/x"
refused "$tmp/x" 'empty' 'an empty file'
printf '\037' >"$tmp/x"
refused "$tmp/x" 'not a compressed image' 'a single byte'
refused "$tmp" 'Is a directory' 'a directory'
refused "$tmp/nothing" 'No such file' 'no file'
mkfifo "$tmp/fifo"
refused "$tmp/fifo" 'neither a file nor a block device.*copy it' 'a pipe'
refused /dev/null 'neither a file nor a block device' 'a character device'

done_testing
