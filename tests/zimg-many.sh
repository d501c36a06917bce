# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --smp 4 --mem 256M --timeout 400
#
# Many readers at the same time, of the same and of different chunks, with
# hardly any cache: nobody waits for ever, and everybody gets the right data.
# Then memory: the server with a full cache.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

{
	pattern disk 10000000
	head -c 6000000 /dev/urandom
} >"$tmp/disk"
truncate -s 16000000 "$tmp/disk"
ublk pack -l 1 "$tmp/disk" "$tmp/image"
all=$(sum "$tmp/disk")

# reader SIZE: reads all of it in pieces of that size, with direct I/O.
reader() {
	dd if="$dev" bs="$1" iflag=direct 2>/dev/null | sum -
}

for how in '-q 4 --cache 0' '-q 4 --cache 1M' '-q 2 -d 8 --cache 0' \
	'-q 1 --cache 0'; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$how" zimg $how "$tmp/image"
	for i in 1 2 3 4; do
		reader 1M >"$tmp/reader.$i" &
		reader 64k >"$tmp/reader.1$i" &
		reader 20k >"$tmp/reader.2$i" &
	done
	wait
	is "$(sort -u "$tmp"/reader.* | tr '\n' ' ')" "$all " \
		'twelve readers got the same, and the right'
	rm "$tmp"/reader.*
	for i in 1 2 3 4 5 6; do
		reader 256k >/dev/null &
	done
	ublk stop --force "$dev" >/dev/null 2>&1
	wait
	ok 'stopped while it is read, it is gone' test ! -e "$dev"
done

served 'default cache' zimg "$tmp/image"
note "resident: $(resident_of "$id") KiB before the first read"
reader 4k >/dev/null
kib=$(resident_of "$id")
note "resident: $kib KiB with the cache full"
ok 'in ten MiB' test "$kib" -le 10240
stopped 'stop it' "$dev"

done_testing
