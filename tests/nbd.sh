# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/exporter --tool mkfs.ext4
# board: --add $O/driver/liar --tool e2fsck --disk 80M --timeout 900
# kernel: tests
#
# A disk that is an export of a server of NBD: read, written, flushed, freed; by one
# queue and by several; while the server is killed and started again, and while the
# servers of the disk are. Servers that do not answer, or with something else.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -e /sys/class/net/lo ] || skip_all "the kernel has no network"
port=20000
at_exit 'stop_started'

# export OPTION...: starts the server of the file $tmp/export.
exports() {
	rm -f "$tmp/listens"
	"${0%/*}/exporter" "$@" $port "$tmp/export" >"$tmp/listens" 2>&1 &
	exporter=$!
	wait_until 10 grep -q listens "$tmp/listens"
}
ends() {
	kill -KILL $exporter
	wait $exporter 2>/dev/null
}
at_exit 'kill -KILL $exporter 2>/dev/null'
# A signal that stops a process stops its threads one after the other.
stands() {
	! cat /proc/$exporter/task/*/status | grep '^State:' | grep -qv 'T (stopped)'
}

mkfs.ext4 -q -F /dev/vda
mkdir "$tmp/below" "$tmp/mnt"
mount -t ext4 /dev/vda "$tmp/below"
at_exit 'wait_until 10 umount "$tmp/below" 2>/dev/null'
at_exit 'umount "$tmp/mnt" 2>/dev/null'
pattern export 4194304 >"$tmp/below/start"
ln -s below/export "$tmp/export"

# whole NAME: the disk is the export.
whole() {
	is "$(read_back "$dev" 33554432 | sum -)" "$(sum "$tmp/below/export")" "$1"
}

# works OPTION... -- OPTION...: of the server, and of the disk.
works() {
	server=''
	while [ "$1" != -- ]; do
		server="$server $1"
		shift
	done
	shift
	title="server$server, disk $*"
	cp "$tmp/below/start" "$tmp/below/export"
	truncate -s 32M "$tmp/below/export"
	# shellcheck disable=SC2086 # words are meant to be split
	exports $server
	served "$title" file "nbd://127.0.0.1:$port/any" "$@"
	whole "$title: it reads what is there"
	pattern far 1048576 | put "$dev" 4096
	pattern odd 512 | put "$dev" 8389120
	dd if=/dev/zero of="$dev" bs=1M seek=3 count=1 oflag=direct conv=notrunc 2>/dev/null
	sync
	whole "$title: what is written is there"
	ok "$title: a filesystem" mkfs.ext4 -q -F "$dev"
	ok "$title: mount it" mount -t ext4 "$dev" "$tmp/mnt"
	for n in 1 2 3 4; do
		pattern "$n" 3000000 >"$tmp/mnt/$n"
	done
	ok "$title: umount it" umount "$tmp/mnt"
	ok "$title: it is whole" e2fsck -fn "$dev"
	whole "$title: the export has it"
	stopped "$title: stop it" "$dev"
	ends
}
works --
works --simple --
works --plain --
works -- -q 2 --depth 32

# A part of an export stays that part, whoever serves it.
cp "$tmp/below/start" "$tmp/below/export"
exports
served "a part" file --offset 1M --size 1M "nbd://127.0.0.1:$port/any"
part() {
	is "$(read_back "$dev" 1048576 | sum -)" \
		"$(tail -c +1048577 "$tmp/below/export" | head -c 1048576 | sum -)" "$1"
}
part "it is read"
pattern part 4096 | put "$dev" 0
ok "another program serves it" ublk upgrade "$id"
part "the part is the same"
kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
ok "all are killed: recover" ublk recover "$id"
part "and still the same"
is "$(head -c 1048576 "$tmp/below/export" | sum -)" \
	"$(head -c 1048576 "$tmp/below/start" | sum -)" "what is before it is as it was"
stopped "stop it" "$dev"
ends

# The server goes and comes while files are written and read.
cp "$tmp/below/start" "$tmp/below/export"
truncate -s 32M "$tmp/below/export"
exports
served "a server that is killed" file "nbd://127.0.0.1:$port/any" -q 2
# Nobody who serves has a right to make connections, and who makes them has no other.
worker=$(worker_of "$id")
of_tasks() {
	cat /proc/"$1"/task/*/status | awk -v "field=$2:" '$1 == field { print $2 }' | sort -u
}
is "$(of_tasks "$worker" Seccomp)" 2 "all its threads are behind a filter of calls"
is "$(of_tasks "$worker" CapEff)" 0000000000000000 "without capabilities"
connector=$(awk -v "parent=$worker" '$4 == parent { print $1 }' /proc/[0-9]*/stat)
is "$(of_tasks "$connector" CapEff)" 0000000000000000 "and so is who makes connections"
mkfs.ext4 -q -F "$dev"
mount -t ext4 "$dev" "$tmp/mnt"
load() {
	for round in 1 2 3; do
		for n in 1 2 3 4; do
			pattern "$n$round" 3000000 >"$tmp/mnt/$n" || return 1
			sync
		done
		echo 3 >/proc/sys/vm/drop_caches
		for n in 1 2 3 4; do
			[ "$(sum "$tmp/mnt/$n")" = "$(pattern "$n$round" 3000000 | sum -)" ] ||
				return 1
		done
	done
}
# done_some: waits until the disk has done ten requests, or the load has ended.
requests() {
	awk '{ print $1 + $5 + $12 + $16 }' "/sys/block/${dev#/dev/}/stat"
}
done_some() {
	some=$(($(requests) + 10))
	wait_until 60 eval '! runs $loader || [ $(requests) -ge $some ]'
}
load &
loader=$!
kills=0
while runs $loader; do
	done_some
	ends
	kills=$((kills + 1))
	[ $((kills % 3)) -ne 0 ] || sleep 0.5
	exports
done
wait $loader
is $? 0 "nobody notices: what was written is read"
note "$kills kills"
[ $kills -ge 3 ] && pass "it was killed" || fail "it was killed" "$kills times"

# The servers of the disk go and come.
load &
loader=$!
kills=0
while runs $loader; do
	worker=$(worker_of "$id")
	kill -KILL "$worker"
	wait_until 30 eval '[ "$(worker_of "$id")" != "$worker" ]'
	kills=$((kills + 1))
	done_some
done
wait $loader
is $? 0 "workers are killed: what was written is read"
note "$kills kills"
ok "the program is replaced" ublk upgrade "$id"
ok "umount it" umount "$tmp/mnt"
ok "it is whole" e2fsck -fn "$dev"
whole "the export has it"
kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
ok "all are killed: recover" ublk recover "$id"
whole "it is the same"
stopped "stop it" "$dev"
ends
fails 1 "with --buffered" ublk file --buffered "nbd://127.0.0.1:$port/any"
fails 1 "nobody is there" ublk file "nbd://127.0.0.1:$port/any"
like "$err" 'cannot connect' "it says so"

fails 1 "a timeout of a file" ublk file --timeout 1 "$tmp/export"
like "$err" 'for an export' "it says so"

first_block() {
	dd if="$dev" of=/dev/null bs=4096 count=1 iflag=direct
}
# With a timeout, requests fail when the server stays away, and not before.
cp "$tmp/below/start" "$tmp/below/export"
exports
served "with --timeout" file --timeout 2 "nbd://127.0.0.1:$port/any"
is "$(read_back "$dev" 65536 | sum -)" "$(head -c 65536 "$tmp/below/start" | sum -)" \
	"it is read"
ends
fails 1 "the server stays away: it cannot be read" first_block
like "$(dmesg)" 'no answer for 2 seconds; requests fail' "the log says why"
exports
is "$(read_back "$dev" 65536 | sum -)" "$(head -c 65536 "$tmp/below/start" | sum -)" \
	"it is back: so is the disk"

# It comes back with something else: nothing of that is read.
ends
truncate -s 2M "$tmp/below/export"
exports
fails 1 "the export has become smaller: it cannot be read" first_block
like "$(dmesg)" 'the export has' "the log says what it has"
stopped "stop it" "$dev"
ends

# A disk whose server is away, or keeps silent, can be stopped: what waits fails.
cp "$tmp/below/start" "$tmp/below/export"
for silence in KILL STOP; do
	for how in '' --no-supervise; do
		title="server with SIG$silence, disk $how"
		exports
		# shellcheck disable=SC2086 # no word, or one
		served "$title" file $how "nbd://127.0.0.1:$port/any"
		ok "$title: it is read" first_block
		like "$(ublk list --json "$id")" '"waiting": false' "$title: it does not wait"
		kill -$silence $exporter
		[ $silence = KILL ] || wait_until 10 stands
		first_block 2>"$tmp/error" &
		reader=$!
		wait_until 10 eval '[ "$(awk "{ print \$9 }" /sys/block/${dev#/dev/}/stat)" = 1 ]'
		[ $silence = STOP ] || {
			wait_until 10 eval 'ublk list "$id" | grep -q "waiting for nbd"'
			like "$(ublk list --json "$id")" '"waiting": true' \
				"$title: the list says that it waits"
		}
		fails 1 "$title: it is in use" ublk stop "$dev"
		ok "$title: it is stopped by force" ublk stop --force "$dev"
		wait $reader
		like "$? $(cat "$tmp/error")" '^1 .*error' "$title: who waited has an error"
		is "$(ls -d /sys/block/ublkb* /dev/ublk[bc]* 2>/dev/null)" '' "$title: nothing is left"
		ends
	done
done

# Who makes connections is killed: the worker ends, and the next one has another.
exports
served "a disk" file "nbd://127.0.0.1:$port/any"
worker=$(worker_of "$id")
kill -KILL "$(awk -v "parent=$worker" '$4 == parent { print $1 }' /proc/[0-9]*/stat)"
ok "another worker takes its place" \
	wait_until 30 eval '[ "$(worker_of "$id")" != "$worker" ]'
ends
exports
is "$(read_back "$dev" 65536 | sum -)" "$(head -c 65536 "$tmp/below/start" | sum -)" \
	"it makes connections"
stopped "stop it" "$dev"
ends

# liar LIE...: a server whose replies cannot be right. Each is noticed, and what
# it has sent is nobody's.
for lie in magic cookie kind short twice outside hole-outside long; do
	"${0%/*}/liar" nbd $lie "$tmp/below/start" >"$tmp/port" &
	exporter=$!
	wait_until 10 test -s "$tmp/port"
	served "lie: $lie" file --timeout 2 "nbd://127.0.0.1:$(cat "$tmp/port")/"
	fails 1 "$lie: it cannot be read" first_block
	like "$(dmesg | grep "$(cat "$tmp/port")")" repl \
		"$lie: the log says what was wrong"
	stopped "$lie: stop it" "$dev"
	ends
	rm "$tmp/port"
done

done_testing
