# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --timeout 900
#
# A worker that dies, by whatever signal, is replaced at once: readers and
# writers see a pause and no error. If workers keep dying, the supervisor gives
# up.
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

# Its messages.
served "a disk" ram 16M
worker=$(worker_of "$id")
dmesg -c >/dev/null
kill -KILL "$worker"
wait_until 5 another_worker
wait_until 5 sh -c 'dmesg | grep -q "serves it now"'
like "$(dmesg)" "ublk: device $id: the server was killed by signal 9; process $(worker_of "$id") serves it now, after [0-9]+ ms" \
	"the kernel's log says who died, who serves, and how long nobody did"
stopped "stop it" "$dev"

# A new worker has a high priority, and so memory that others do not get, until
# it has answered the waiting requests. Then it has the same priority as others.
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

# As many requests as the disk takes, and nobody answers them: a driver that
# notices a death only by its commands needs one free tag.
truncate -s 8M "$tmp/file"
for depth in 1 4 5 64; do
	served "a disk of depth $depth" ram 8M -d $depth
	worker=$(worker_of "$id")
	kill -STOP "$worker"
	n=0 readers=''
	while [ $n -lt 12 ]; do
		dd if="$dev" of=/dev/null bs=4k count=1 skip=$((n * 16)) \
			iflag=direct 2>/dev/null &
		readers="$readers $!"
		n=$((n + 1))
	done
	sleep 0.5
	kill -KILL "$worker"
	ok "depth $depth: another worker comes" wait_until 30 another_worker
	problem=''
	for reader in $readers; do
		wait_until 30 eval '! runs '"$reader" ||
			problem="a reader hangs"
	done
	is "$problem" "" "depth $depth: nobody hangs"
	stopped "depth $depth: stop it" "$dev"
done

# A device whose workers die at once, one after another, does not work: its I/O
# fails, and it keeps its data.
given_up() {
	grep -q '^given_up=1$' "/run/ublk/$id"
}
kill_again() {
	kill -KILL "$(worker_of "$id")" 2>/dev/null
	given_up
}
# give_up: no worker can start any more, because io_uring was switched off on
# the running system; or every worker dies at once.
sysctl=/proc/sys/kernel/io_uring_disabled
[ ! -w $sysctl ] || at_exit 'echo 0 >$sysctl'
give_up() {
	if [ -w $sysctl ]; then
		echo 2 >$sysctl
		kill -KILL "$(worker_of "$id")"
		wait_until 120 given_up
		echo 0 >$sysctl
	else
		wait_until 120 kill_again
	fi
	given_up
}
# fails_all NAME: reads and writes fail, and soon.
fails_all() {
	run timeout 60 dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct
	reads=$status
	run timeout 60 dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct
	is "$reads $status" "1 1" "$1"
}
truncate -s 8M "$tmp/below"
ublk pack "$tmp/data" "$tmp/image.gz"
for target in "ram 8M" "ram 8M --cow 4M -q 2" "file $tmp/file -q 2" \
	"file $tmp/below --cow 4M" "file $tmp/below --cow $tmp/kept" \
	"zimg $tmp/image.gz"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$target" $target
	case $target in zimg*) ;; *) put "$dev" 0 <"$tmp/data" ;; esac
	server=$(server_of "$id")
	dmesg -c >/dev/null
	dd if="$dev" of=/dev/null bs=4k iflag=direct 2>/dev/null &
	reader=$!
	ok "$target: servers that cannot start are given up" give_up
	like "$(dmesg)" "8 servers died without having answered anything; the device fails all I/O and keeps what it has, until .ublk recover $id. or .ublk stop $id." \
		"$target: the log says so, and what to do"
	[ ! -w $sysctl ] || like "$(dmesg)" "kernel.io_uring_disabled" \
		"$target: and why"
	ok "$target: who waited is told" wait_until 60 eval '! runs $reader'
	fails_all "$target: I/O fails"
	like "$(ublk list "$id")" " fail-io .* $server no " "$target: list says so"
	fails 1 "$target: it cannot be upgraded" ublk upgrade "$id"
	ok "$target: recover it" ublk recover "$id"
	is "$out" "$dev" "$target: the node is printed"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"$target: all is there"
	like "$(ublk list "$id")" " live .* yes " "$target: it is supervised"
	stopped "$target: stop it" "$dev"
done
served "a disk" ram 16M
put "$dev" 0 <"$tmp/data"
give_up
kill -KILL "$(server_of "$id")"
ok "recover one that has given up and was killed" ublk recover "$id"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
give_up
stopped "one that has given up can be stopped" "$dev"
# A device that cannot be recovered keeps failing: nobody waits for ever.
for target in "file $tmp/below" "file $tmp/below --cow 4M" \
	"file $tmp/below --cow $tmp/kept"; do
	rm -f "$tmp/kept"
	# shellcheck disable=SC2086 # words are meant to be split
	served "$target" $target
	put "$dev" 0 <"$tmp/data"
	cp "/run/ublk/$id" "$tmp/record"
	give_up
	mv "$tmp/below" "$tmp/moved"
	for time in first second; do
		fails 1 "$target, moved away: recover fails" ublk recover "$id"
		like "$err" "$tmp/below" "$target, moved away: and says why"
		fails_all "$target: I/O fails on after the $time time"
		like "$(ublk list "$id")" \
			" fail-io .* $(server_of "$id") no +$tmp/below" \
			"$target: list says so after the $time time"
	done
	is "$(grep -vE '^(pid|started|worker|given_up)' "/run/ublk/$id")" \
		"$(grep -vE '^(pid|started|worker)' "$tmp/record")" \
		"$target: the record says the same"
	mv "$tmp/moved" "$tmp/below"
	ok "$target, back: recover it" ublk recover "$id"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"$target: all is there"
	give_up
	mv "$tmp/below" "$tmp/moved"
	fails 1 "$target, moved again: recover fails" ublk recover "$id"
	server=$(server_of "$id")
	case $target in
	*kept) fails 1 "$target: stop does not give up what was written" \
			ublk stop "$id"
		like "$err" "some writes are not in the --cow file yet" "$target: and says so"
		mv "$tmp/moved" "$tmp/below"
		stopped "$target: back, it is stopped" "$dev"
		served "what was written" $target
		is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
			"$target: is there"
		stopped "stop it" "$dev" ;;
	*) kill -TERM "$server"
		ok "$target: a signal ends it" \
			wait_until 60 nothing_of "$id" "$server"
		mv "$tmp/moved" "$tmp/below" ;;
	esac
done

served "a disk" ram 16M
give_up
server=$(server_of "$id")
kill -TERM "$server"
ok "a signal ends one that has given up" wait_until 60 nothing_of "$id" "$server"

# Without a supervisor.
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

# At any moment of its end.
bad=''
for delay in 0 500 1000 2000 3000 5000 8000 12000 20000 40000; do
	serve ram 1M
	kill -KILL "$(server_of "$id")"
	usleep $delay
	ublk stop "$id" 2>"$tmp/stop" && nothing_of "$id" "$server" ||
		bad="$bad after $delay us: $(cat "$tmp/stop")"
done
is "$bad" "" "however soon after its supervisor's death"

# A record that cannot be written for a while: the disk works, and the record is
# updated as soon as possible.
served "a disk" ram 1M
pattern kept 65536 | put "$dev" 0
before=$(worker_of "$id")
mount -o remount,ro /run
kill -KILL "$before"
is "$(read_back "$dev" 65536 | sum -)" "$(pattern kept 65536 | sum -)" \
	"a disk whose record cannot be written goes on"
is "$(worker_of "$id")" "$before" "its record is old"
mount -o remount,rw /run
renewed() {
	now=$(worker_of "$id")
	[ "$now" ] && [ "$now" != "$before" ] && runs "$now"
}
ok "it is right later" wait_until 60 renewed
kill -KILL "$(server_of "$id")"
ok "so that the disk can be recovered" ublk recover "$id"
is "$(read_back "$dev" 65536 | sum -)" "$(pattern kept 65536 | sum -)" \
	"with its contents"
stopped "stop it" "$dev"

# A supervisor that is killed during a stop: the stop waits for its worker.
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
