# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: gzip pigz tabix busybox-static p7zip-full python3
#
# Every gzip program expands our images to the disk, byte for byte and without a
# message: with sizes around a chunk, and for a disk that is mostly a hole.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}

with_python() {
	python3 -c 'import gzip, shutil, sys
shutil.copyfileobj(gzip.open(sys.argv[1]), sys.stdout.buffer, 1 << 20)' "$1"
}

# expands NAME COMMAND...: the command prints the disk, and nothing else.
expands() {
	name=$1
	shift
	if "$@" 2>"$tmp/err" | cmp "$disk" - >"$tmp/cmp" 2>&1 &&
	   [ ! -s "$tmp/err" ]; then
		pass "$name"
	else
		fail "$name" "$(cat "$tmp/err" "$tmp/cmp")"
	fi
}

# all_expand IMAGE NAME: the tools that are tried with every image.
all_expand() {
	image=$1
	what=$2
	ok "$what: gzip -t" gzip -t "$image"
	expands "$what: gzip" gzip -dc "$image"
	expands "$what: Python" with_python "$image"
	ok "$what: bgzip -t" bgzip -t "$image"
	expands "$what: bgzip" bgzip -dc "$image"
}

# make_disk BYTES: text, random data and zeroes in turn, always the same.
make_disk() {
	{
		pattern disk 50000
		head -c 70000 /dev/zero
		head -c 90000 "$tmp/noise"
		pattern again 130000
		cat "$tmp/noise"
	} 2>/dev/null | head -c "$1"
}

# Incompressible data, always the same.
python3 -c 'import random, sys
random.seed(5)
sys.stdout.buffer.write(random.randbytes(800000))' >"$tmp/noise"

disk=$tmp/disk
for size in 0 1 61439 61440 61441 1000003; do
	make_disk $size >"$tmp/disk"
	rm -f "$tmp/disk.gz"
	ok "$size bytes: pack" "$ublk" pack "$tmp/disk" "$tmp/disk.gz"
	is "$(wc -c <"$tmp/disk")" $size "$size bytes: they are that many"
	all_expand "$tmp/disk.gz" "$size bytes"
	expands "$size bytes: bgzip with threads" \
		bgzip -dc -@ 2 "$tmp/disk.gz"
	expands "$size bytes: pigz" pigz -dc "$tmp/disk.gz"
	ok "$size bytes: pigz -t" pigz -t "$tmp/disk.gz"
	expands "$size bytes: BusyBox" busybox gzip -dc "$tmp/disk.gz"
	ok "$size bytes: BusyBox, -t" busybox gzip -t "$tmp/disk.gz"
	expands "$size bytes: 7-Zip" 7z x -so "$tmp/disk.gz"
	expands "$size bytes: unpack" "$ublk" unpack "$tmp/disk.gz" -
done

for chunk in 4K 64K 1M; do
	ok "chunks of $chunk: pack" \
		"$ublk" pack -f --chunk $chunk "$tmp/disk" "$tmp/disk.gz"
	all_expand "$tmp/disk.gz" "chunks of $chunk"
	expands "chunks of $chunk: BusyBox" busybox gzip -dc "$tmp/disk.gz"
	expands "chunks of $chunk: unpack" "$ublk" unpack "$tmp/disk.gz" -
done

# A disk of 3 GiB with little data, whose index has many pages.
truncate -s 3G "$tmp/sparse"
pattern start 100000 | dd of="$tmp/sparse" conv=notrunc 2>/dev/null
pattern end 5000 | dd of="$tmp/sparse" conv=notrunc bs=1M seek=3071 2>/dev/null
disk=$tmp/sparse
ok "3 GiB, sparse: pack" "$ublk" pack -f "$tmp/sparse" "$tmp/disk.gz"
expands "3 GiB, sparse: gzip" gzip -dc "$tmp/disk.gz"
expands "3 GiB, sparse: Python" with_python "$tmp/disk.gz"
expands "3 GiB, sparse: bgzip" bgzip -dc "$tmp/disk.gz"
ok "3 GiB, sparse: unpack" "$ublk" unpack "$tmp/disk.gz" "$tmp/back"
same "$tmp/sparse" "$tmp/back" "3 GiB, sparse: the same"
like "$(du -k "$tmp/back")" '^[0-9]{1,3}[^0-9]' \
	"3 GiB, sparse: and as sparse as before"

done_testing
