# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# needs: gzip
# board: --add tests/devices.lib --disk 16M --tool pigz --smp 2 --timeout 400
#
# Any gzip file is served as the disk that zcat makes of it: all of it, and any
# part; also on a partition with data after it, with its index in a file, and
# when the server dies. If it changes later, that is an error, and never wrong
# data.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# Text, random data, and zeroes, not aligned to sections.
{
	pattern disk 3000000
	head -c 1500000 /dev/zero
	head -c 1700000 /dev/urandom
	pattern end 2000000
	head -c 900000 /dev/zero
	echo end
} >"$tmp/disk"
size=$(wc -c <"$tmp/disk")
sectors=$(((size + 511) / 512))
head -c $((sectors * 512 - size)) /dev/zero | cat "$tmp/disk" - >"$tmp/padded"
all=$(sum "$tmp/padded")

gzip -c "$tmp/disk" >"$tmp/gzip.gz"
pigz -ic -b 64 "$tmp/disk" >"$tmp/pigz.gz"
{
	head -c 2500000 "$tmp/disk" | gzip
	gzip -c /dev/null
	tail -c +2500001 "$tmp/disk" | pigz
} >"$tmp/members.gz"

for image in gzip pigz members; do
	is "$(zcat "$tmp/$image.gz" | sum -)" "$(sum "$tmp/disk")" \
		"$image: zcat makes the disk of it"
	for how in '-q 1' '-q 2' '-q 2 --cache 0 --spacing 100K'; do
		# shellcheck disable=SC2086 # words are meant to be split
		served "$image, $how" zimg $how "$tmp/$image.gz"
		parts "$tmp/padded" "$image: parts of it, $how"
		is "$(dd if="$dev" bs=1M iflag=direct 2>/dev/null | sum -)" \
			"$all" 'all of it in large reads'
		stopped 'stop it' "$dev"
	done
done

for behind in zero urandom; do
	head -c 16777216 /dev/$behind >/dev/vda
	cat "$tmp/members.gz" >/dev/vda
	served "on a disk, $behind behind it" zimg -q 2 /dev/vda
	is "$(blockdev --getsize64 "$dev")" $((sectors * 512)) 'its size'
	is "$(sum "$dev")" "$all" 'all of it'
	stopped 'stop it' "$dev"
done

# The index in a file, by a path that is relative to another directory.
cd "$tmp" || exit 1
served 'with an index' zimg --index kept gzip.gz
is "$err" '' 'in silence'
ok 'which is a file then' test -s kept
like "$(cat "/run/ublk/$id")" "^zimg_index=$tmp/kept$" 'the record knows it'
stopped 'stop it' "$dev"
cp kept before
served 'again' zimg --index kept -q 2 gzip.gz
parts "$tmp/padded" 'parts of it, by the index of a file'
ok 'the file is as it was' cmp kept before
if [ -n "$recovers" ]; then
	kill -KILL "$(worker_of "$id")"
	is "$(sum "$dev")" "$all" 'a worker is replaced'
	ok 'upgrade it' ublk upgrade "$id"
	is "$(sum "$dev")" "$all" 'the new program has all of it'
	cd / || exit 1
	kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
	until ublk list "$id" | grep -q quiesced; do sleep 0.1; done
	ok 'recover it' ublk recover "$id"
	echo 3 >/proc/sys/vm/drop_caches
	is "$(sum "$dev")" "$all" 'and so has a new server'
fi
stopped 'stop it' "$dev"

before
# refused NAME PATTERN ARGUMENT...
refused() {
	name=$1
	pattern=$2
	shift 2
	fails 1 "$name" ublk zimg "$@"
	like "$err" "$pattern" 'the message says why'
	leaves_nothing 'and nothing is left'
}
refused 'an index of another image' 'kept: of another image' \
	--index "$tmp/kept" "$tmp/pigz.gz"
printf x | dd of="$tmp/kept" bs=1 seek=90 conv=notrunc 2>/dev/null
refused 'a damaged index' 'kept: damaged: wrong checksum' \
	--index "$tmp/kept" "$tmp/gzip.gz"
head -c 1000000 "$tmp/gzip.gz" >"$tmp/bad"
refused 'a truncated file' 'bad: truncated \(at byte 1000000' "$tmp/bad"
cp "$tmp/gzip.gz" "$tmp/bad"
printf xyz | dd of="$tmp/bad" bs=1 seek=1000000 conv=notrunc 2>/dev/null
refused 'a damaged file' 'bad: damaged' "$tmp/bad"
fails 2 'a spacing out of range' ublk zimg --spacing 1K "$tmp/gzip.gz"

# Random data is stored: if a byte changes while the disk is served, only its
# section gives an error.
cp "$tmp/gzip.gz" "$tmp/bad"
for how in '-q 1' '-q 2'; do
	dmesg -c >/dev/null
	cat "$tmp/gzip.gz" >"$tmp/bad"
	# shellcheck disable=SC2086 # words are meant to be split
	served "a file that will change, $how" zimg $how --cache 0 "$tmp/bad"
	printf xyz | dd of="$tmp/bad" bs=1 seek=1000000 conv=notrunc \
		2>/dev/null
	errors=0
	wrong=0
	for sector in $(seq 0 1000 $((sectors - 1))); do
		if sectors "$dev" "$sector" 1 >"$tmp/got" && [ -s "$tmp/got" ]
		then
			dd if="$tmp/padded" bs=512 skip="$sector" count=1 \
				2>/dev/null | cmp -s - "$tmp/got" ||
				wrong=$((wrong + 1))
		else
			errors=$((errors + 1))
		fi
	done
	is $wrong 0 'nothing wrong is read'
	like "$errors" '^[1-4]$' 'its section is an error'
	like "$(dmesg | grep -c "ublk: $tmp/bad: damaged: sectors ")" '^[12]$' \
		'told once'
	stopped 'stop it' "$dev"
done

done_testing
