# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/strike --timeout 900
#
# A process is killed between any two of its system calls. A device that was
# being stopped, recovered or upgraded is, one command later, gone completely or
# served with its contents. If it was being started, `ublk stop` leaves nothing.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"

# Every how many-th call is struck; the first one is drawn from the first eight,
# as some processes make few more. Linux 6.1 needs five seconds to notice a
# death.
linux_since 6 12 || : "${EVERY:=40}"
: "${EVERY:=8}"
# Linux's driver of 6.12 never releases a server that was killed when a queue
# had fetched some of its tags (it warns, in ublk_uring_cmd_cancel_fn()). So
# many tags are fetched there with one system call.
depth=''
ublk features | grep -q '^QUIESCE *yes' || depth='-d 32'
pattern data 65536 >"$tmp/data"
whole=$(sum "$tmp/data")

# disk: starts one with contents.
disk() {
	# shellcheck disable=SC2086 # words are meant to be split
	serve ram 1M $depth
	[ -b "$dev" ] || problem="$problem not served: $err"
	put "$dev" 0 <"$tmp/data"
	server=$(server_of "$id")
	worker=$(worker_of "$id")
}
state() {
	ublk list --json | sed -n 's/.*"state": "\([a-z-]*\)".*/\1/p'
}
settled() {
	case $(state) in '' | live) ;; *) return 1 ;; esac
}
# sane: checks the state after one command.
sane() {
	run ublk recover --all
	wait_until 5 settled || {
		problem="$problem $1, call $n ($(cat "$tmp/call")): $(state), $err"
		ublk stop --force --all 2>/dev/null
		return
	}
	[ "$(state)" ] || return
	[ "$(read_back "$dev" 65536 | sum -)" = "$whole" ] ||
		problem="$problem $1, call $n: other contents"
	run ublk stop "$id"
	[ $status = 0 ] || problem="$problem $1, call $n: not stopped: $err"
}
# A child may still be about to add the device.
all_stopped() {
	ublk stop --force --all >"$tmp/out" 2>&1 && [ ! "$(pidof ublk)" ] &&
		[ ! "$(state)" ]
}
nothing() {
	wait_until 10 all_stopped || problem="$problem $1, call $n: $(state), \
$(pidof ublk), $(cat "$tmp/out")"
}

# each_call NAME PREPARE VICTIM COMMAND AFTER: a check. VICTIM is -p and a
# shell's word for a process that exists before COMMAND, or empty.
each_call() {
	problem='' struck=0
	n=$((1 + $(date +%s) % (EVERY < 8 ? EVERY : 8)))
	while :; do
		$2
		eval "${0%/*}/strike $n $3 $4" >"$tmp/call" 2>"$tmp/words"
		ended=$?
		[ $ended -le 1 ] || problem="$problem $(cat "$tmp/words")"
		$5 "$1"
		[ $ended -eq 0 ] || break
		struck=$((struck + 1))
		n=$((n + EVERY))
	done
	note "$1: $struck of $n calls"
	[ $struck -ge 1 ] || problem="$problem only $struck calls"
	is "$problem" "" "$1"
}

dead_disk() {
	disk
	kill -KILL "$server" "$worker"
	sleep 0.3
}

before
# Linux 6.1 notices no death before there is a disk.
! linux_since 6 12 || each_call "start" : "" "ublk ram 1M $depth" nothing
each_call "stop, the server" disk '-p $server' 'ublk stop $id' sane
each_call "stop, the worker" disk '-p $worker' 'ublk stop $id' sane
each_call "stop, the command" disk '' 'ublk stop $id' sane
each_call "stop of a dead one" dead_disk '' 'ublk stop $id' sane
each_call "recover" dead_disk '' 'ublk recover $id' sane
each_call "upgrade, the server" disk '-p $server' 'ublk upgrade $id' sane
each_call "upgrade, the command" disk '' 'ublk upgrade $id' sane

# What was struck last may still be ending.
wait_until 10 eval '[ "$(what_is)" = "$was" ]'
leaves_nothing "nothing is left"
done_testing
