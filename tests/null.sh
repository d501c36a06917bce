# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool blkdiscard
#
# A null disk accepts everything at once, reads as zeroes, and shows nobody the
# data of another.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

zeroes=$(head -c 1048576 /dev/zero | sum -)
pattern null 1048576 >"$tmp/data"
for options in "-q 1" "-q 2" "-d 1" "--block-size 4096"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "null $options" null 1M $options
	is "$(read_back "$dev" 1048576 | sum -)" "$zeroes" "reads as zeroes"
	ok "takes what is written" put "$dev" 0 <"$tmp/data"
	is "$(read_back "$dev" 1048576 | sum -)" "$zeroes" "and forgets it"
	is "$(dd if="$dev" bs=1M iflag=direct 2>/dev/null | sum -)" "$zeroes" \
		"also past the cache"
	ok "takes a discard" blkdiscard "$dev"
	ok "takes zeroes" blkdiscard -z "$dev"
	stopped "stop it" "$dev"
done

served "a disk of 8 EiB less a page" null $((0x7ffffffffffff000))
is "$(blockdev --getsize64 "$dev")" 9223372036854771712 "has that size"
stopped "stop it" "$dev"
served "null --read-only" null 1M -r
is "$(blockdev --getro "$dev")" 1 "is read only"
stopped "stop it" "$dev"

done_testing
