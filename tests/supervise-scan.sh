# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/server --timeout 900
#
# Processes of a disk that are killed during its partition scan, by ublk or by
# the kernel: another worker continues, or the disk waits for `ublk recover`,
# and its partition is found. Nothing hangs. The table is on another disk, which
# is slow before its partition: its server is stopped during the scan, so that the
# scan takes as long as a test wants.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"

pattern one 1048576 >"$tmp/one"
truncate -s 8M "$tmp/table"
# A DOS label with one partition: type 131, 2048 sectors from sector 2048 on.
printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\010\0\0' |
	dd of="$tmp/table" bs=1 seek=446 conv=notrunc 2>/dev/null
printf '\125\252' | dd of="$tmp/table" bs=1 seek=510 conv=notrunc 2>/dev/null
dd if="$tmp/one" of="$tmp/table" bs=1M seek=1 conv=notrunc 2>/dev/null

# On the board, the program is beside the test.
slow=${0%/*}/server
[ -x "$slow" ] || slow=build/$(uname -m)/driver/server
below=/dev/ublkb1
"$slow" --id 1 --delay 2000000 --delay-before 2048 --file "$tmp/table" >"$tmp/below" 2>&1 &
below_server=$!
started="$started /dev/ublkb9"
at_exit '"$slow" --delete 1; kill -KILL "$below_server" 2>/dev/null'
ok "the disk below" wait_until 20 grep -q "^$below\$" "$tmp/below"

# nobody_answers, answers: the server of the disk below.
nobody_answers() {
	kill -STOP "$below_server"
}
answers() {
	kill -CONT "$below_server"
}

# read_of ID: it has a READ to answer.
read_of() {
	read -r reads _ <"/sys/block/ublkb$1/inflight" && [ "$reads" -gt 0 ]
}
# read_begun: the READ of the table is with the disk below.
read_begun() {
	read_of 1 && read_of 9
}

# starts COMMAND...: runs it in the background until the table is being read;
# its process is $command.
starts() {
	"$@" >"$tmp/node" 2>"$tmp/words" &
	command=$!
	wait_until 60 read_of 9
	nobody_answers
	wait_until 10 read_begun || {
		problem="$problem, no read: $(cat "$tmp/words")"
		answers
		return 1
	}
	server=$(server_of 9)
	worker=$(worker_of 9)
}

# ends STATUS: the command ends with it.
ends() {
	wait_until 60 has_ended || {
		problem="$problem, the command hangs"
		return
	}
	status=0
	wait $command || status=$?
	[ $status -eq "$1" ] || problem="$problem, exit status $status, \
$(cat "$tmp/words")"
}
has_ended() {
	! runs $command
}

must() {
	what=$1
	shift
	"$@" || problem="$problem, $what"
}
answer() {
	is "${problem#, }" "" "$1"
	problem=''
}

state_is() {
	ublk list --json 9 | grep -q "\"state\": \"$1\""
}

# whole: the disk is served, and its partition is there, with its contents.
whole() {
	wait_until 30 state_is live || {
		problem="$problem, not live: $(ublk list 9 2>&1)"
		return
	}
	must "its partitions: $(ls /dev/ublkb9*)" \
		[ "$(echo /dev/ublkb9p*)" = /dev/ublkb9p1 ]
	blockdev --flushbufs /dev/ublkb9 2>/dev/null
	must "the partition is wrong" cmp -s /dev/ublkb9p1 "$tmp/one"
}
# ends_well: it can be stopped, and nothing is left.
ends_well() {
	server=$(server_of 9)
	must "it is not stopped" ublk stop --force 9
	must "something is left" nothing_of 9 "$server"
}

problem=''
# rounds NAME SCENARIO: a check. SCENARIO begins during the scan.
rounds() {
	n=0
	while [ $n -lt "${ROUNDS:-1}" ] && [ -z "$problem" ]; do
		! starts ublk file "$below" --id 9 || $2
		ends_well
		n=$((n + 1))
	done
	answer "$n times: $1"
}

worker_killed() {
	kill -KILL "$worker"
	answers
	ends 0
	must "the node" [ "$(cat "$tmp/node")" = /dev/ublkb9 ]
	must "the supervisor is another one" [ "$(server_of 9)" = "$server" ]
	must "the worker is the same" [ "$(worker_of 9)" != "$worker" ]
	whole
}
rounds "another worker goes on with a start" worker_killed

quiesced() {
	must "it is not quiesced" wait_until 30 state_is quiesced
}
recovered() {
	ublk recover 9 >"$tmp/node" 2>"$tmp/words" ||
		problem="$problem, recover: $(cat "$tmp/words")"
	whole
}

both_killed() {
	kill -KILL "$server" "$worker"
	answers
	ends 1
	quiesced
}
recovered_later() {
	both_killed
	must "it does not wait for the next one" [ -b /dev/ublkb9 ]
	recovered
}
rounds "with both killed it waits for the next, who finds it" recovered_later

killed_again() {
	both_killed
	! starts ublk recover 9 || {
		kill -KILL "$worker"
		answers
		ends 0
		whole
	}
}
rounds "the same over a recovery" killed_again

killed_are_gone() {
	for process in $killed; do
		! runs "$process" || return 1
	done
}
# all_killed: all its processes at once. The one that reads its table cannot end
# before that READ is answered, by the next server.
all_killed() {
	killed=$(pidof ublk)
	# shellcheck disable=SC2086 # words are meant to be split
	kill -KILL $killed
	answers
	ends 137
	quiesced
	recovered
	must "killed processes are left" wait_until 30 killed_are_gone
}
rounds "with all killed the next one looks for it" all_killed

# Opening the disk would wait for a scan that nobody serves any more.
if starts ublk file "$below" --id 9; then
	kill -KILL "$server" "$worker"
	answers
	ends 1
	must "it is not quiesced" wait_until 30 state_is quiesced
	run timeout 60 ublk stop 9
	case $status in
	0) must "something is left" nothing_of 9 "$server" ;;
	1) must "it is refused: $err" \
		grep -q "^ublk: device 9 is in use: open in process" "$tmp/err"
		must "it does not wait on" state_is quiesced
		ends_well ;;
	*) problem="$problem, stop hangs: $status $err"
		ends_well ;;
	esac
fi
answer "a stop without --force ends while the table cannot be read"

if starts ublk file "$below" --id 9; then
	kill -KILL "$server"
	answers
	ends 1
	must "its worker does not serve" wait_until 30 state_is live
	must "it is not stopped" ublk stop 9
	must "something is left" nothing_of 9 "$server"
fi
answer "with the supervisor killed alone it can be stopped"

done_testing
