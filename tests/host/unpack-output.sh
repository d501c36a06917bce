# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# unpack restores the disk: to a file with its holes, to standard output, to a
# device; and nothing at all from a damaged image.
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
gzip -c "$tmp/disk" >"$tmp/plain.gz"
"$ublk" index "$tmp/plain.gz" "$tmp/plain.index"
cp "$tmp/plain.index" "$tmp/index.before"
ln -s plain.index "$tmp/other.index"
fails 1 'its index' "$ublk" unpack -f --index "$tmp/plain.index" \
	"$tmp/plain.gz" "$tmp/other.index"
like "$err" 'same file' 'is not, by another name'
same "$tmp/index.before" "$tmp/plain.index" 'it is as before'
cp "$tmp/image" "$tmp/image.before"
# shellcheck disable=SC2016 # for the shell within
fails 1 'the image by standard output' sh -c '"$1" unpack "$2" - 1<>"$2"' - \
	"$ublk" "$tmp/image"
like "$err" 'same file' 'is not'
same "$tmp/image.before" "$tmp/image" 'it is as before'

# The image as standard input: a file, but no pipe.
# shellcheck disable=SC2016 # for the shell within
ok 'a file as standard input' sh -c '"$1" unpack - - <"$2" | cmp - "$3"' - \
	"$ublk" "$tmp/image" "$tmp/disk"
for verb in unpack check info index; do
	to=
	case $verb in unpack | index) to=$tmp/dir/out ;; esac
	# shellcheck disable=SC2016,SC2086 # for the shell within; words
	fails 1 "$verb: a pipe as an image" sh -c 'in=$1 ublk=$2; shift 2
		cat "$in" | "$ublk" "$@"' - "$tmp/image" "$ublk" $verb - $to
	like "$err" '^ublk: standard input: neither .*copy it to a file' 'is told'
done
is "$(ls "$tmp/dir" | tr '\n' ' ')" 'back ' 'and nothing was made'

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

# onto BYTES: a loop device of that size, full of random data, in $loop.
onto() {
	rm -f "$tmp/medium"
	pattern noise "$1" >"$tmp/medium"
	loop=$(losetup --find --show "$tmp/medium" 2>/dev/null)
}

# The device's file is the image.
if loop=$(losetup --find --show "$tmp/image" 2>/dev/null); then
	cp "$tmp/image" "$tmp/image.before"
	fails 1 'onto a loop device of the image' \
		"$ublk" unpack -f "$tmp/image" "$loop"
	like "$err" 'holds the same as the input' 'is told'
	fails 1 'into the file of a loop device' \
		"$ublk" unpack -f "$loop" "$tmp/image"
	fails 1 'as pack does' "$ublk" pack -f "$loop" "$tmp/image"
	losetup --detach "$loop"
	same "$tmp/image.before" "$tmp/image" 'it is as before'
else
	skip 'onto a loop device of the image' 'no loop device here'
fi

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
