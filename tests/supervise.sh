# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib
#
# A worker that dies, by whatever signal, is replaced at once: who reads and
# writes sees a pause and no error. One that dies for ever is given up.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"

served "a disk" ram 16M
server=$(server_of "$id")
worker=$(worker_of "$id")
like "$(ublk list "$id")" " $server yes +16M\$" "list shows that it is supervised"
is "$(ublk list --json "$id" | grep -o '"supervised": [a-z]*')" \
	'"supervised": true' "also in JSON"
if [ "$server" != "$worker" ] && runs "$server" && runs "$worker"; then
	pass "there are two processes"
else
	fail "there are two processes" "$server and $worker"
fi
pattern data 1048576 >"$tmp/data"
put "$dev" 0 <"$tmp/data"
for signal in KILL SEGV ABRT BUS KILL; do
	worker=$(worker_of "$id")
	kill -$signal "$worker"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"SIG$signal: what was written is there, and no error"
	if wait_until 5 another_worker; then
		pass "SIG$signal: another one serves"
	else
		fail "SIG$signal: another one serves" "$(cat "/run/ublk/$id")"
	fi
	is "$(server_of "$id")" "$server" "SIG$signal: the supervisor is the same"
done
for signal in TERM INT HUP; do
	worker=$(worker_of "$id")
	kill -$signal "$worker"
	sleep 0.2
	if runs "$worker"; then
		pass "SIG$signal does not end a worker"
	else
		fail "SIG$signal does not end a worker"
	fi
done
stopped "stop it" "$dev"

# What it said.
served "a disk" ram 16M
worker=$(worker_of "$id")
dmesg -c >/dev/null
kill -KILL "$worker"
wait_until 5 another_worker
wait_until 5 sh -c 'dmesg | grep -q "serves it now"'
like "$(dmesg)" "ublk: device $id: the server was killed by signal 9; process $(worker_of "$id") serves it now, after [0-9]+ ms" \
	"the kernel's log says who died, who serves, and how long nobody did"
stopped "stop it" "$dev"

# A new one is ahead of everybody, and so has memory that others do not get, until it
# has answered what waited; then it is as they are.
served "a disk" ram 16M
hurrying() {
	awk '$41 != 0 { n++ } END { print n + 0 }' \
		/proc/"$(worker_of "$id")"/task/*/stat
}
hurry() {
	[ "$(hurrying)" = "$1" ]
}
is "$(hurrying)" 0 "the first worker does not hurry"
worker=$(worker_of "$id")
kill -KILL "$worker"
wait_until 5 another_worker
ok "the second one's queue does" wait_until 5 hurry 1
dd if="$dev" of=/dev/null bs=512 count=3000 iflag=direct 2>/dev/null
is "$(hurrying)" 0 "until it has answered some thousand requests"
stopped "stop it" "$dev"

# One after the other, faster than it can do anything, is not a device that works.
served "a disk" ram 16M
server=$(server_of "$id")
gives_up() {
	kill -KILL "$(worker_of "$id")" 2>/dev/null
	! runs "$server"
}
if wait_until 30 gives_up; then
	pass "a worker that dies again and again is given up"
else
	fail "a worker that dies again and again is given up"
fi
like "$(dmesg)" "servers died without having answered anything; the device fails" \
	"the kernel's log says so"
if nothing_of "$id" "$server"; then
	pass "nothing is left"
else
	fail "nothing is left" "$(what_is)"
fi

# Without.
for option in --no-supervise -f; do
	if [ $option = -f ]; then
		ublk ram 1M -n 9 -f >"$tmp/node" &
		wait_until 5 test -s "$tmp/node"
		dev=$(cat "$tmp/node") id=9
		started="$started $dev"
	else
		served "a disk with $option" ram 1M -n 9 $option
	fi
	is "$(worker_of "$id")" "" "$option: there is one process"
	is "$(ublk list --json "$id" | grep -o '"supervised": [a-z]*')" \
		'"supervised": false' "$option: list shows it"
	stopped "$option: stop it" "$dev"
done

# Two queues, and a supervisor that dies: the worker serves on.
truncate -s 8M "$tmp/file"
served "a file" file "$tmp/file" -q 2
put "$dev" 0 <"$tmp/data"
server=$(server_of "$id")
worker=$(worker_of "$id")
kill -KILL "$server"
wait_until 5 sh -c "! grep -q '^State:	[^XZ]' /proc/$server/status"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
	"without its supervisor a worker serves on"
like "$(ublk list "$id")" " live +file .* $worker no " "list shows that"
ok "it gets a new supervisor" ublk recover "$id"
is "$out" "$dev" "which prints the node"
like "$(ublk list "$id")" " live +file .* yes " "list shows that"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
server=$(server_of "$id")
kill -KILL "$server"
stopped "a worker without a supervisor can be stopped" "$dev"

# At whatever moment of its end.
bad=''
for delay in 0 500 1000 2000 3000 5000 8000 12000 20000 40000; do
	serve ram 1M
	kill -KILL "$(server_of "$id")"
	usleep $delay
	ublk stop "$id" 2>"$tmp/stop" && nothing_of "$id" "$server" ||
		bad="$bad after $delay us: $(cat "$tmp/stop")"
done
is "$bad" "" "however soon after its supervisor's death"

# A supervisor that is killed while it is stopped: its worker is waited for.
served "a disk" ram 16M
server=$(server_of "$id")
worker=$(worker_of "$id")
kill -STOP "$server" "$worker"
ublk stop "$id" 2>"$tmp/stop" &
stop=$!
sleep 0.5
kill -KILL "$server"
sleep 0.5
kill -CONT "$worker"
ok "stop it while its supervisor is killed" wait $stop
if nothing_of "$id" "$worker"; then
	pass "nothing is left"
else
	fail "nothing is left" "$(what_is; cat "$tmp/stop")"
fi

done_testing
