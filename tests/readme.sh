#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The examples of README.md do what they show: each block marked `sh` runs to
# its end without an error. And it leaves out no option of what serves, word of the
# kernel command line, state of a device or key of a record.
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

# explained NAME WORD...: README has each of them.
explained() {
	name=$1 missing=''
	shift
	for word; do
		grep -qF -e "$word" "$readme" || missing="$missing $word"
	done
	[ $# -gt 0 ] || missing=everything
	is "$missing" "" "README has $name ($#)"
}
for verb in ram file zimg null stop recover upgrade pack unpack; do
	# shellcheck disable=SC2046 # words are meant to be split
	explained "the options of $verb" \
		$(ublk help $verb | grep -oE -- '--[a-z][a-z-]+' | sort -u)
done
# shellcheck disable=SC2046
explained "the words of the kernel command line" \
	$(ublk help init | grep -oE 'ublk\.[a-z-]+=' | sort -u)
names=''
for state in $(ublk help list | tr '\n' ' ' |
	sed 's/.*State is //; s/([^)]*)//g; s/ or//; s/\..*//; s/,//g'); do
	names="$names \`$state\`"
done
# shellcheck disable=SC2086 # words are meant to be split
explained "the states of a device" $names

truncate -s 1M "$tmp/disk"
dev=$(ublk file "$tmp/disk" --cow "$tmp/written")
keys=$(sed 's/=.*//' "/run/ublk/${dev#/dev/ublkb}")
ublk stop "$dev"
names=''
for key in $keys; do
	option=$(echo "${key#file_}" | tr _ -)
	case $key in
	node | target | argument | size | pid | started | worker | \
		worker_started | identity_* | unfinished) names="$names \`$key\`" ;;
	*) names="$names --$option" ;;
	esac
done
# shellcheck disable=SC2086
explained "the keys of a record" $names
done_testing
