# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/strike --timeout 1200
#
# A control command that fails says nothing about the device: no device is taken
# for gone, none is deleted, and no data is lost. Temporary errors are waited
# for. Others are reported.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"
strike=${0%/*}/strike
# From one on, the submission of every control command fails.
enter="-a -o $tmp/call -c io_uring_enter"
# For a shell: waits until one has failed, and two seconds more.
failed="n=0; until [ -s $tmp/call ] || [ \$n -eq 600 ]; do sleep 0.1; n=\$((n + 1)); done; sleep 2"
pattern data 262144 >"$tmp/data"
whole=$(sum "$tmp/data")
state() {
	ublk list --json "$id" | sed -n 's/.*"state": "\([a-z-]*\)".*/\1/p'
}
state_is() {
	[ "$(state)" = "$1" ]
}
# disk: starts one with contents.
disk() {
	serve ram 1M
	put "$dev" 0 <"$tmp/data"
	server=$(server_of "$id")
	worker=$(worker_of "$id")
}
# kept NAME: it is live and has its contents.
kept() {
	if wait_until 60 state_is live; then
		is "$(read_back "$dev" 262144 | sum -)" "$whole" "$1"
	else
		fail "$1" "$(ublk list; dmesg | grep ublk: | tail -n 5)"
	fi
}
kill_all() {
	kill -KILL "$server" "$worker"
	wait_until 10 state_is quiesced
}

before

# The supervisor, when its worker dies.
for error in ENOMEM EINTR; do
	disk
	ok "$error while a worker dies" "$strike" 1 $enter -e $error \
		-p "$server" sh -c "kill -KILL $worker; $failed"
	kept "$error: another one serves"
	is "$(server_of "$id")" "$server" "$error: the supervisor is the same"
	stopped "$error: stop it" "$dev"
done
# An error that does not pass, again and again.
disk
ok "EIO while a worker dies" "$strike" 1 $enter -e EIO -p "$server" \
	sh -c "kill -KILL $worker; $failed"
kept "EIO: another one serves"
stopped "EIO: stop it" "$dev"

# A command that could not be submitted must not be sent together with the next
# one, which has its own result.
poll=poll
case $(uname -m) in aarch64 | riscv64) poll=ppoll ;; esac
disk
ok "a poll that fails, too" "$strike" 1 -a -o "$tmp/call" -c $poll -e ENOMEM \
	-p "$server" sh -c "kill -KILL $worker; $failed"
kept "another one serves"
stopped "stop it" "$dev"

# Commands. Each reads the features first. After an error that may pass, it is
# repeated for ten seconds.
for error in EIO ENOMEM; do
	for skip in 0 1 2 3 4 5; do
		case $error$skip in ENOMEM[0345]) continue ;; esac
		disk
		kill_all
		"$strike" $((skip + 1)) $enter -e $error timeout 40 \
			ublk recover "$id" >"$tmp/out" 2>"$tmp/err"
		[ -s "$tmp/err" ] || fail "recover, $error after $skip calls: that is said"
		run ublk recover --all
		kept "recover, $error after $skip calls: nothing is lost"
		stopped "recover, $error after $skip calls: stop it" "$dev"
	done
done
disk
kill_all
for verb in features "list" "list $id" "stop $id" "stop --all" "upgrade $id" \
	"recover --all" "ram 1M"; do
	for skip in 0 1; do
		case $verb$skip in features1) continue ;; esac
		# shellcheck disable=SC2086 # words are meant to be split
		run "$strike" $((skip + 1)) $enter -e EIO ublk $verb
		[ $status -eq 1 ] && [ -n "$err" ] && pass "$verb, EIO after $skip calls: fails" ||
			{ fail "$verb, EIO after $skip calls: fails"; seen; }
		is "$(state)" quiesced "and the device is as it was"
	done
done
ok "recover it" ublk recover "$id"
kept "it has all"
server=$(server_of "$id")
ok "while its server cannot ask for its end" "$strike" 1 $enter -e EIO \
	-p "$server" sh -c "kill -TERM $server; $failed"
kept "a signal does not end it"
# The kernel has not taken that command: it must not be sent with the next one.
worker=$(worker_of "$id")
kill -KILL "$worker"
wait_until 60 eval 'another_worker || [ ! -e "$dev" ]'
if [ -e "$dev" ]; then
	kept "nor does it end it later"
else
	fail "nor does it end it later" "it is gone"
fi
stopped "stop it" "$dev"

# devices: prints how many there are.
devices() {
	ublk list | grep -c '^[0-9]'
}
# A command that is repeated is executed once: the first attempt is not sent
# together with the second. A device that is added twice would be two.
problem='' n=1
while [ -z "$problem" ]; do
	run "$strike" $n -c io_uring_enter -e EAGAIN -o "$tmp/call" ublk ram 1M
	case $status in
	0) wanted=1 ;;
	3) break ;;
	*) wanted=0 ;;
	esac
	got=$(devices)
	[ "$got" -eq $wanted ] || problem="call $n: $got devices, status $status"
	run ublk stop --force --all
	[ $status -eq 0 ] || problem="$problem, not stopped: $err"
	n=$((n + 1))
done
run ublk stop --force --all
note "$((n - 1)) times EAGAIN"
[ $n -gt 3 ] || problem="$problem, only $((n - 1)) calls"
is "$problem" "" "a start whose calls have to be made again: one device"

leaves_nothing "nothing is left"
done_testing
