# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/nbd.lib --add $O/driver/exporter
# board: --add $O/driver/liar --tool mkfs.ext4 --disk 80M --timeout 900
# kernel: tests
#
# A disk that is an export of a server of NBD, while the server is away, hangs, is
# elsewhere, or is not what it was: requests wait, with --timeout not for ever, `ublk
# list` says so, and nothing wrong is read. The disk can be stopped and served anew.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/nbd.lib"
uri=nbd://127.0.0.1:$port/any

lists() {
	ublk list "$id" | grep -q "$1"
}
# reads: begins to read the first block; to $tmp/sum, at last.
reads() {
	first_block >"$tmp/sum" &
	reader=$!
}
# has_read NAME: a check that it was read, and is what it was.
has_read() {
	wait $reader
	as_first_block "$1" "$(cat "$tmp/sum")"
}
# A signal that stops a process stops its threads one after the other.
exporter_stands() {
	! cat /proc/$exporter/task/*/status | grep '^State:' | grep -qv 'T (stopped)'
}
hangs() {
	kill -STOP $exporter
	wait_until 10 exporter_stands
}
cannot_read() {
	dd if="$dev" of=/dev/null bs=4096 count=1 iflag=direct
}

# Refused, with a reason.
fails 1 "nobody is there" ublk file "$uri"
like "$err" 'cannot connect' "it says so"
fails 1 "a timeout of a file" ublk file --timeout 1 "$tmp/below/start"
like "$err" 'for an export' "it says so"
fresh 4M
exports
fails 1 "with --buffered" ublk file --buffered "$uri"
like "$err" 'for a file' "it says so"
fails 1 "a socket in this folder" ublk file "nbd+unix:///any?socket=sock"
like "$err" 'begin with /' "it says so"

# Away: requests wait, and the list says so.
served "a disk" file "$uri"
lists "$uri" && ! lists waiting && pass "it is in the list" ||
	fail "it is in the list" "$(ublk list "$id")"
ends
reads
wait_until 20 lists " waiting for $uri" && pass "the server is away: the list says so" ||
	fail "the server is away: the list says so" "$(ublk list "$id")"
like "$(ublk list --json "$id")" '"waiting": true' "so it does in JSON"
like "$(dmesg)" 'Connection refused; waiting for it' "the log says why"
runs $reader && pass "requests wait" || fail "requests wait"
worker=$(worker_of "$id")
kill -KILL "$worker"
wait_until 30 another_worker
wait_until 20 lists " waiting for $uri" && pass "the worker is killed: they go on waiting" ||
	fail "the worker is killed: they go on waiting" "$(ublk list "$id")"
exports
has_read "it is back: they are answered"
lists waiting && fail "the list is as before" "$(ublk list "$id")" ||
	pass "the list is as before"

# Back with another size, which is not what the disk was.
ends
truncate -s 2M "$tmp/below/export"
exports
reads
wait_until 20 eval 'dmesg | grep -q "the export has another size"' &&
	pass "another size: the log says so" || fail "another size: the log says so"
wait_until 20 lists waiting && runs $reader && pass "it is waited for what it was" ||
	fail "it is waited for what it was" "$(ublk list "$id")"
ends
fresh 4M
exports --plain
wait_until 20 eval 'dmesg | grep -q "can do less"' &&
	pass "one that cannot flush: the log says so" ||
	fail "one that cannot flush: the log says so"
runs $reader && pass "and is not used" || fail "and is not used"
ends
exports
has_read "it is what it was: requests are answered"

# Serving anew needs the server; without it everything stays as it is.
ends
fails 1 "the server is away: no other program" ublk upgrade "$id"
exports
reads
has_read "the old one goes on"
kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
ends
fails 1 "nor can it be recovered" ublk recover "$id"
exports
ok "it is back: recover" ublk recover "$id"
reads
has_read "the disk is what it was"
ends
stopped "the server is away, and nobody waits: stop it" "$dev"

# With a timeout, requests fail, and not before.
exports
served "with --timeout" file --timeout 2 "$uri"
reads
has_read "it is read"
ends
fails 1 "the server stays away: it cannot be read" cannot_read
like "$(dmesg)" 'no answer for 2 seconds; 1 requests? fail' "the log says why"
exports
reads
has_read "it is back: so is the disk"
hangs
fails 1 "it keeps the connection and is silent: it cannot be read" cannot_read
fails 1 "nor on another connection" cannot_read
ends
stopped "requests have failed, and the server is away: stop it" "$dev"

# A disk whose server is away, or keeps silent, can be stopped: what waits fails.
fresh 4M
for silence in ends hangs; do
	for how in '' --no-supervise; do
		title="the server $silence, disk $how"
		exports
		# shellcheck disable=SC2086 # no word, or one
		served "$title" file $how "$uri"
		reads
		has_read "$title: it is read"
		like "$(ublk list --json "$id")" '"waiting": false' "$title: it does not wait"
		$silence
		cannot_read 2>"$tmp/error" &
		reader=$!
		wait_until 10 eval '[ "$(awk "{ print \$9 }" /sys/block/${dev#/dev/}/stat)" = 1 ]'
		[ $silence = hangs ] || wait_until 10 lists 'waiting for nbd'
		fails 1 "$title: it is in use" ublk stop "$dev"
		ok "$title: it is stopped by force" ublk stop --force "$dev"
		wait $reader
		like "$? $(cat "$tmp/error")" '^1 .*error' "$title: who waited has an error"
		is "$(ls -d /sys/block/ublkb* /dev/ublk[bc]* 2>/dev/null)" '' "$title: nothing is left"
		ends
	done
done

# Somewhere else: the host has another address.
fresh 4M
mkdir -p /etc
echo '127.0.0.1 server' >/etc/hosts
exports
served "by name" file "nbd://server:$port/any"
reads
has_read "it is read"
ends
exports --at 127.0.0.2
reads
wait_until 20 lists waiting && pass "it is not where it was" || fail "it is not where it was"
echo '127.0.0.2 server' >/etc/hosts
has_read "it is found elsewhere"
stopped "stop it" "$dev"
ends

# A cable is pulled. The server dies meanwhile, and nobody hears of it.
exports
served "by cable" file "$uri"
reads
has_read "it is read"
ip link set lo down
reads
sleep 1
runs $reader && pass "the cable is pulled: requests wait" ||
	fail "the cable is pulled: requests wait" "$(cat "$tmp/sum")"
ip link set lo up
has_read "it is back: they are answered"
ip link set lo down
reads
ends
ip link set lo up
exports
has_read "the server was restarted meanwhile: they are answered"
stopped "stop it" "$dev"
ends

# liar LIE...: a server whose replies cannot be right. Each is noticed, and what
# it has sent is nobody's.
for lie in magic cookie kind short twice outside hole-outside long; do
	"${0%/*}/liar" nbd $lie "$tmp/below/start" >"$tmp/port" &
	exporter=$!
	wait_until 10 test -s "$tmp/port"
	dmesg -c >/dev/null
	served "lie: $lie" file --timeout 2 "nbd://127.0.0.1:$(cat "$tmp/port")/"
	fails 1 "$lie: it cannot be read" cannot_read
	like "$(dmesg | grep "$(cat "$tmp/port")")" repl \
		"$lie: the log says what was wrong"
	[ "$(dmesg | grep -c repl)" -le 10 ] && pass "$lie: after growing pauses" ||
		fail "$lie: after growing pauses" "$(dmesg | grep repl)"
	stopped "$lie: stop it" "$dev"
	ends
	rm "$tmp/port"
done

done_testing
