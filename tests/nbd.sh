# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/nbd.lib --add $O/driver/exporter
# board: --tool mkfs.ext4 --tool e2fsck --tool blkdiscard --tool dd --disk 80M
# board: --timeout 900
# kernel: tests
#
# A disk that is an export of a server of NBD: read, written, flushed, freed; by one
# queue and by several; while the server is killed and started again, and while the
# servers of the disk are.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

. "${0%/*}/nbd.lib"

# works OPTION... -- OPTION...: of the server, and of the disk.
works() {
	server=''
	while [ "$1" != -- ]; do
		server="$server $1"
		shift
	done
	shift
	title="server$server, disk $*"
	fresh 32M
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

# What the server is asked for. Types: 1 write, 3 FLUSH, 4 trim, 6 write zeroes.
fresh 32M
exports --tell
# asked NAME LINE COMMAND...: a check that after COMMAND there is such a request.
asked() {
	title=$1 line=$2
	shift 2
	lines=$(wc -l <"$tmp/exporter")
	ok "$title" "$@"
	like "$(tail -n +$((lines + 1)) "$tmp/exporter")" "^type $line\$" "$title: it is asked for"
}
disk_space() {
	du -k "$tmp/below/export" | cut -f 1
}
served "to see what it asks for" file "nbd://127.0.0.1:$port/any"
asked "a write that is to last" "1 at 8192 length 4096 flags 1" \
	dd if="$tmp/below/start" of="$dev" bs=4096 seek=2 count=1 oflag=direct,dsync conv=notrunc
asked "any other write" "1 at 4096 length 4096 flags 0" \
	dd if="$tmp/below/start" of="$dev" bs=4096 seek=1 count=1 oflag=direct conv=notrunc
asked "FLUSH" "3 at 0 length 0 flags 0" sync "$dev"
taken=$(disk_space)
asked "discard" "4 at 1048576 length 1048576 flags 0" blkdiscard -o 1M -l 1M "$dev"
[ "$(disk_space)" -le $((taken - 1000)) ] && pass "it frees space" ||
	fail "it frees space" "$taken, and then $(disk_space) KiB"
asked "zeroes" "6 at 2097152 length 65536 flags 2" blkdiscard -z -o 2M -l 64K "$dev"
whole "all of that is there"

# As many requests are on their way as there are: the server waits for all.
kill -USR1 $exporter
readers=''
n=0
while [ $n -lt 16 ]; do
	dd if="$dev" of="$tmp/read.$n" bs=4096 skip=$n count=1 iflag=direct 2>/dev/null &
	readers="$readers $!"
	n=$((n + 1))
done
any_reader() {
	for reader in $readers; do
		! runs "$reader" || return 0
	done
	return 1
}
wait_until 30 eval '! any_reader' || {
	fail "requests do not wait for each other"
	ends
	exports
}
# shellcheck disable=SC2086 # words are meant to be split
wait $readers
n=0
while [ $n -lt 16 ]; do
	cat "$tmp/read.$n"
	n=$((n + 1))
done >"$tmp/read"
is "$(sum "$tmp/read")" "$(head -c 65536 "$tmp/below/export" | sum -)" \
	"16 requests are on their way at a time"
rm "$tmp"/read*
stopped "stop it" "$dev"
ends

# A part of an export stays that part, whoever serves it.
fresh 32M
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

# A server does late what it was asked for by processes that died. That undoes nothing
# which was written since.
fresh 32M
exports
served "a late server" file "nbd://127.0.0.1:$port/any"
# late NAME COMMAND...: COMMAND kills who serves, and has the disk served by others.
late() {
	title=$1
	shift
	: >"$tmp/exporter"
	kill -USR2 $exporter
	pattern old 4096 | put "$dev" 8192 &
	writer=$!
	wait_until 20 grep -q late "$tmp/exporter"
	ok "$title" "$@"
	wait $writer
	pattern new 4096 | put "$dev" 8192
	wait_until 20 grep -q 'done' "$tmp/exporter"
	echo 3 >/proc/sys/vm/drop_caches
	is "$(dd if="$dev" bs=4096 skip=2 count=1 iflag=direct 2>/dev/null | sum -)" \
		"$(pattern new 4096 | sum -)" "$title: a late write undoes nothing"
}
kill_worker() {
	worker=$(worker_of "$id")
	kill -KILL "$worker"
	wait_until 30 another_worker
}
kill_all() {
	kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
	ublk recover "$id"
}
late "the worker is killed" kill_worker
late "all are killed, and another program recovers it" kill_all
stopped "stop it" "$dev"
ends

# The server goes and comes while files are written and read.
fresh 32M
exports
served "a server that is killed" file "nbd://127.0.0.1:$port/any" -q 2
# Nobody who serves has a right to make connections, and who makes them has few others.
worker=$(worker_of "$id")
of_tasks() {
	cat /proc/"$1"/task/*/status | awk -v "field=$2:" '$1 == field { print $2 }' | sort -u
}
is "$(of_tasks "$worker" Seccomp)" 2 "all its threads are behind a filter of calls"
is "$(of_tasks "$worker" CapEff)" 0000000000000000 "without capabilities"
connector=$(connector_of "$worker")
is "$(of_tasks "$connector" Seccomp)" 2 "so is who makes connections"
is "$(of_tasks "$connector" CapEff)" 0000000000000000 "without capabilities, too"
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

# The servers of the disk go and come, and every third time who makes connections.
load &
loader=$!
kills=0
while runs $loader; do
	worker=$(worker_of "$id")
	victim=$worker
	[ $((kills % 3)) -ne 2 ] || victim=$(connector_of "$worker")
	kill -KILL "$victim"
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
done_testing
