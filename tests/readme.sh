#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The examples of README.md do what they show: each block marked `sh` runs to
# its end without an error.
#
# board: --add README.md --tool mkfs.ext4 --mem 512M
. "${0%/*}/lib.sh"

readme=${0%/*}/README.md
[ -f "$readme" ] || readme=${0%/*}/../README.md
mkdir -p /mnt

# block N: prints the Nth marked block.
block() {
	awk -v wanted="$1" '
		/^```sh$/ { inside = 1; count++; next }
		/^```$/ { inside = 0 }
		inside && count == wanted' "$readme"
}

blocks=$(grep -c '^```sh$' "$readme")
[ "$blocks" -gt 0 ] && pass "there are examples" || fail "there are examples"
number=1
while [ $number -le "$blocks" ]; do
	block $number >"$tmp/block"
	ok "example $number: $(sed 1q "$tmp/block")" sh -eux "$tmp/block"
	[ $status -eq 0 ] || seen
	number=$((number + 1))
done
is "$(ublk list)" "" "the examples stop what they serve"
done_testing
