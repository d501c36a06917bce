# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add build/x86_64/driver/server --mem 512M
# board: --timeout 300
#
# What becomes of each request when the server dies while it serves four and four
# more wait for a free tag: an error without recovery; with it the four that
# were served fail or, if so wished, are served again, and the others wait for
# the next server; or all fail until there is one.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

pattern data 1048576 >"$tmp/file"

# readers: starts eight, each with a request of 4 KiB of its own.
readers() {
	rm -f "$tmp"/read.* "$tmp"/status.*
	pids=''
	for n in 1 2 3 4 5 6 7 8; do
		(
			status=0
			dd if="$dev" of="$tmp/read.$n" bs=4k skip=$((n * 8)) \
				count=1 iflag=direct 2>/dev/null || status=1
			echo $status >"$tmp/status.$n"
		) &
		pids="$pids $!"
	done
	loads="$loads $pids"
}
# answered COUNT: so many of them have their answer.
answered() {
	[ "$(cat "$tmp"/status.* 2>/dev/null | wc -l)" -eq "$1" ]
}
# errors: prints how many failed.
errors() {
	cat "$tmp"/status.* 2>/dev/null | grep -c 1
}
# right: prints how many read what is in the file.
right() {
	count=0
	for n in 1 2 3 4 5 6 7 8; do
		[ "$(cat "$tmp/status.$n" 2>/dev/null)" = 0 ] || continue
		[ "$(sum "$tmp/read.$n")" = "$(dd if="$tmp/file" bs=4k \
			skip=$((n * 8)) count=1 2>/dev/null | sum -)" ] &&
			count=$((count + 1))
	done
	echo $count
}
# Eight are under way in the block layer: four have a tag, of which the server
# has been given those that the disk's statistics call in flight.
delivered() {
	[ "$(awk '{ print $1 + $2 }' "/sys/block/${dev#/dev/}/inflight")" -ge 4 ]
}

# dying OPTION...: a slow server with four slots dies with eight readers.
dying() {
	# It answers the partition scan slowly, too.
	launch --id 6 --depth 4 --delay 300000 --file "$tmp/file" "$@" ||
		{ fail "serve $*" "$(cat "$tmp/server")"; return 1; }
	readers
	wait_until 5 delivered
	kill -KILL "$pid"
	wait_until 2 ended "$pid"
}

if [ -z "$spare" ]; then
	dying
	wait_until 2 answered 8
	is "$(errors)" 8 "without recovery all fail"
	is "$(blocked)" "" "and nobody is stuck"
	ok "it can be deleted" "$server" --delete 6

	dying --recovery wait
	wait_until 2 state_is 6 quiesced
	is "$(state_of 6)" quiesced "with recovery it is quiesced"
	served_before=$(($(errors) + $(right)))
	[ "$(errors)" -ge 1 ] && [ "$served_before" -lt 8 ] &&
		pass "what was served fails, the rest waits" ||
		fail "what was served fails, the rest waits" \
			"$(errors) failed, $(right) read"
	failed=$(errors)
	ok "a new server" launch --recover 6 --file "$tmp/file"
	wait_until 5 answered 8
	is "$(($(errors) + $(right)))" 8 "all are answered"
	is "$(errors)" "$failed" "and none that waited with an error"
	ok "it can be deleted" "$server" --delete 6
else
	skip "without recovery all fail" "Linux's driver does not notice"
	skip "with recovery some fail" "Linux's driver does not notice"
fi

if [ -z "$spare" ]; then
	dying --recovery reissue
	wait_until 2 state_is 6 quiesced
	is "$(state_of 6)" quiesced "with reissue it is quiesced"
	is "$(errors)" 0 "and nothing fails"
	answered 8 && fail "requests wait" || pass "requests wait"
	ok "a new server" launch --recover 6 --file "$tmp/file"
	wait_until 5 answered 8
	is "$(right)" 8 "all are read"
	ok "it can be deleted" "$server" --delete 6
else
	skip "with reissue all wait" "Linux's driver does not notice"
fi

if offers recovery-fail-io; then
	dying --recovery fail
	wait_until 2 state_is 6 fail-io
	is "$(state_of 6)" fail-io "with fail it is fail-io"
	wait_until 2 answered 8
	[ "$(errors)" -ge 4 ] && answered 8 && pass "all are answered at once" ||
		fail "all are answered at once" "$(errors) failed"
	readers
	wait_until 2 answered 8
	is "$(errors)" 8 "and so are new ones, with errors"
	ok "a new server" launch --recover 6 --file "$tmp/file"
	readers
	wait_until 5 answered 8
	is "$(right)" 8 "then they are read again"
	ok "it can be deleted" "$server" --delete 6
else
	skip "with fail all are answered" "not offered"
fi

# A device without a server can be deleted with requests waiting.
if [ -z "$spare" ]; then
	dying --recovery reissue
	wait_until 2 state_is 6 quiesced
	ok "a quiesced one can be deleted" "$server" --delete 6
	wait_until 2 answered 8
	is "$(errors)" 8 "what waited fails"
	is "$(blocked)" "" "and nobody is stuck"
fi

done_testing
