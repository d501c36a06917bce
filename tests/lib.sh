# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What every test begins with: checks that print TAP, captured commands, scratch
# space that is cleaned up, and data that shows where it belongs. For any POSIX
# shell with BusyBox's programs; nothing in here knows ublk.
#
# A test on the board begins with   . "${0%/*}/lib.sh"
# one on the build machine with     . "${0%/*}/../lib.sh"
# and both end with                 done_testing

checks=0
failures=0
at_exit=''

# Scratch folder, removed at the end. On the board it is in memory.
tmp=$(mktemp -d "${TMPDIR:-/tmp}/test.XXXXXX")

# at_exit COMMAND: runs COMMAND (one word, evaluated) when the test ends, in
# whatever way. The last COMMAND runs first.
at_exit() {
	at_exit="$1
$at_exit"
}

leave() {
	left=$?
	trap '' HUP INT TERM
	eval "$at_exit"
	rm -rf "$tmp"
	exit $left
}
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# linux_since MAJOR MINOR: whether this kernel has that version or a later one.
linux_since() {
	uname -r | awk -F '[^0-9]' -v major="$1" -v minor="$2" '{
		exit !($1 > major || ($1 == major && $2 >= minor)) }'
}

# note TEXT: prints TEXT as a TAP comment.
note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
	checks=$((checks + 1))
	echo "ok $checks - $1"
}

# fail NAME [TEXT]: reports a failed check, and what was seen.
fail() {
	checks=$((checks + 1))
	failures=$((failures + 1))
	echo "not ok $checks - $1"
	[ $# -lt 2 ] || note "$2"
}

# skip NAME REASON: reports a check that cannot run here.
skip() {
	checks=$((checks + 1))
	echo "ok $checks - $1 # SKIP $2"
}

# skip_all REASON: ends a test that cannot run here.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing() {
	echo "1..$checks"
	[ $failures -eq 0 ]
	exit
}

# run COMMAND...: runs a command. Its exit status is in $status, and its output
# in $out and $err (byte for byte in $tmp/out and $tmp/err).
run() {
	status=0
	"$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	out=$(tr -d '\0' <"$tmp/out")
	err=$(tr -d '\0' <"$tmp/err")
}

# seen: prints the results of the last run.
seen() {
	note "exit status $status"
	[ -z "$out" ] || note "stdout: $out"
	[ -z "$err" ] || note "stderr: $err"
}

# ok NAME COMMAND...: checks that the command succeeds. It is executed with run.
ok() {
	name=$1
	shift
	run "$@"
	if [ $status -eq 0 ]; then
		pass "$name"
	else
		fail "$name"
		seen
	fi
}

# fails STATUS NAME COMMAND...: checks that the command ends with exactly that
# status and prints a message on standard error. It is executed with run.
fails() {
	want=$1
	name=$2
	shift 2
	run "$@"
	if [ $status -eq "$want" ] && [ -n "$err" ]; then
		pass "$name"
	else
		fail "$name" "wanted exit status $want and a message"
		seen
	fi
}

# is GOT WANTED NAME: checks that two texts are equal.
is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3" "got:    $1"
		note "wanted: $2"
	fi
}

# like TEXT REGEX NAME: checks that a line of TEXT matches the extended regex.
like() {
	if printf '%s\n' "$1" | grep -qE -- "$2"; then
		pass "$3"
	else
		fail "$3" "got: $1"
		note "wanted a match of: $2"
	fi
}

# unlike TEXT REGEX NAME: checks that no line of TEXT matches.
unlike() {
	if printf '%s\n' "$1" | grep -qE -- "$2"; then
		fail "$3" "got: $1"
		note "wanted no match of: $2"
	else
		pass "$3"
	fi
}

# same FILE FILE NAME: checks that two files are equal. Keeps the output of the
# last run.
same() {
	if difference=$(cmp "$1" "$2" 2>&1); then
		pass "$3"
	else
		fail "$3" "$difference"
	fi
}

# wait_until SECONDS COMMAND...: repeats the command until it succeeds. SECONDS are
# enough on a quiet machine; a busy one gets four times as many before this
# returns 1, and says so where only a person looks.
wait_until() {
	tries=$(($1 * 80))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $tries -gt 0 ] || {
			echo "# waited in vain for: $*" >&2
			return 1
		}
		tries=$((tries - 1))
		sleep 0.05
	done
}

# pattern SEED BYTES [FIRST]: prints data in which each 512 bytes are one line
# with the seed and the number of the sector, counted from FIRST (0). So a
# sector that is missing, old or misplaced is noticed.
pattern() {
	awk -v seed="$1" -v bytes="$2" -v first="${3:-0}" 'BEGIN {
		head = sprintf("%s sector ", seed)
		for (fill = "."; length(fill) < 512; )
			fill = fill fill
		fill = substr(fill, 1, 512 - length(head) - 14)
		for (i = 0; i * 512 < bytes; i++)
			printf "%s%012d %s\n", head, first + i, fill
	}' | head -c "$2"
}

# sum FILE: prints a checksum of a file; - is standard input.
sum() {
	md5sum "$1" | cut -d ' ' -f 1
}
