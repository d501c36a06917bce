# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: nbdkit qemu-utils nbd-server
#
# The commands that read images and disks read them from servers of NBD: from nbdkit,
# qemu-nbd and nbd-server, by TCP and by a socket of this machine. A server that is
# killed and started again is noticed by nobody; one that stays away, or comes back with
# something else, is an error. What a server cannot read is an error of that place.
. "${0%/*}/../lib.sh"
. "${0%/*}/network.lib"
sock=$tmp/sock
make_disk

ok "an image is made" "$ublk" pack --chunk 16K "$tmp/disk" "$tmp/image.gz"
gzip -1 -c "$tmp/disk" >"$tmp/plain.gz"

# nbdkit: any name is an export, and structured replies.
start_server nbdkit -f -U "$sock" file "dir=$tmp"
wait_until 10 test -S "$sock"
are_read "nbd+unix:///image.gz?socket=$sock" "nbd+unix:///disk?socket=$sock" 'nbdkit'
ok "another gzip file" "$ublk" check "nbd+unix:///plain.gz?socket=$sock"
ok "its index" "$ublk" index "nbd+unix:///plain.gz?socket=$sock" "$tmp/index"
ok "with it, info" "$ublk" info --index "$tmp/index" "nbd+unix:///plain.gz?socket=$sock"
fails 2 "an index without a name" "$ublk" index "nbd+unix:///plain.gz?socket=$sock"
fails 1 "an export that is not there" "$ublk" info "nbd+unix:///nonesuch?socket=$sock"
fails 1 "a disk that is no image" "$ublk" info "nbd+unix:///disk?socket=$sock"
like "$err" 'not a compressed image' "it says what it is"
fails 1 "below copy on write" "$ublk" file --cow 1M "nbd+unix:///disk?socket=$sock"
like "$err" 'file or device of this machine' "which is not done"
fails 1 "an image below copy on write" "$ublk" zimg --cow 1M "nbd+unix:///image.gz?socket=$sock"
like "$err" 'file or device of this machine' "which is not done, either"
fails 2 "with --cow" "$ublk" pack --cow "$tmp/cow" "nbd+unix:///disk?socket=$sock" -
cp "$tmp/image.gz" "$tmp/a b%"
ok "a name with other characters" "$ublk" info "nbd+unix:///a%20b%25?socket=$sock"
stop_servers
rm -f "$sock"

# qemu-nbd: block sizes of its own.
free_port
start_server qemu-nbd -r -t -k "$sock" -f raw -x ex "$tmp/image.gz"
start_server qemu-nbd -r -t -p "$port" -f raw -x 'a disk' "$tmp/disk"
wait_until 10 test -S "$sock"
wait_until 10 listens "$port"
are_read "nbd+unix:///ex?socket=$sock" "nbd://127.0.0.1:$port/a%20disk" 'qemu-nbd'
fails 1 "an export that is not there" "$ublk" info "nbd+unix:///EX?socket=$sock"
like "$err" 'refuses: it has no such export' "it says so"
stop_servers

# nbd-server: by name of the machine.
free_port
cat >"$tmp/nbd.conf" <<CONF
[generic]
	port = $port
	listenaddr = 127.0.0.1
	allowlist = true
[image]
	exportname = $tmp/image.gz
	readonly = true
[disk]
	exportname = $tmp/disk
	readonly = true
CONF
nbd-server -C "$tmp/nbd.conf" -p "$tmp/nbd.pid" >"$tmp/server.log" 2>&1
wait_until 10 test -s "$tmp/nbd.pid"
servers="$servers $(cat "$tmp/nbd.pid")"
wait_until 10 listens "$port"
are_read "nbd://localhost:$port/image" "nbd://localhost:$port/disk" 'nbd-server'
fails 1 "an export that is not there" "$ublk" info "nbd://localhost:$port/nonesuch"
stop_servers

# Nobody is there.
free_port
fails 1 "nobody listens" "$ublk" info "nbd://127.0.0.1:$port/disk"
like "$err" 'cannot connect to 127.0.0.1, port [0-9]+: Connection refused' "it says so"
fails 1 "a host without an address" "$ublk" info 'nbd://nonesuch.invalid/'
like "$err" 'nonesuch.invalid' "it says whose"
fails 1 "no socket" "$ublk" info "nbd+unix:///?socket=$tmp/nonesuch"

# slow FILE RATE: serves it slowly enough to be killed, in bits per second.
slow() {
	rm -f "$sock"
	start_server nbdkit -f -U "$sock" --filter=rate file "$1" "rate=$2"
	wait_until 10 test -S "$sock"
}

# Killed and started again.
slow "$tmp/disk" 20M
"$ublk" pack --force --level 1 "nbd+unix:///?socket=$sock" "$tmp/out.gz" 2>"$tmp/err" &
pack=$!
kill_while $pack 0.5 slow "$tmp/disk" 20M
wait $pack && pass "a server is killed and started again: nobody notices" || {
	fail "a server is killed and started again" "$(cat "$tmp/err")"
}
note "killed $kills times"
[ $kills -ge 3 ] && pass "while it was read" || fail "while it was read" "$kills times"
zcat "$tmp/out.gz" >"$tmp/out.disk"
same "$tmp/out.disk" "$tmp/disk" "the image is the disk"
stop_servers

# Killed, and started with another disk.
head -c 5000000 "$tmp/disk" >"$tmp/smaller"
slow "$tmp/disk" 20M
"$ublk" pack --force --level 1 "nbd+unix:///?socket=$sock" "$tmp/other.gz" 2>"$tmp/err" &
pack=$!
sleep 0.5
kill_server
slow "$tmp/smaller" 20M
wait $pack && fail "another disk is an error" || pass "another disk is an error"
like "$(cat "$tmp/err")" 'another size, 5000[0-9]* bytes instead of' "it says so"
[ -e "$tmp/other.gz" ] && fail "no image is left" || pass "no image is left"
stop_servers

# gives_up: whether a client has closed its connection to $port, and the server not.
gives_up() {
	grep -qE ": [0-9A-F]+:[0-9A-F]+ [0-9A-F]+:$(printf %04X "$port") 0[45] " \
		/proc/net/tcp /proc/net/tcp6
}

# Hangs, as behind a cable that was pulled: the connection is there, and nothing comes.
free_port
start_server nbdkit -f -i 127.0.0.1 -p "$port" --filter=rate file "$tmp/disk" rate=20M
wait_until 10 listens "$port"
"$ublk" pack --force --level 1 "nbd://127.0.0.1:$port/" "$tmp/out.gz" 2>"$tmp/err" &
pack=$!
sleep 0.5
kill -STOP "$server"
wait_until 40 gives_up && pass "a server that hangs is given up" ||
	fail "a server that hangs is given up"
kill -CONT "$server"
wait $pack && pass "and read on another connection" ||
	fail "and read on another connection" "$(cat "$tmp/err")"
zcat "$tmp/out.gz" >"$tmp/out.disk"
same "$tmp/out.disk" "$tmp/disk" "the image is the disk"
stop_servers

# Killed, and stays away: not damage, and not for ever.
slow "$tmp/image.gz" 2M
"$ublk" check "nbd+unix:///?socket=$sock" >"$tmp/out" 2>"$tmp/err" &
check=$!
sleep 0.2
kill_server
wait $check && fail "a server that stays away is an error" ||
	pass "a server that stays away is an error"
like "$(cat "$tmp/err")" 'cannot connect' "it says so"
is "$(cat "$tmp/out")" '' "and calls no chunk damaged"
done_testing
