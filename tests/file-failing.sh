# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool dmsetup --tool fio --tool mkfs.ext4
# board: --tool dd --tool grep --tool blkdiscard --disk 2M --disk 16M
# board: --timeout 300
# kernel: tests
#
# Bad sectors of the file: requests for them fail, each one once, and all others
# succeed. Once the sectors are repaired, these succeed, too, with the same
# server. Requests are counted with direct I/O, one at a time, so that nothing
# merges them.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

mkdir "$tmp/mnt"
at_exit 'dmsetup remove --force below 2>/dev/null'
at_exit 'umount "$tmp/mnt" 2>/dev/null'
at_exit 'stop_started'

# piece FIRST COUNT TARGET [ARGUMENT]: prints a line of the table of $below.
piece() {
	if [ "$2" -eq 0 ]; then return
	elif [ "$3" = error ]; then echo "$1 $2 error"
	else echo "$1 $2 $3 $disk $1 ${4:-}"
	fi
}

# becomes [FIRST COUNT TARGET [ARGUMENT]]: maps these sectors of $below to this
# target of the device mapper from now on, and drops caches.
becomes() {
	behind=$((${1:-0} + ${2:-0}))
	{
		piece 0 "${1:-0}" linear
		[ $# -eq 0 ] || piece "$@"
		piece $behind $((size - behind)) linear
	} >"$tmp/table"
	dmsetup reload below "$tmp/table" && dmsetup resume --nolockfs below ||
		fail "the device below becomes what it should"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	blockdev --flushbufs "$below"
}

# lay DISK: creates $below, a device of the device mapper, over DISK.
lay() {
	dmsetup remove below 2>/dev/null
	disk=$1
	size=$(blockdev --getsz "$disk")
	piece 0 "$size" linear | dmsetup create --noudevsync below
	below=/dev/dm-$(dmsetup info -c --noheadings -o minor below)
	[ -b "$below" ] || fail "there is a device below"
}

# over FILE DATA FIRST COUNT: copies these sectors of DATA to FILE.
over() {
	dd if="$2" of="$1" bs=512 skip="$3" seek="$3" count="$4" conv=notrunc \
		2>/dev/null
}

# put_at FIRST COUNT OPTION...: writes these sectors of $tmp/new in one request.
put_at() {
	at=$(($1 / $2))
	bytes=$(($2 * 512))
	shift 2
	dd if="$tmp/new" of="$dev" bs=$bytes count=1 skip=$at seek=$at "$@"
}
flush() {
	dd if=/dev/null of="$dev" conv=notrunc,fsync
}

# reads COUNT: reads the disk, COUNT sectors at once. It has the contents of
# $tmp/data, except for $count sectors from $first on: requests with any of
# these fail.
reads() {
	had=$(answered "$dev" 1)
	dd if="$dev" of="$tmp/got" bs=$(($1 * 512)) count=$((sectors / $1)) \
		iflag=direct conv=noerror,sync 2>"$tmp/dd"
	from=$((first / $1 * $1))
	till=$(((first + count + $1 - 1) / $1 * $1))
	cp "$tmp/data" "$tmp/image"
	# The reader's memory for a failed request is ignored: without a copy,
	# part of the data may be there.
	over "$tmp/image" /dev/zero $from $((till - from))
	over "$tmp/got" /dev/zero $from $((till - from))
	same "$tmp/got" "$tmp/image" \
		"by $1: just what fails cannot be read, all else can"
	is "$(grep -c "error reading .*$io_error" "$tmp/dd")" \
		$(((till - from) / $1)) "there is one error for each"
	is $(($(answered "$dev" 1) - had)) $((sectors / $1)) \
		"and one request for each"
}

# writes FIRST COUNT: writes these sectors, $unit at once, with FUA. $failed
# lists the sectors and errors of the failed requests.
writes() {
	failed=''
	sector=$1
	while [ $sector -lt $(($1 + $2)) ]; do
		put_at $sector $unit oflag=direct,dsync conv=notrunc \
			2>"$tmp/dd" ||
			failed="$failed $sector$(sed -n 's/.*\(: .*\)/\1/p' \
				"$tmp/dd")"
		sector=$((sector + unit))
	done
}

# all_was_served: by a single server, which ends now.
all_was_served() {
	same_server "the server has been live through all that"
	silent "and said nothing"
	stopped "stop it" "$dev"
}

io_error='Input/output error'
sectors=1024
pattern old $((sectors * 512)) >"$tmp/old"
pattern new $((sectors * 512)) >"$tmp/new"

# failing FILE ORIGIN OPTION...: the disk is in FILE, which starts at sector
# ORIGIN of $below. With the page cache, whole pages of it fail.
failing() {
	file=$1
	origin=$2
	shift 2
	unit=1 first=411 count=5
	case "$*" in *--buffered*) unit=8 first=408 count=16 ;; esac
	cp "$tmp/old" "$tmp/data"
	over "$file" "$tmp/old" 0 $sectors
	becomes

	served "$file, $*" file "$file" --size $((sectors * 512)) "$@"
	watch_server
	same "$dev" "$tmp/data" "all can be read"
	becomes $((origin + first)) $count error
	reads 1
	reads 128
	had=$(answered "$dev" 5)
	writes $((first - 2 * unit)) $((count + 4 * unit))
	wanted=''
	sector=$first
	while [ $sector -lt $((first + count)) ]; do
		wanted="$wanted $sector: $io_error"
		sector=$((sector + unit))
	done
	is "$failed" "$wanted" "just what fails cannot be written"
	# After a write that succeeds, O_DSYNC causes a flush, which counts as
	# well.
	is $(($(answered "$dev" 5) - had)) $((count / unit + 4 + 4)) \
		"with one request for each"
	over "$tmp/data" "$tmp/new" $((first - 2 * unit)) $((2 * unit))
	over "$tmp/data" "$tmp/new" $((first + count)) $((2 * unit))
	becomes $((origin + first)) $count error
	reads 8

	becomes
	same "$dev" "$tmp/data" "mended, all can be read"
	writes $first $count
	is "$failed" "" "and written"
	over "$tmp/data" "$tmp/new" $first $count
	same "$dev" "$tmp/data" "and is there"

	becomes $((origin + first)) $count error
	fails 1 "fsync tells of what is not written" \
		put_at 384 128 conv=notrunc,fsync
	like "$err" "fsync failed.*$io_error" "as an I/O error"
	ok "once" flush
	ok "what is written elsewhere can be flushed" \
		put_at 640 128 conv=notrunc,fsync
	becomes
	ok "mended, it can be written" put_at 384 128 conv=notrunc,fsync
	over "$tmp/data" "$tmp/new" 384 128
	over "$tmp/data" "$tmp/new" 640 128
	becomes
	same "$dev" "$tmp/data" "and is there"
	all_was_served
	becomes
	dd if="$file" of="$tmp/got" bs=512 count=$sectors 2>/dev/null
	same "$tmp/got" "$tmp/data" "and it is all in the backing"
}

# If flushing a cache fails, the FLUSHes fail, and nothing else.
flushing() {
	over "$below" "$tmp/old" 0 $sectors
	becomes
	served "a device that cannot be flushed, $*" file "$below" \
		--size $((sectors * 512)) "$@"
	watch_server
	# After the disk, so that nothing is written there.
	becomes 4000 8 flakey '0 1000000 1 error_writes'
	had=$(answered "$dev" 16)
	ok "it is written" put_at 128 128 oflag=direct conv=notrunc
	for n in first second; do
		fails 1 "the $n fsync fails" flush
		like "$err" "fsync failed.*$io_error" "with an I/O error"
	done
	is $(($(answered "$dev" 16) - had)) 2 "one FLUSH for each"
	cp "$tmp/old" "$tmp/data"
	over "$tmp/data" "$tmp/new" 128 128
	same "$dev" "$tmp/data" "all can be read"
	becomes
	ok "mended, it can be flushed" flush
	same "$dev" "$tmp/data" "and all is there"
	all_was_served
}

# Load on bad sectors, together with load on good ones.
busy() {
	served "a device under load, $*" file "$below" \
		--size $((sectors * 512)) "$@"
	watch_server
	becomes 400 16 error
	fio --direct=1 --ioengine=libaio --filename="$dev" --thread --bs=4k \
		--continue_on_error=all --output-format=json \
		--name=bad --rw=randread --offset=204800 --size=8192 \
		--iodepth=4 --loops=32 --norandommap --cpus_allowed=0,1 \
		--name=one --rw=randwrite --size=128k --loops=4 \
		--iodepth=16 --verify=crc32c --cpus_allowed=0 \
		--name=two --rw=randwrite --offset=256k --size=128k --loops=4 \
		--iodepth=16 --verify=crc32c --cpus_allowed=1 \
		>"$tmp/fio" 2>&1
	tried=$(sed -n 's/.*"total_ios" : \([0-9]*\).*/\1/p' "$tmp/fio" |
		head -n 1)
	is "$(sed -n 's/.*"total_err" : \([0-9]*\).*/\1/p' "$tmp/fio" |
		paste -s -d ' ')" "$tried 0 0" \
		"every request for what fails does, and no other"
	ok "and there were some" [ "$tried" -gt 0 ]
	all_was_served
}

# Sectors whose first write fails, or that fail until they are written, like
# those of a real disk: a retry would hide the error.
remapped() {
	over "$below" "$tmp/old" 0 $sectors
	becomes 0 $sectors dust 512
	dmsetup message below 0 quiet
	for sector in 100 208; do
		dmsetup message below 0 addbadblock $sector
	done
	for sector in 300 407 408; do
		dmsetup message below 0 addbadblock $sector 1
	done
	dmsetup message below 0 enable
	served "a device with bad sectors" file "$below" \
		--size $((sectors * 512))
	watch_server
	for sector in 100 208 407; do
		[ -z "$(sectors "$dev" $sector 1)" ] ||
			fail "a bad sector cannot be read" "$sector was"
	done
	unit=1
	writes 300 1
	is "$failed" " 300: $io_error" "a write fails once"
	writes 300 1
	is "$failed" "" "and no more"
	writes 406 4
	is "$failed" " 407: $io_error 408: $io_error" "and each for itself"
	writes 100 1
	writes 208 1
	writes 407 2
	is "$failed" "" "all are written then"
	cp "$tmp/old" "$tmp/data"
	for sector in 100 208 300 406 407 408 409; do
		over "$tmp/data" "$tmp/new" $sector 1
	done
	same "$dev" "$tmp/data" "and all can be read"
	all_was_served
}

lay /dev/vda
failing "$below" 0 -q 1
failing "$below" 0 -q 2 --buffered
flushing -q 2
becomes
flushing --buffered
becomes
busy -q 2
becomes
remapped
becomes

# The first sectors fail at the start, which does not matter for serving. After
# a failed discard, the data may be there or not.
over "$below" "$tmp/old" 0 $sectors
becomes 0 5 error
served "a device whose first sectors fail" file "$below" \
	--size $((sectors * 512))
watch_server
cp "$tmp/old" "$tmp/data"
first=0 count=5
reads 1
if linux_since 6 12; then
	fails 1 "a discard of them fails" blkdiscard -f -o 0 -l 65536 "$dev"
	like "$err" "$io_error" "with an I/O error"
	ok "another one does not" blkdiscard -f -o 262144 -l 65536 "$dev"
	over "$tmp/data" /dev/zero 512 128
else
	skip "discards" "Linux 6.1 knows none where some sectors have no device"
fi
all_was_served
becomes
dd if="$below" of="$tmp/got" bs=512 skip=128 count=$((sectors - 128)) 2>/dev/null
tail -c +65537 "$tmp/data" >"$tmp/image"
same "$tmp/got" "$tmp/image" "and nothing else was discarded"

# An image: the chunk with the sector fails, and works after the repair.
head -c 400000 /dev/urandom >"$tmp/disk"
truncate -s 400384 "$tmp/disk"
ublk pack -c 60K "$tmp/disk" "$tmp/image.gz"
dd if="$tmp/image.gz" of="$below" bs=64k conv=notrunc,fsync 2>/dev/null
becomes
served "an image" zimg "$below" -q 2 --cache 128K
watch_server
# Within chunk 5: a header of 66 bytes, and 61471 bytes per chunk.
becomes 658 1 error
cp "$tmp/disk" "$tmp/data"
over "$tmp/data" /dev/zero 600 120
for n in first second; do
	dd if="$dev" of="$tmp/got" bs=512 iflag=direct conv=noerror,sync \
		2>"$tmp/dd"
	same "$tmp/got" "$tmp/data" \
		"the $n time, just the chunk that fails cannot be read"
	is "$(grep -c "error reading .*$io_error" "$tmp/dd")" 120 \
		"there is one error for each sector"
done
like "$(said)" "sectors 600-719: chunk 5 .*I/O error" "a message tells of it"
is "$(said | wc -l)" 1 "once"
same_server "the server has been live through all that"
becomes
same "$dev" "$tmp/disk" "mended, all can be read"
stopped "stop it" "$dev"

# A file: its data fail, but not the metadata of the filesystem.
lay /dev/vdb
mkfs.ext4 -q "$below"
mount "$below" "$tmp/mnt"
cp "$tmp/old" "$tmp/mnt/file"
sync
# place SECTOR: prints where on $below this sector of the file is.
place() {
	grep -abo "old sector $(printf %012d "$1") " "$below" |
		awk -F : '{ print $1 / 512 }'
}
origin=$(place 0)
is "$(place 411) $(place 1023)" "$((origin + 411)) $((origin + 1023))" \
	"the file is in one piece"
failing "$tmp/mnt/file" "$origin" -q 2
umount "$tmp/mnt"

done_testing
