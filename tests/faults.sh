# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/faults.lib
# board: --add $O/driver/strike --timeout 20000
#
# System calls that fail, one after the other, for each verb that needs the
# driver and for the servers. A command succeeds or says why not; a disk keeps
# its contents until it is stopped; and of a disk that is not served, nothing is
# left. `make fuzz F=faults` lets every call fail, and this test every 48th.
. "${0%/*}/lib.sh"
: "${EVERY:=48}"
. "${0%/*}/devices.lib"
. "${0%/*}/faults.lib"

# shellcheck disable=SC2034 # faults.lib has it
strike=${0%/*}/strike
[ -n "$recovers" ] || skip_all "the driver has no recovery"
before
[ -z "$was" ] || skip_all "there are devices already"

pattern data 65536 >"$tmp/data"
cp "$tmp/data" "$tmp/file"
pattern image 300000 >"$tmp/disk"
ublk pack "$tmp/disk" "$tmp/image.gz"
whole=$(sum "$tmp/data")

state() {
	ublk list --json | sed -n 's/.*"state": "\([a-z-]*\)".*/\1/p'
}
gone() {
	ublk stop --force --all >/dev/null 2>&1
	[ "$(what_is)" = "$was" ]
}
# nothing: no device, record or process. Gives what is ending some time.
nothing() {
	wait_until 10 eval '[ "$(what_is)" = "$was" ]' ||
		problem="$problem, left: $(what_is | tr '\n' ' ')"
}

# A device that is started.
prepare() {
	rm -f "$tmp/kept"
	wait_until 10 gone || note "cannot clean up: $(what_is)"
}
judge() {
	dev=$(cat "$tmp/out")
	if [ "$status" -ne 0 ]; then
		[ -z "$dev" ] || problem="$problem, a node is printed"
		says
	else
		[ -b "$dev" ] || problem="$problem, no disk"
		$contents
		run ublk stop "$dev"
		[ $status -eq 0 ] || problem="$problem, not stopped: $err"
	fi
	nothing
}
written() {
	put "$dev" 0 <"$tmp/data"
	holds 65536 "$whole"
}
# holds BYTES SUM
holds() {
	[ "$(read_back "$dev" "$1" | sum -)" = "$2" ] ||
		problem="$problem, other contents"
}
contents=written
each_fault "ublk ram" "" "ublk ram 1M -d 4"
each_fault "ublk ram --no-supervise" "" "ublk ram 1M -d 4 --no-supervise"
each_fault "ublk file" "" "ublk file $tmp/file -d 4"
each_fault "ublk ram --cow" "" "ublk ram 1M -d 4 --cow $tmp/kept"
contents='holds 300000 '$(sum "$tmp/disk")
each_fault "ublk zimg" "" "ublk zimg $tmp/image.gz -d 4"

# A device that exists.
prepare() {
	wait_until 10 gone || note "cannot clean up: $(what_is)"
	serve ram 1M -d 4
	put "$dev" 0 <"$tmp/data"
	server=$(server_of "$id")
	worker=$(worker_of "$id")
	[ -z "$dies" ] || {
		kill -KILL "$server" "$worker"
		wait_until 10 eval '[ "$(state)" = quiesced ]'
	}
	right=$($shows)
}
# Its result is in $found: a worker that was live may have died a moment later,
# and another one takes over.
live_or_dead() {
	found=$(state)
	[ "$found" = live ] || ! pidof ublk >/dev/null
}
# Whatever happened, recover restores the device, or it is gone completely.
judge() {
	[ "$status" -eq 0 ] || says
	wait_until 5 live_or_dead
	[ "$found" = live ] || {
		ublk recover --all >/dev/null 2>"$tmp/words"
		found=$(state)
	}
	if [ "$found" = live ]; then
		holds 65536 "$whole"
		run ublk stop "$id"
		[ $status -eq 0 ] || problem="$problem, not stopped: $err"
	elif [ "$kept" ]; then
		problem="$problem, state '$found': $(cat "$tmp/words")"
	fi
	nothing
}
dies='' kept='' shows=:
each_fault stop "" 'ublk stop $id'
each_fault "stop, the server" '-p $server' 'ublk stop $id'
each_fault "stop, the worker" '-p $worker' 'ublk stop $id'
kept=1
each_fault upgrade "" 'ublk upgrade $id'
each_fault "upgrade, the server" '-p $server' 'ublk upgrade $id'
dies=1
each_fault recover "" 'ublk recover $id'
dies=''
# Its worker dies, and the supervisor starts another one.
each_fault "another worker" '-p $server' 'sh -c "kill -KILL $worker; sleep 0.3"'

# Commands that only print something.
judge() {
	if [ "$status" -ne 0 ]; then
		says
	else
		[ "$(cat "$tmp/out")" = "$right" ] ||
			problem="it says $(cat "$tmp/out")"
	fi
}
shows='ublk list --json'
each_fault list "" "ublk list --json"
shows='ublk features'
each_fault features "" "ublk features"

dies='' shows=:
prepare
ublk stop --all
leaves_nothing "nothing is left"
done_testing
