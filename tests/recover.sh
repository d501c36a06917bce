# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/strike --tool mkfs.ext4 --disk 32M --timeout 900
#
# `ublk recover`: after all processes of a device were killed, its disk is back
# with its contents, and waiting requests proceed. A record that does not fit is
# refused.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"

# kill_all: both processes of the device, at the same time.
kill_all() {
	server=$(server_of "$id")
	kill -KILL "$server" "$(worker_of "$id")"
	wait_until 5 state_is quiesced
}
state_is() {
	ublk list "$id" | grep -q " $1 "
}

pattern data 1048576 >"$tmp/data"
truncate -s 8M "$tmp/file"
ublk pack "$tmp/data" "$tmp/image.gz"
for target in "ram 8M" "file $tmp/file" "file $tmp/file -q 2 --offset 1M --buffered" \
	"zimg $tmp/image.gz --cache 1M" "file $tmp/file --cow 4M -q 2" \
	"file $tmp/file --cow $tmp/kept"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$target" $target
	case $target in zimg*) ;; *) put "$dev" 0 <"$tmp/data" ;; esac
	cp "/run/ublk/$id" "$tmp/record"
	kill_all
	is "$(ublk list --json "$id" | grep -o '"state": "[a-z]*"')" \
		'"state": "quiesced"' "$target: it waits"
	dd if="$dev" of="$tmp/read" bs=4k count=1 skip=3 iflag=direct \
		2>/dev/null &
	reader=$!
	sleep 0.3
	ok "$target: recover it" ublk recover "$id"
	is "$out" "$dev" "$target: the node is printed"
	is "$(ublk list --json "$id" | grep -o '"state": "[a-z]*"')" \
		'"state": "live"' "$target: it is live"
	wait $reader
	is $? 0 "$target: who waited sees no error"
	is "$(sum "$tmp/read")" \
		"$(dd if="$tmp/data" bs=4k count=1 skip=3 2>/dev/null | sum -)" \
		"$target: but the data"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"$target: all is there"
	is "$(grep -vE '^(pid|started|worker)' "/run/ublk/$id")" \
		"$(grep -vE '^(pid|started|worker)' "$tmp/record")" \
		"$target: the record says the same"
	fails 1 "$target: a second server is refused" ublk recover "$id"
	like "$err" "device $id already has a server, process $(server_of "$id")" \
		"$target: and told why"
	stopped "$target: stop it" "$dev"
done

# If only the worker is left, it is replaced, but no stranger that has its pid
# by then is killed.
served "a disk" ram 8M
put "$dev" 0 <"$tmp/data"
server=$(server_of "$id")
kill -KILL "$server"
wait_until 5 eval '! runs $server'
run "${0%/*}/strike" 1 -a -c kill -e EPERM -o "$tmp/call" ublk recover "$id"
is $status 3 "a worker that is alone is not killed by its number"
ok "recover" wait_until 10 state_is live
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
stopped "stop it" "$dev"

# What was discarded before stays discarded, and what was written stays, page by
# page.
served "a disk" ram 8M
put "$dev" 0 <"$tmp/data"
blkdiscard -o 65536 -l 131072 "$dev"
read_back "$dev" 1048576 >"$tmp/want"
kill_all
ok "recover it" ublk recover "$id"
read_back "$dev" 1048576 >"$tmp/got"
same "$tmp/got" "$tmp/want" "holes and data are where they were"
stopped "stop it" "$dev"
[ ! -e /run/ublk.memory ] && pass "its memory goes back" ||
	fail "its memory goes back" "$(ls -l /run/ublk.memory)"

# Records.
served "a disk" ram 8M
put "$dev" 0 <"$tmp/data"
kill_all
cp "/run/ublk/$id" "$tmp/record"
for change in queues=3 depth=7 max_io=65536 size_of_argument target=none depth=x \
	size=4194304 size=x node=/dev/ublkb77 id=77; do
	case $change in
	size_of_argument) sed 's/^argument=.*/argument=4M/' "$tmp/record" ;;
	*) sed "s/^${change%=*}=.*/$change/" "$tmp/record" ;;
	esac >"/run/ublk/$id"
	fails 1 "a record with another $change is refused" ublk recover "$id"
	state_is quiesced && pass "and it waits on" || fail "and it waits on"
done
rm "/run/ublk/$id"
fails 1 "without a record there is nothing to start" ublk recover "$id"
like "$err" "has no record to recover it from" "and that is said"
cp "$tmp/record" "/run/ublk/$id"
ok "with its own it comes back" ublk recover "$id"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "with all"
stopped "stop it" "$dev"

fails 1 "no such device" ublk recover 77
fails 2 "no device named" ublk recover
fails 2 "both named and all" ublk recover --all 1

# All devices at the same time, one of them with a server.
served "one" ram 1M
first=$id
kill_all
served "two" ram 1M
second=$id
served "three" ram 1M
kill_all
ok "recover them all" ublk recover --all
is "$(echo $out)" "/dev/ublkb$first $dev" "two were meant"
ok "once more" ublk recover --all
is "$out" "" "nothing is left to do"
ok "stop them" ublk stop "$first" "$second" "$id"

# A record has room for the longest paths.
long=$tmp
while [ ${#long} -lt 3700 ]; do
	long=$long/$(printf "it's%0200d" 0)
done
mkdir -p "$long"
truncate -s 1M "$long/file"
served "long paths" file "$long/file" --cow "$long/kept"
put "$dev" 0 <"$tmp/data"
is "$(. "/run/ublk/$id"; echo "$file_cow")" "$long/kept" \
	"the record has them"
kill_all
ok "recover it" ublk recover "$id"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
is "$(ls "$long")" "file
kept" "and no other file was made"
stopped "stop it" "$dev"
rm -rf "$tmp"/it*

# A file that was replaced by another one.
served "a file" file "$tmp/file"
kill_all
mv "$tmp/file" "$tmp/first"
fails 1 "a file that is gone is refused" ublk recover "$id"
truncate -s 8M "$tmp/file"
fails 1 "another file is refused, though it fits" ublk recover "$id"
like "$err" "$tmp/file is not what it was: dev=.*inode=[0-9]+.*, not dev=.*inode=[0-9]" \
	"with what it is, and what it was"
truncate -s 4M "$tmp/first"
mv "$tmp/first" "$tmp/file"
fails 1 "a file that is smaller than the disk is refused" ublk recover "$id"
like "$err" "does not fit device $id" "and told why"
truncate -s 8M "$tmp/file"
ok "when it fits it is taken" ublk recover "$id"
kill_all
stopped "one that waits can be stopped" "$dev"

# refused NAME: it is not recovered, a message names both, and it still waits.
refused() {
	fails 1 "$1 is refused" ublk recover "$id"
	like "$err" "is not what it was: .*, not " "$1: both are told"
	state_is quiesced && pass "$1: it waits on" ||
		fail "$1: it waits on" "$(ublk list "$id")"
}
# back NAME: it is recovered, with the same contents as before.
back() {
	ok "$1: recover it" ublk recover "$id"
	is "$(read_back "$dev" 1048576 | sum -)" "$content" "$1: it is the same"
}
mkfs.ext4 -q /dev/vda
mkdir "$tmp/mnt"
mount /dev/vda "$tmp/mnt"
at_exit 'stop_started; umount "$tmp/mnt"'
pattern other 1048576 >"$tmp/other"
# Two images of the same size: chunks that cannot be compressed.
for n in a b; do
	head -c 1048576 /dev/urandom >"$tmp/random.$n"
	ublk pack "$tmp/random.$n" "$tmp/$n.gz"
done
is "$(wc -c <"$tmp/a.gz")" "$(wc -c <"$tmp/b.gz")" "two images have one size"
x=$tmp/mnt/x
for what in "file" "file -r" "file --cow 2M" "file --cow $tmp/mnt/kept" "zimg" \
	"zimg --cow 1M" "zimg --cow $tmp/mnt/kept"; do
	target=${what%% *}
	options=${what#"$target"}
	one=$tmp/data two=$tmp/other
	[ "$target" = file ] || one=$tmp/a.gz two=$tmp/b.gz
	cp "$one" "$x"
	# shellcheck disable=SC2086 # words are meant to be split
	served "$what" "$target" "$x" $options
	case $what in
	*--cow*) head -c 8192 "$tmp/other" | put "$dev" 65536 ;;
	esac
	content=$(read_back "$dev" 1048576 | sum -)
	kill_all
	mv "$x" "$x.first"
	cp "$two" "$x"
	refused "$what: another by that name"
	cp "$one" "$x"
	refused "$what: a copy"
	mv "$x.first" "$x"
	back "$what"
	# The inode number is used again at once.
	kill_all
	inode=$(stat -c %i "$x")
	ln "$x" "$x.kept"
	mv "$x.kept" "$tmp/mnt/other.name"
	back "$what: with another link"
	kill_all
	case $what in
	file | "file -r") ;;
	*)
		touch -r "$x" "$tmp/time"
		cat "$two" >"$x"
		refused "$what: written over"
		touch -r "$tmp/time" "$x"
		refused "$what: with its old time"
		cat "$one" >"$x"
		touch -r "$tmp/time" "$x" ;;
	esac
	back "$what: as it was"
	kill_all
	rm "$x" "$tmp/mnt/other.name"
	for n in 1 2 3 4 5 6 7 8 9; do
		cp "$two" "$x"
		[ "$(stat -c %i "$x")" != "$inode" ] || break
		mv "$x" "$x.$n"
	done
	is "$(stat -c %i "$x")" "$inode" "$what: another one has its inode"
	refused "$what: by the number of its inode"
	case $what in
	*mnt*) fails 1 "$what: stop does not store what was written" \
		ublk stop "$id"
		ok "$what: but by force" ublk stop --force "$id" ;;
	*) stopped "$what: stop it" "$dev" ;;
	esac
	rm "$tmp/mnt/x"* "$tmp/mnt/kept" 2>/dev/null
done

# The file for writes.
served "with a file for writes" file "$tmp/data" --cow "$tmp/writes"
head -c 8192 "$tmp/other" | put "$dev" 65536
content=$(read_back "$dev" 1048576 | sum -)
kill_all
mv "$tmp/writes" "$tmp/writes.first"
fails 1 "without the file it is refused" ublk recover "$id"
[ ! -e "$tmp/writes" ] && pass "and none is made" || fail "and none is made"
: >"$tmp/writes"
fails 1 "an empty one is refused" ublk recover "$id"
is "$(wc -c <"$tmp/writes")" 0 "and stays empty"
cp "$tmp/writes.first" "$tmp/writes"
refused "a copy"
mv "$tmp/writes.first" "$tmp/writes"
back "with its own"
kill_all
first=$id
# The kernel releases the locks of the killed server a moment later.
# shellcheck disable=SC2016 # sh expands it
wait_until 30 sh -c '! grep -q ":$0 " /proc/locks' "$(stat -c %i "$tmp/writes")"
served "another device over the same" file "$tmp/data" --cow "$tmp/writes"
head -c 8192 "$tmp/other" | put "$dev" 262144
stopped "which writes and is stopped" "$dev"
fails 1 "then it is refused" ublk recover "$first"
like "$err" "writes: was written by another device since" "and told why"
fails 1 "nor does stop spoil that" ublk stop "$first"
ok "but by force" ublk stop --force "$first"
served "the other is whole" file "$tmp/data" --cow "$tmp/writes"
is "$(read_back "$dev" 8192 262144 | sum -)" \
	"$(head -c 8192 "$tmp/other" | sum -)" "and has what it wrote"
stopped "stop it" "$dev"

# A block device.
loop=$(losetup -f)
cp "$tmp/data" "$tmp/below"
losetup "$loop" "$tmp/below"
at_exit 'stop_started; losetup -d "$loop" 2>/dev/null'
served "a block device" file "$loop"
content=$(read_back "$dev" 1048576 | sum -)
kill_all
back "the same device"
kill_all
losetup -d "$loop"
# It is free when the killed server's files are closed, a moment later.
wait_until 30 test ! -e "/sys/block/${loop#/dev/}/loop/backing_file"
ok "another file below it" losetup "$loop" "$tmp/other"
refused "another in its place"
stopped "stop it" "$dev"
losetup -d "$loop"

# Killed in the middle of an operation: after one more command, it is served or
# gone.
for what in stop recover; do
	for delay in 0 0.01 0.02 0.05 0.1; do
		served "a disk" ram 8M
		[ $what = stop ] || kill_all
		ublk $what "$id" >/dev/null 2>&1 &
		sleep $delay
		kill -KILL $! 2>/dev/null
		wait $! 2>/dev/null
		server=$(server_of "$id" 2>/dev/null)
		worker=$(worker_of "$id" 2>/dev/null)
		# shellcheck disable=SC2086 # both may be nothing
		[ -z "$server$worker" ] || kill -KILL $server $worker 2>/dev/null
		sleep 0.3
		run ublk recover --all
		state=$(ublk list --json | grep -o '"state": "[a-z]*"')
		case $state in
		'"state": "live"')
			[ "$(read_back "$dev" 4096 | wc -c)" = 4096 ] &&
				pass "$what killed after $delay s, recover: served" ||
				fail "$what killed after $delay s, recover: served"
			ok "and can be stopped" ublk stop "$id" ;;
		'') pass "$what killed after $delay s, recover: gone" ;;
		*) fail "$what killed after $delay s, recover: $state" "$err" ;;
		esac
	done
done
# Two commands at the same time: one of them starts a server, which is the one
# in the record.
served "a disk" ram 8M -q 2
put "$dev" 0 <"$tmp/data"
problem=''
for round in 1 2 3 4 5 6 7 8 9 10; do
	kill_all
	ublk recover "$id" >/dev/null 2>"$tmp/one" &
	one=$!
	# Sometimes one is ahead of the other.
	usleep $((round % 5 * 3000))
	ublk recover "$id" >/dev/null 2>"$tmp/two"
	two=$?
	wait $one
	one=$?
	[ $((one + two)) -eq 1 ] ||
		problem="$problem $round: $one $(cat "$tmp/one") $two $(cat "$tmp/two")"
	sleep 0.2
	runs "$(server_of "$id")" && runs "$(worker_of "$id")" && state_is live ||
		problem="$problem $round: $(ublk list "$id")"
done
is "$problem" "" "two at once: one of them does it"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
stopped "stop it" "$dev"
# Only the command is killed: users of the disk do not depend on it.
served "a disk" ram 8M
put "$dev" 0 <"$tmp/data"
for delay in 0 0.01 0.03 0.05 0.1; do
	kill_all
	ublk recover "$id" >/dev/null 2>&1 &
	sleep $delay
	kill -KILL $! 2>/dev/null
	wait $! 2>/dev/null
	sleep 0.5
	run ublk recover --all
	[ "$(read_back "$dev" 1048576 | sum -)" = "$(sum "$tmp/data")" ] &&
		pass "recover alone killed after $delay s: served" ||
		fail "recover alone killed after $delay s: served" "$(seen)"
	wait_until 5 state_is live
done
kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
ok "recovered in the moment after the kill" ublk recover "$id"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
stopped "stop it" "$dev"
wait_until 10 eval '[ -z "$(what_is)" ]'
before
run ublk recover --all >/dev/full
leaves_nothing "nothing is left"

done_testing
