# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# needs: manual pack
#
# Help for every verb, the version, and the features of the driver.
. "${0%/*}/lib.sh"

fails 2 "without a verb" ublk
like "$err" "^usage: ublk VERB" "the usage is shown"
is "$out" "" "on standard error"
overview=$err
for asked in help --help -h; do
	ok "$asked" ublk $asked
	is "$out" "$overview" "is the same, on standard output"
	is "$err" "" "only"
done
verbs=$(sed -n 's/^  \([a-z]*\) .*/\1/p' "$tmp/out")
for verb in ram file zimg null list stat stop features bench pack unpack info check \
	index init; do
	like "$verbs" "^$verb\$" "help lists $verb"
done
for verb in $verbs; do
	[ "$verb" != help ] || continue
	ok "help $verb" ublk help "$verb"
	like "$out" "^usage: ublk $verb" "begins with its usage"
	is "$err" "" "on standard output only"
	is "$(awk 'length($0) > 80' "$tmp/out")" "" "fits a terminal"
	said=$out
	ok "$verb --help" ublk "$verb" --help
	is "$out" "$said" "is the same"
	ok "$verb -h" ublk "$verb" -h
done
for option in --id --queues --depth --read-only --foreground --max-io \
	--block-size
do
	like "$(ublk help ram)" "^  .*$option " "help ram explains $option"
	like "$(ublk help file)" "^  .*$option " "help file explains $option"
done
for option in --buffered --offset --size; do
	like "$(ublk help file)" "^  .*$option " "help file explains $option"
done
like "$(ublk help list)" "^  .*--json " "help list explains --json"
like "$(ublk help stop)" "^  .*--all " "help stop explains --all"
like "$(ublk help stop)" "^  .*--force " "help stop explains --force"
fails 2 "help for what is no verb" ublk help rom
like "$err" "^ublk: rom: unknown verb" "says so"

ok "--version" ublk --version
like "$out" '^ublk [0-9]+\.[0-9]+[^ ]*$' "is the name and a number"
for command in "help" "help ram" "--version" "features"; do
	fails 1 "ublk $command to a full disk" sh -c "ublk $command >/dev/full"
	like "$err" "standard output: No space left" "says so"
done

ok "features" ublk features
is "$(grep -cvE '^[A-Z_]+ +(yes( used)?|no)$|^bit [0-9]+ +yes$' "$tmp/out")" 0 \
	"is a line each, yes or no, and used"
encode=CMD_IOCTL_ENCODE
linux_since 6 4 || encode=''
for feature in URING_CMD_COMP_IN_TASK NEED_GET_DATA $encode; do
	like "$out" "^$feature +yes( used)?\$" \
		"every driver of these days has $feature"
done
like "$out" "^NEED_GET_DATA +yes used\$" "what disks ask for is used"
like "$out" "^URING_CMD_COMP_IN_TASK +yes\$" "what none asks for is not"
is "$(echo "$out" | grep '^SAFE_STOP_DEV .*yes$')" "" \
	"what only stop asks for is used as well"
is "$(sed 's/ .*//' "$tmp/out" | grep -v '^bit$' | sort | uniq -d)" "" \
	"none is there twice"

done_testing
