# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool mkfs.ext4 --tool e2fsck --tool qemu-nbd
# board: --tool nbd-server --tool nbdkit --disk 80M --timeout 1800
# board: --add /usr/lib/$(uname -m)-linux-gnu/nbdkit/plugins/nbdkit-file-plugin.so
# kernel: tests
#
# A disk that is an export of qemu-nbd, of nbd-server or of nbdkit, by TCP and by a
# socket, on one queue and, where the server allows that, on two. Files are written and read while the
# server is killed and started again: ROUNDS times each (5).
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -e /sys/class/net/lo ] || skip_all "the kernel has no network"
port=20001
sock=/run/nbd.sock
: "${ROUNDS:=5}"
at_exit 'stop_started'
at_exit 'kill -KILL $server 2>/dev/null'

mkfs.ext4 -q -F /dev/vda
mkdir "$tmp/below" "$tmp/mnt"
mount -t ext4 /dev/vda "$tmp/below"
at_exit 'wait_until 10 umount "$tmp/below" 2>/dev/null'
at_exit 'umount "$tmp/mnt" 2>/dev/null'
export="$tmp/below/export"

cat >/run/nbd.conf <<CONF
[generic]
listenaddr = 127.0.0.1
port = 20002
allowlist = false
[any]
exportname = $export
flush = true
fua = true
trim = true
CONF

listens() {
	grep -qi ":$(printf %04x "$1") 00000000:0000 0A" /proc/net/tcp /proc/net/tcp6
}
# The port may be in use for a moment after its last server was killed.
qemu_once() {
	qemu-nbd -t -e 4 -p $port -b 127.0.0.1 -f raw -x any "$export" 2>/dev/null &
	server=$!
	wait_until 20 eval 'listens $port || ! runs $server'
	listens $port
}
qemu_tcp() {
	wait_until 20 qemu_once
}
qemu_socket() {
	rm -f $sock
	qemu-nbd -t -e 4 -k $sock -f raw -x any "$export" &
	server=$!
	wait_until 20 test -S $sock
}
nbdkit_once() {
	nbdkit -f -p 20003 -i 127.0.0.1 "${0%/*}/nbdkit-file-plugin.so" "$export" 2>/dev/null &
	server=$!
	wait_until 20 eval 'listens 20003 || ! runs $server'
	listens 20003
}
nbdkit_tcp() {
	wait_until 20 nbdkit_once
}
nbd_server() {
	nbd-server -C /run/nbd.conf >/dev/null 2>&1
	server=''
	wait_until 20 listens 20002
}
# ends: the server dies, with its children.
ends() {
	# shellcheck disable=SC2046,SC2086 # none, or several
	kill -KILL $server $(pidof nbd-server) 2>/dev/null
	[ -z "$server" ] || wait "$server" 2>/dev/null
}

requests() {
	awk '{ print $1 + $5 + $12 + $16 }' "/sys/block/${dev#/dev/}/stat"
}
# done_some: waits until the disk has done ten requests, or the load has ended.
done_some() {
	some=$(($(requests) + 10))
	wait_until 60 eval '! runs $loader || [ $(requests) -ge $some ]'
}

# load: writes files and reads them again, until there is $tmp/enough.
load() {
	round=0
	until [ -e "$tmp/enough" ]; do
		round=$((round + 1))
		for n in 1 2 3; do
			pattern "$n$round" 2000000 >"$tmp/mnt/$n" || return 1
			sync
		done
		echo 3 >/proc/sys/vm/drop_caches
		for n in 1 2 3; do
			[ "$(sum "$tmp/mnt/$n")" = "$(pattern "$n$round" 2000000 | sum -)" ] ||
				return 1
		done
	done
}

# works START URI OPTION...
works() {
	start=$1
	uri=$2
	shift 2
	title="$start $*"
	dd if=/dev/zero of="$export" bs=1M count=24 2>/dev/null
	pattern export 4194304 | dd of="$export" conv=notrunc 2>/dev/null
	$start
	served "$title" file "$uri" "$@"
	is "$(read_back "$dev" 25165824 | sum -)" "$(sum "$export")" "$title: it is read"
	ok "$title: a filesystem" mkfs.ext4 -q -F "$dev"
	ok "$title: mount it" mount -t ext4 "$dev" "$tmp/mnt"
	rm -f "$tmp/enough"
	load &
	loader=$!
	kills=0
	while [ $kills -lt "$ROUNDS" ] && runs $loader; do
		done_some
		ends
		kills=$((kills + 1))
		$start
	done
	touch "$tmp/enough"
	wait $loader
	is "$? $kills" "0 $ROUNDS" "$title: killed $ROUNDS times, nobody notices"
	ok "$title: umount it" umount "$tmp/mnt"
	ok "$title: it is whole" e2fsck -fn "$dev"
	is "$(read_back "$dev" 25165824 | sum -)" "$(sum "$export")" \
		"$title: the export has it"
	stopped "$title: stop it" "$dev"
	ends
}
works qemu_tcp "nbd://127.0.0.1:$port/any"
works qemu_tcp "nbd://127.0.0.1:$port/any" -q 2
works qemu_socket "nbd+unix:///any?socket=$sock"
works nbd_server "nbd://127.0.0.1:20002/any"
works nbdkit_tcp nbd://127.0.0.1:20003/ -q 2

done_testing
