# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --disk 16M --tool bgzip
#
# An image on a block device that is larger and has other data after the image:
# one of ours, and one of bgzip.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

{
	pattern disk 1000000
	head -c 500000 /dev/urandom
	head -c 300000 /dev/zero
	pattern end 200001
} >"$tmp/disk"
size=$(wc -c <"$tmp/disk")
ublk pack "$tmp/disk" "$tmp/ours"
bgzip -c "$tmp/disk" >"$tmp/bgzip"

for image in ours bgzip; do
	for behind in zero urandom; do
		head -c 16777216 /dev/$behind >/dev/vda
		cat "$tmp/$image" >/dev/vda
		for how in '-q 1' '-q 2 --cache 0'; do
			# shellcheck disable=SC2086 # words are meant to be split
			served "$image on a disk, $behind behind it, $how" \
				zimg $how /dev/vda
			is "$(blockdev --getsize64 "$dev")" \
				$(((size + 511) / 512 * 512)) 'its size'
			is "$(dd if="$dev" bs=1000448 iflag=direct 2>/dev/null |
				head -c "$size" | sum -)" "$(sum "$tmp/disk")" \
				'all of it'
			ok 'one sector that two chunks share' \
				sectors "$dev" 127 1
			same "$tmp/out" "$(dd if="$tmp/disk" bs=512 skip=127 \
				count=1 of="$tmp/sector" 2>/dev/null;
				echo "$tmp/sector")" 'is right'
			stopped 'stop it' "$dev"
		done
	done
done
ok 'check it there' ublk check /dev/vda
ok 'unpack it from there' ublk unpack /dev/vda "$tmp/back"
same "$tmp/disk" "$tmp/back" 'it is the same'

done_testing
