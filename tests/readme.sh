#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# needs: manual pack
#
# The examples of README.md and of the pages in docs/ work: each block marked
# `sh` runs without an error, those of a page one after the other in one
# directory. The pages also describe every option of a verb, word of the kernel
# command line, state of a device and key of a record.
#
# board: --add README.md --add docs --tool mkfs.ext4 --mem 512M
. "${0%/*}/lib.sh"

tree=${0%/*}
[ -f "$tree/README.md" ] || tree=${0%/*}/..
tree=$(cd "$tree" && pwd)
mkdir -p /mnt

# block PAGE N: prints its Nth marked block.
block() {
	awk -v wanted="$2" '
		/^```sh$/ { inside = 1; count++; next }
		/^```$/ { inside = 0 }
		inside && count == wanted' "$1"
}

# examples PAGE: a check for each of its blocks.
examples() {
	title=${1#"$tree"/}
	blocks=$(grep -c '^```sh$' "$1")
	number=1
	mkdir "$tmp/page"
	cd "$tmp/page" || exit
	while [ $number -le "$blocks" ]; do
		block "$1" $number >"$tmp/block"
		ok "$title, example $number: $(sed 1q "$tmp/block")" \
			sh -eux "$tmp/block"
		[ $status -eq 0 ] || seen
		number=$((number + 1))
	done
	cd "$tmp" || exit
	rm -rf "$tmp/page"
}

count=0
for page in "$tree/README.md" "$tree"/docs/*.md; do
	examples "$page"
	count=$((count + blocks))
done
[ $count -ge 10 ] && pass "there are examples ($count)" ||
	fail "there are examples" "$count"
is "$(ublk list)" "" "the examples stop what they serve"

# explained PAGE NAME WORD...: the page has each of them.
explained() {
	page=docs/$1.md name=$2 missing=''
	shift 2
	for word; do
		grep -qF -e "$word" "$tree/$page" || missing="$missing $word"
	done
	[ $# -gt 0 ] || missing=everything
	is "$missing" "" "$page has $name ($#)"
}

# options PAGE VERB...: the page has all options of each verb.
options() {
	on=$1
	shift
	for verb; do
		# shellcheck disable=SC2046 # words are meant to be split
		explained "$on" "the options of $verb" \
			$(ublk help $verb | grep -oE -- '--[a-z][a-z-]+' | sort -u)
	done
}
options devices ram file zimg null list stat stop recover upgrade bench
options images pack unpack check info index
# shellcheck disable=SC2046 # words are meant to be split
explained boot "the words of the kernel command line" \
	$(ublk help init | grep -oE 'ublk\.[a-z-]+=' | sort -u)
names=''
for state in $(ublk help list | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p'); do
	names="$names \`$state\`"
done
# shellcheck disable=SC2086 # words are meant to be split
explained devices "the states of a device" $names

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
explained devices "the keys of a record" $names
done_testing
