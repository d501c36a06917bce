# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib
#
# A disk of any number of bytes is extended to whole sectors with zeroes.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

pattern disk 70000 >"$tmp/disk"
for size in 1 511 512 513 61439 61440 61441; do
	head -c $size "$tmp/disk" >"$tmp/small"
	ublk pack --force "$tmp/small" "$tmp/image"
	served "a disk of $size bytes" zimg "$tmp/image"
	is "$(blockdev --getsize64 "$dev")" $(((size + 511) / 512 * 512)) \
		'fills its sectors'
	is "$(head -c $size "$dev" | sum -)" "$(sum "$tmp/small")" 'with this'
	is "$(tail -c +$((size + 1)) "$dev" | tr -d '\0' | wc -c)" 0 \
		'and zeroes behind it'
	stopped 'stop it' "$dev"
done

done_testing
