# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools cpio nbdkit qemu-utils nginx-light
# kernel: tests
#
# A root on a server of this machine, of NBD or HTTP, which is reached by QEMU's user
# network: an image, or the filesystem as it is. The root reads all its files while the
# server is killed and started again, and after its own processes were killed. A server
# that comes late is waited for, one that stays away is an error.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"
. "${0%/*}/network.lib"
. "${0%/*}/../nginx.lib"

TESTS_KERNEL=${TESTS_KERNEL:-$(linux/default-kernel)}
TESTS_KERNEL=${TESTS_KERNEL%-tests}-tests
[ -f "$TESTS_KERNEL" ] || skip_all "no $TESTS_KERNEL: make kernel CONFIG=tests"

new_root root <<'INIT'
echo "mounted $(grep -E ' (/|/run/root/lower) ' /proc/mounts | tr '\n' ';')"
echo "changes $(echo 3 >/changed && cat /changed)"
read_all() {
	right=0
	while read -r sum file; do
		echo 3 >/proc/sys/vm/drop_caches
		now=$(sha256sum "$file")
		if [ "${now%% *}" = "$sum" ]; then
			right=$((right + 1))
		else
			echo "$1: wrong: $file"
		fi
	done </sums
	echo "$1: $right right."
}
cd /
read_all first
. /run/ublk/0
kill -9 "$worker"
read_all second
for stat in /proc/[0-9]*/stat; do
	read -r pid name state parent rest <"$stat" || continue
	. /run/ublk/0
	[ "$parent" != "$worker" ] || kill -9 "$pid"
done 2>/dev/null
read_all third
off
INIT
fill root 40
squashfs root
pack "$tmp/root.squashfs"
chmod a+rX "$tmp"
initramfs none

net='-netdev user,id=net -device virtio-net-pci,netdev=net,romfile='

nginx() {
	nginx_conf "$port" "$tmp"
	start_server command nginx -e stderr -c "$tmp/nginx.conf"
	wait_until 10 listens "$port"
}
# The port may be in use for a moment after its last server was killed.
nbdkit_once() {
	start_server nbdkit -f -i 127.0.0.1 -p "$port" -e '' file "$1"
	wait_until 20 eval 'listens $port || ! kill -0 $server 2>/dev/null'
	listens "$port"
}
nbdkit_of() {
	wait_until 20 nbdkit_once "$1"
}

# boots NAME ROOT START...: boots from ROOT, on the server that START starts, which is
# killed now and then.
boots() {
	title=$1 root=$2
	shift 2
	"$@"
	# shellcheck disable=SC2086 # words are meant
	boot "ip=dhcp ublk.root=$root loglevel=7" $net &
	board=$!
	kill_while $board 3 "$@"
	wait $board
	console=$(tr -d '\r\0' <"$tmp/serial")
	for time in first second third; do
		shows "^$time: $files right\.$" "$title: $time: every file is as it was made"
	done
	shows '^changes 3$' "$title: it can be written"
	went_off "$title"
	note "the server was killed $kills times"
	[ $kills -ge 1 ] && pass "$title: the server was killed" ||
		fail "$title: the server was killed" "$kills times"
	stop_servers
}
free_port
boots "an image of NBD" "nbd://10.0.2.2:$port/" nbdkit_of "$tmp/root.squashfs.gz"
boots "a filesystem of NBD" "nbd://10.0.2.2:$port/" nbdkit_of "$tmp/root.squashfs"
boots "an image of HTTP" "http://10.0.2.2:$port/root.squashfs.gz" nginx

# An export that can be written, with the root itself as it is.
new_root written <<'INIT'
echo "mounted $(grep ' / ' /proc/mounts | tr '\n' ';')"
[ ! -e /kept ] || echo "kept $(cat /kept)"
echo "by $(sed -n 's/^argument=//p' /run/ublk/0)" >/kept
sync
mount -o remount,ro /
off
INIT
ext4 written 24M
nbdkit_of "$tmp/written.ext4"
for time in first second; do
	# shellcheck disable=SC2086 # words are meant
	boot "ip=dhcp ublk.overlay=none ublk.root=nbd://10.0.2.2:$port/ loglevel=7" $net
	shows '^mounted /dev/ublkb0 / ext4 rw' "written, $time: the root is the export"
	went_off "written, $time"
done
shows "^kept by .*nbd://10.0.2.2:$port/" "what was written is there"
stop_servers
ok "the filesystem is whole" e2fsck -fn "$tmp/written.ext4"

# Copy on write needs a base of this machine.
nbdkit_of "$tmp/root.squashfs.gz"
# shellcheck disable=SC2086 # words are meant
boot "ip=dhcp ublk.cow=4M ublk.root=nbd://10.0.2.2:$port/" $net
shows 'file or device of this machine' "ublk.cow= is refused"
stop_servers

# The server comes late.
{
	sleep 4
	nbdkit_of "$tmp/root.squashfs.gz"
	wait
} &
late=$!
# shellcheck disable=SC2086 # words are meant
boot "ip=dhcp ublk.wait=60 ublk.root=nbd://10.0.2.2:$port/ loglevel=7" $net
shows "^first: $files right\.$" "a server that comes late is waited for"
went_off "a server that comes late"
kill $late 2>/dev/null
pkill -P $late 2>/dev/null || :

# It stays away.
free_port
# shellcheck disable=SC2086 # words are meant
boot "ip=dhcp ublk.wait=2 ublk.root=nbd://10.0.2.2:$port/" $net
shows "cannot connect to 10.0.2.2, port $port" "one that stays away is an error"
shows_not '^first:' "and nothing is booted"

done_testing
