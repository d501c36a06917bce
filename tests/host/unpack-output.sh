# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# unpack gives back the disk: into a file with its holes, to standard output,
# onto a device; and nothing at all from a damaged image.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}
mkdir "$tmp/dir"

pattern disk 500000 >"$tmp/disk"
truncate -s 5000000 "$tmp/disk"
pattern end 100001 >>"$tmp/disk"
ok 'an image' "$ublk" pack "$tmp/disk" "$tmp/image"

for jobs in 1 2 7; do
	rm -f "$tmp/dir/back"
	ok "$jobs jobs" "$ublk" unpack -j $jobs "$tmp/image" "$tmp/dir/back"
	same "$tmp/disk" "$tmp/dir/back" "$jobs jobs: the same"
done
like "$(du -k "$tmp/dir/back")" '^[0-9]{1,3}[^0-9]' 'its holes are holes'
fails 1 'a file that exists' "$ublk" unpack "$tmp/image" "$tmp/dir/back"
like "$err" 'exists.*--force' 'is not replaced'
ok 'but with --force' "$ublk" unpack --force "$tmp/image" "$tmp/dir/back"
fails 1 'the image itself' "$ublk" unpack -f "$tmp/image" "$tmp/image"
like "$err" 'same file' 'is not'
ok 'to standard output' sh -c '"$1" unpack "$2" - | cmp - "$3"' - \
	"$ublk" "$tmp/image" "$tmp/disk"
ok 'to a character device' "$ublk" unpack "$tmp/image" /dev/null
fails 1 'to a full one' "$ublk" unpack "$tmp/image" /dev/full
like "$err" 'No space left' 'it says why'
fails 1 'into a directory' "$ublk" unpack "$tmp/image" "$tmp/dir"
rm "$tmp/dir/back"

cp "$tmp/image" "$tmp/bad"
printf x | dd of="$tmp/bad" bs=1 seek=150 conv=notrunc 2>/dev/null
fails 1 'a damaged image' "$ublk" unpack "$tmp/bad" "$tmp/dir/back"
like "$err" 'bad: damaged: sectors 0-119: chunk 0 at byte 66: ' 'is told where'
is "$(ls "$tmp/dir")" '' 'and no file is left'
head -c 4000 "$tmp/image" >"$tmp/bad"
fails 1 'a truncated image' "$ublk" unpack "$tmp/bad" "$tmp/dir/back"
like "$err" 'truncated: 4000 bytes of' 'is told'
is "$(ls "$tmp/dir")" '' 'and no file is left'
mkdir "$tmp/small"
if mount -t tmpfs -o size=64k none "$tmp/small" 2>/dev/null; then
	at_exit 'umount "$tmp/small"'
	fails 1 'no space' "$ublk" unpack "$tmp/image" "$tmp/small/back"
	like "$err" 'back: No space left' 'is told'
	is "$(ls "$tmp/small")" '' 'and nothing is left'
else
	skip 'no space' 'cannot mount'
fi

# onto BYTES: a loop device of that size, full of noise, in $loop.
onto() {
	rm -f "$tmp/medium"
	pattern noise "$1" >"$tmp/medium"
	loop=$(losetup --find --show "$tmp/medium" 2>/dev/null)
}

if onto 6000128; then
	at_exit 'losetup --detach "$loop" 2>/dev/null'
	ok 'onto a device' "$ublk" unpack "$tmp/image" "$loop"
	ok 'the disk is there' cmp -n 5100001 "$tmp/disk" "$loop"
	pattern noise 6000128 >"$tmp/noise"
	ok 'and what lies behind it is as before' \
		cmp -i 5100001 "$tmp/noise" "$loop"
	losetup --detach "$loop"
	onto 4000256
	fails 1 'onto one that is too small' "$ublk" unpack "$tmp/image" "$loop"
	like "$err" 'too small: the disk has 5100001 bytes' 'it says so'
else
	skip 'onto a device' 'no loop device here'
fi

done_testing
