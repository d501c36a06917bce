# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: mandoc
#
# The manual page is what docs/make-manual makes of the help of this program,
# mandoc accepts it, and it has every verb, option and boot word.
. "${0%/*}/../lib.sh"

page=docs/ublk.8

ok "the page is made" docs/make-manual ./ublk
is "$(diff "$page" "$tmp/out" | head -n 20)" "" \
	"and is the one in docs/ (else: make manual)"
for awk in mawk gawk 'busybox awk'; do
	command -v "${awk%% *}" >/dev/null || continue
	mkdir -p "$tmp/bin"
	# shellcheck disable=SC2016 # for the script
	printf '#!/bin/sh\nexec %s "$@"\n' "$awk" >"$tmp/bin/awk"
	chmod +x "$tmp/bin/awk"
	ok "made with $awk" env PATH="$tmp/bin:$PATH" docs/make-manual ./ublk
	same "$tmp/out" "$page" "it is the same"
done

# Which pages are installed here does not matter.
found=$(mandoc -T lint -W style "$page" 2>/dev/null |
	grep -v 'referenced manual not found')
is "$found" "" "mandoc finds nothing wrong"

ok "it is formatted" mandoc -T ascii -O width=100 "$page"
sed "s/.$(printf '\b')//g" "$tmp/out" >"$tmp/text"

# section HEADING: prints its lines, up to the next section.
section() {
	awk -v heading="$1" '
		/^ ? ? ?[^ ]/ { inside = 0 }
		{ text = $0; sub(/^ */, "", text) }
		/^ ? ? ?[^ ]/ && text == heading { inside = 1 }
		inside' "$tmp/text"
}

# options VERB: prints the options of the help as the page has them. Those of
# every device belong to the verb "every".
options() {
	case $1 in
	every) ./ublk help ram | sed '1,/^Options of every/d' ;;
	*) ./ublk help "$1" | sed '/^Options of every/,$d' ;;
	esac | sed -n 's/^  \(-[a-z],\)* *\(--[^ ]*\( [^ ]\{1,\}\)\{0,1\}\) .*/\1 \2/p' |
	sed 's/^ //'
}

# has_options VERB SECTION: each of them is an item of the section.
has_options() {
	section "$2" >"$tmp/section"
	options "$1" >"$tmp/options"
	# The text about a short option follows on its line.
	missing=$(awk '
		NR == FNR { sub(/^ */, ""); sub(/  .*/, ""); have[$0] = 1; next }
		!($0 in have)' "$tmp/section" "$tmp/options")
	is "$missing" "" "all $(wc -l <"$tmp/options") options of $1"
}

verbs=$(./ublk help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx help)
is "$(echo "$verbs" | wc -l)" 17 "the number of verbs"
section SYNOPSIS >"$tmp/synopsis"
for verb in $verbs; do
	like "$(cat "$tmp/synopsis")" "^ +ublk $verb( |\$)" "$verb is in the synopsis"
	section "ublk $verb" >"$tmp/section"
	usage=$(./ublk help "$verb" | sed -n '1s/^usage: //p')
	is "$(sed -n '2s/^ *//p' "$tmp/section")" "$usage" "and has its usage"
	has_options "$verb" "ublk $verb"
done
has_options every "Options of every device"
[ "$(wc -l <"$tmp/options")" -ge 9 ] && pass "which are many" ||
	fail "which are many" "$(cat "$tmp/options")"

section 'BOOT LINE' >"$tmp/section"
words=$(sed -n '/^} words\[\]/,/^};/s/^	{ "\([a-z-]*\)", .*/\1/p' initramfs/cmdline.c)
is "$(echo "$words" | wc -l)" 10 "the number of boot words"
for word in $words; do
	like "$(cat "$tmp/section")" "^ +ublk\.$word=( |\$)" "ublk.$word="
done
for state in live starting dead quiesced fail-io gone; do
	section 'ublk list' >"$tmp/section"
	like "$(cat "$tmp/section")" "^ +$state( |\$)" "the state $state"
done

# help_of SED-SCRIPT: a program with another help.
help_of() {
	cat >"$tmp/ublk" <<-SCRIPT
		#!/bin/sh
		./ublk "\$@" | sed '$1'
	SCRIPT
	chmod +x "$tmp/ublk"
}
help_of 's/disk in memory/disk in RAM/'
ok "made of a help that has changed" docs/make-manual "$tmp/ublk"
if cmp -s "$tmp/out" "$page"; then
	fail "it is another page"
else
	pass "it is another page"
fi
help_of 's/^  -n, --id N  */  -n, --id N /'
fails 1 "options that stand elsewhere" docs/make-manual "$tmp/ublk"
like "$err" 'make-manual: not an option:   -n, --id N' "are named"
help_of 's/^usage: /Usage: /'
fails 1 "no usage" docs/make-manual "$tmp/ublk"
like "$err" 'make-manual: not a usage: Usage:' "is told"
fails 1 "no program" docs/make-manual "$tmp/none"
like "$err" "none: not there" "is told"

done_testing
