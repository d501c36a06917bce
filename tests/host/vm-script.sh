# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tests/vm behaves as if the script had run here: status, output, input, files.
. "${0%/*}/../lib.sh"

run tests/vm - <<'SCRIPT'
echo to stdout
echo to stderr >&2
exit 7
SCRIPT
is "$status" 7 "exit status is the script's"
is "$out" "to stdout" "stdout is stdout, and nothing else"
is "$err" "to stderr" "stderr is stderr, and nothing else"

cat >"$tmp/many.sh" <<'SCRIPT'
#!/bin/sh
is() { [ "$2" = "$3" ] || echo "$1: $2 instead of $3"; }
is name "$0" /add/many.sh
is user "$(id -u)" 0
is folder "$PWD" /tmp
is input "$(wc -c)" 0
is file "$(cat /add/file)" 'some text'
is folder "$(cat /add/folder/deep/file)" 'some text'
is processors "$(nproc)" 3
grep -q ' some.words=1 and=2' /proc/cmdline || echo no words appended
for mounted in /proc /sys /dev /dev/pts /dev/shm /run /tmp; do
	grep -q " $mounted " /proc/mounts || echo "$mounted is not mounted"
done
kib=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
[ "$kib" -gt 70000 ] && [ "$kib" -lt 98304 ] || echo "memory: $kib KiB"
echo text >/dev/stdout
echo text >/dev/stderr
echo message >/dev/kmsg
SCRIPT
echo some text >"$tmp/file"
mkdir -p "$tmp/folder/deep"
ln -s "$tmp/file" "$tmp/folder/deep/file"
run tests/vm --add "$tmp/file" --add "$tmp/folder" --mem 96M --smp 3 \
	--append some.words=1 --append and=2 "$tmp/many.sh"
is "$status" 0 "options are understood"
is "$out" text "the board is as tests/vm --help says"
is "$err" text "the script can open its standard output by name"

cat >"$tmp/much.sh" <<'SCRIPT'
seq 400000
seq 400000 >&2
printf 'no newline\000at the end'
SCRIPT
{
	seq 400000
	printf 'no newline\000at the end'
} >"$tmp/want"
seq 400000 >"$tmp/want.err"
run tests/vm "$tmp/much.sh"
same "$tmp/out" "$tmp/want" "much output arrives byte for byte"
same "$tmp/err" "$tmp/want.err" "much output to stderr too"

mkfifo "$tmp/pipe"
echo 'echo first; sleep 3; echo last' | tests/vm - >"$tmp/pipe" &
{
	read -r first
	start=$(cut -d . -f 1 /proc/uptime)
	read -r last
	end=$(cut -d . -f 1 /proc/uptime)
} <"$tmp/pipe"
wait $!
is "$first $last" "first last" "output goes through a pipe"
ok "output is live" test $((end - start)) -ge 2

run tests/vm - <<'SCRIPT'
sleep 1000 &
(trap '' HUP TERM; while :; do sleep 1; done) &
echo done
SCRIPT
is "$status $out" "0 done" "what the script leaves behind does not hold it up"

fails 2 "an unknown option is wrong usage" tests/vm --no-such-option -
fails 2 "no script is wrong usage" tests/vm
fails 2 "a missing script is wrong usage" tests/vm "$tmp/missing"
fails 125 "a missing kernel is said" tests/vm --kernel "$tmp/missing" -
like "$err" 'missing.*make kernel' "and what to do about it"
fails 125 "a missing file to add is said" \
	tests/vm --add "$tmp/missing" "$tmp/many.sh"
ok "--help lists the options" sh -c 'tests/vm --help | grep -q -e --icount'

done_testing
