# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --timeout 300
#
# Servers that end by a signal. A killed server without a supervisor is shown as
# dead, and can be cleaned up. One that is asked to end does so cleanly.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

ended() {
	! runs "$server"
}

# killed NAME: kills the server of the device, and checks the consequences.
killed() {
	server=$(server_of "$id")
	kill -KILL "$server"
	wait_until 5 ended || fail "$1: it is gone"
	wait_until 5 test ! -e "$dev" || fail "$1: its node is gone"
	like "$(ublk list "$id")" "^$id +$dev +dead +$2 .* - " "$1: list says dead"
	is "$(ublk list --json "$id" | grep -o '"state": "[a-z]*"')" \
		'"state": "dead"' "$1: also in JSON"
	fails 1 "$1: its number is taken" ublk ram 1M -n "$id" --no-supervise
	ok "$1: stop it" ublk stop "$id"
	if nothing_of "$id" "$server"; then
		pass "$1: nothing is left"
	else
		fail "$1: nothing is left" "$(what_is)"
	fi
}

served "a disk" ram 16M --no-supervise
killed "idle" ram
served "the same number" ram 16M -n "$id" --no-supervise
pattern again 1048576 >"$tmp/data"
put "$dev" 0 <"$tmp/data"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "works again"
killed "used" ram
served "two queues" null 1G -q 2 --no-supervise
killed "two queues" null

# A reader and a writer at each end, which run until they see an error.
for options in "ram 16M" "ram 16M -q 2" "null 16M -q 2"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$options under load" $options --no-supervise
	while dd if="$dev" of=/dev/null bs=16k iflag=direct; do :; done \
		2>/dev/null &
	while dd if=/dev/zero of="$dev" bs=16k oflag=direct count=1024; do :; done \
		2>/dev/null &
	sleep 0.5
	killed "$options under load" "${options%% *}"
	wait
	pass "$options under load: programs get errors and end"
done

truncate -s 4M "$tmp/file"
served "a file" file "$tmp/file" --no-supervise
put "$dev" 0 <"$tmp/data"
killed "file" file
is "$(head -c 1048576 "$tmp/file" | sum -)" "$(sum "$tmp/data")" \
	"what was flushed is in the file"
served "the file is free to be served" file "$tmp/file" --no-supervise
stopped "stop it" "$dev"

# Several dead servers, beside one that is alive.
served "one" ram 1M --no-supervise
first=$id
served "two" ram 1M --no-supervise
second=$id
served "three" ram 1M --no-supervise
kill -KILL "$(server_of "$first")" "$(server_of "$second")"
wait_until 5 test ! -e "/dev/ublkb$first" -a ! -e "/dev/ublkb$second"
ok "stop two dead ones at once" ublk stop "$first" "$second"
like "$(ublk list)" "^$id +$dev +live" "the third goes on"
stopped "stop it" "$dev"

# A dead server whose record is gone, too.
served "a disk" ram 1M --no-supervise
server=$(server_of "$id")
kill -KILL "$server"
rm "/run/ublk/$id"
wait_until 5 test ! -e "$dev"
like "$(ublk list)" "^$id +$dev +dead +- " "a dead one without a record is listed"
ok "and stopped" ublk stop "$id"
before
leaves_nothing "nothing is left"

for signal in TERM INT HUP; do
	served "a disk" ram 1M
	server=$(server_of "$id")
	kill -$signal "$server"
	wait_until 5 ended
	if nothing_of "$id" "$server"; then
		pass "SIG$signal ends a server, with nothing left"
	else
		fail "SIG$signal ends a server, with nothing left" "$(what_is)"
	fi
done
served "a disk under load" ram 16M -q 2
server=$(server_of "$id")
sh -c 'exec 9<"$0"; while dd if="$0" of=/dev/null bs=16k iflag=direct; do :; done' \
	"$dev" 2>/dev/null &
load=$!
seen=0
wait_until 10 more_requests
dmesg -c >/dev/null
kill -TERM "$server"
wait_until 20 sh -c 'dmesg | grep -q "in use and goes on"'
like "$(dmesg)" "ublk: device $id is in use and goes on: open in process $load" \
	"SIGTERM does not end it under load, and it says whose"
runs "$server" && pass "it goes on" || fail "it goes on"
kill $load
wait $load 2>/dev/null
kill -TERM "$server"
wait_until 20 ended
if nothing_of "$id" "$server"; then
	pass "without that it does"
else
	fail "without that it does" "$(what_is)"
fi

# In the foreground.
# front COMMAND...: starts it; $front is its process, and $dev its node.
front() {
	rm -f "$tmp/node"
	"$@" >"$tmp/node" 2>"$tmp/err" &
	front=$!
	wait_until 5 test -s "$tmp/node"
	dev=$(cat "$tmp/node")
	id=${dev#/dev/ublkb}
	started="$started $dev"
}
for how in "kill -INT" "kill -TERM" "ublk stop"; do
	front ublk ram 1M -f
	if [ -b "$dev" ]; then
		pass "-f prints the node"
	else
		fail "-f prints the node" "$dev"
	fi
	is "$(server_of "$id")" "$front" "and serves it itself"
	case $how in
	kill*) $how $front ;;
	*) ublk stop "$dev" ;;
	esac
	status=0
	wait $front || status=$?
	is $status 0 "$how: it ends with status 0"
	is "$(cat "$tmp/err")" "" "in silence"
	if nothing_of "$id" $front; then
		pass "with nothing left"
	else
		fail "with nothing left" "$(what_is)"
	fi
done
before
fails 1 "-f fails as without" ublk file "$tmp/no" -f
leaves_nothing "with nothing left"

done_testing
