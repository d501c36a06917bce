# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --mem 512M
# board: --timeout 300
#
# What becomes of each request if the server dies while it serves four, and four
# more wait for a free tag. Without recovery, all fail. With recovery, the four
# that were served fail or, on request, are served again, and the others wait
# for the next server; or all fail until there is one.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

pattern data 1048576 >"$tmp/file"

# readers: starts eight, each with its own request of 4 KiB.
readers() {
	rm -f "$tmp"/read.* "$tmp"/pid.* "$tmp"/status.*
	for n in 1 2 3 4 5 6 7 8; do
		(
			dd if="$dev" of="$tmp/read.$n" bs=4k skip=$((n * 8)) \
				count=1 iflag=direct 2>/dev/null &
			echo $! >"$tmp/pid.$n"
			status=0
			wait $! || status=1
			echo $status >"$tmp/status.$n"
		) &
		loads="$loads $!"
	done
}
# all_wait: the server has as many requests as it has slots, and every reader
# waits, the others for a free tag.
all_wait() {
	[ "$(grep -c 'keeps tag' "$tmp/server")" -eq 4 ] &&
		[ "$(cat "$tmp"/pid.* | sed 's|.*|/proc/&/status|' |
			xargs cat | grep -c '^State:	D')" -eq 8 ]
}
# tally: prints how many readers failed, read the file's data, read something
# else, and have no result.
tally() {
	failed=0 right=0 wrong=0 waiting=0
	for n in 1 2 3 4 5 6 7 8; do
		case $(cat "$tmp/status.$n" 2>/dev/null) in
		'') waiting=$((waiting + 1)) ;;
		1) failed=$((failed + 1)) ;;
		*)
			if dd if="$tmp/file" bs=4k skip=$((n * 8)) count=1 \
				2>/dev/null | cmp -s - "$tmp/read.$n"; then
				right=$((right + 1))
			else
				wrong=$((wrong + 1))
			fi
			;;
		esac
	done
	echo "$failed failed, $right right, $wrong wrong, $waiting waiting"
}
tally_is() {
	[ "$(tally)" = "$1" ]
}
# comes_to FAILED RIGHT WAITING NAME
comes_to() {
	wanted="$1 failed, $2 right, 0 wrong, $3 waiting"
	wait_until 10 tally_is "$wanted"
	is "$(tally)" "$wanted" "$4"
}

# dying OPTION...: a server with four slots dies without answering any of eight
# readers.
dying() {
	launch --id 6 --depth 4 --silent --file "$tmp/file" "$@" ||
		{ fail "serve $*" "$(cat "$tmp/server")"; return; }
	readers
	must "not all of them wait" wait_until 20 all_wait
	kill -KILL "$pid"
	must "the server does not end" wait_until $notice ended "$pid"
	answer "killed with eight readers${*:+, $*}"
}
# becomes STATE NAME
becomes() {
	wait_until $notice state_is 6 "$1"
	is "$(state_of 6)" "$1" "$2"
}

# It would not even notice that it can fail them.
[ -z "$spare" ] ||
	skip_all "Linux's driver does not notice when every slot is being served"

dying
comes_to 8 0 0 "without recovery all fail"
not_stuck
answer "and nobody is stuck"
ok "it can be deleted" "$server" --delete 6

dying --recovery wait
becomes quiesced "with recovery it is quiesced"
comes_to 4 0 4 "what was served fails, the rest waits"
ok "a new server" launch --recover 6 --file "$tmp/file"
comes_to 4 4 0 "what waited is read"
ok "it can be deleted" "$server" --delete 6

dying --recovery reissue
becomes quiesced "with reissue it is quiesced"
comes_to 0 0 8 "all wait"
ok "a new server" launch --recover 6 --file "$tmp/file"
comes_to 0 8 0 "all are read"
ok "it can be deleted" "$server" --delete 6

if offers recovery-fail-io; then
	dying --recovery fail
	becomes fail-io "with fail it is fail-io"
	comes_to 8 0 0 "all fail"
	readers
	comes_to 8 0 0 "and so do new ones"
	ok "a new server" launch --recover 6 --file "$tmp/file"
	readers
	comes_to 0 8 0 "then they are read again"
	ok "it can be deleted" "$server" --delete 6
else
	skip "with fail all are answered" "not offered"
fi

# A device without a server can be deleted while requests wait.
dying --recovery reissue
becomes quiesced "it is quiesced once more"
ok "a quiesced one can be deleted" "$server" --delete 6
comes_to 8 0 0 "what waited fails"
not_stuck
answer "and nobody is stuck then"

done_testing
