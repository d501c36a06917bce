# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: cpio openssh-client dropbear-bin
# kernel: tests
#
# `tests/run --on ssh://USER@HOST:PORT` carries tests to a board that is reached by
# ssh only, runs them there, brings their results back and leaves nothing behind. A
# connection that breaks in the middle is an error.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

TESTS_KERNEL=${TESTS_KERNEL:-$(linux/default-kernel)}
TESTS_KERNEL=${TESTS_KERNEL%-tests}-tests
[ -f "$TESTS_KERNEL" ] || skip_all "no $TESTS_KERNEL: make kernel CONFIG=tests"
[ "$(uname -m)" = "$(linux/board "${ARCH:-x86_64}" machine)" ] ||
	skip_all "no dropbear for a board with another processor"

# A board as a person has it: some programs, the network as the kernel has set it up,
# and the distribution's dropbear, with its libraries.
new_root root <<'INIT'
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
echo 0 >/proc/sys/kernel/printk
dropbear -F -E -s -r /etc/hostkey
off
INIT
root=$tmp/root
rm "$root/sbin/ublk"
mv "$root/sbin/init" "$root/init"
server=$(command -v dropbear)
cp "$server" "$root/usr/sbin"
ldd "$server" | sed -n -e 's|.*=> \(/.*\) (0x[0-9a-f]*)$|\1|p' \
	-e 's|^[[:space:]]*\(/.*\) (0x[0-9a-f]*)$|\1|p' >"$tmp/libraries"
while read -r library; do
	mkdir -p "$root${library%/*}"
	cp -L "$library" "$root$library"
done <"$tmp/libraries"

# Its key and ours.
called=board-$$
echo $called >"$root/etc/hostname"
echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
echo root:x:0: >"$root/etc/group"
dropbearkey -t ed25519 -f "$root/etc/hostkey" >"$tmp/hostkey" 2>/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$tmp/key"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/stranger"
mkdir -m 700 "$root/root" "$root/root/.ssh"
cp "$tmp/key.pub" "$root/root/.ssh/authorized_keys"
(cd "$root" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet) \
	>"$tmp/initramfs"

: >"$tmp/serial"
(memory=192M limit=1700 start_board 'ip=dhcp' -serial "file:$tmp/serial" \
	-pidfile "$tmp/pid" \
	-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22 \
	-device virtio-net-pci,netdev=net,romfile=) >"$tmp/qemu" 2>&1 </dev/null &
# shellcheck disable=SC2034 # used at the end
board=$!
at_exit 'kill $board 2>/dev/null'

# listening: prints the port at which QEMU listens, which the kernel has chosen.
listening() {
	for file in "/proc/$(cat "$tmp/pid")/fd"/*; do
		readlink "$file"
	done | sed -n 's/^socket:\[\(.*\)\]$/\1/p' >"$tmp/sockets"
	awk 'FNR == NR { own[$1] = 1; next }
		$4 == "0A" && $10 in own { sub(/.*:/, "0x", $2); print $2 }' \
		"$tmp/sockets" /proc/net/tcp
}
wait_until 20 test -s "$tmp/pid" || :
wait_until 20 eval '[ -n "$(listening)" ]' || :
port=$(printf %d "$(listening)")
ok "QEMU forwards a port to the board" test "$port" -gt 0

{
	printf '%s\n' 'Host board' ' HostName 127.0.0.1' " Port $port" 'Host *'
	printf ' %s\n' "IdentityFile $tmp/key" 'IdentitiesOnly yes' \
		"UserKnownHostsFile $tmp/known" 'GlobalKnownHostsFile /dev/null' \
		'StrictHostKeyChecking yes'
} >"$tmp/config"
sed -n "s/^ssh-ed25519 /[127.0.0.1]:$port &/p" "$tmp/hostkey" >"$tmp/known"

# A copy of the tests, with some more.
mkdir "$tmp/tree"
cp -R tests "$tmp/tree"
for folder in build deps linux; do
	ln -s "$PWD/$folder" "$tmp/tree/$folder"
done
cat >"$tmp/tree/tests/says.sh" <<'TEST'
. "${0%/*}/lib.sh"
pass "on $(cat /etc/hostname)"
skip "one thing" "no moon"
is "$(ublk help | head -n 1 | cut -d ' ' -f 1)" usage: "ublk is there"
done_testing
TEST
cat >"$tmp/tree/tests/fails.sh" <<'TEST'
. "${0%/*}/lib.sh"
is here there "it fails"
done_testing
TEST
# All is well, but then the server of this connection dies.
cat >"$tmp/tree/tests/breaks.sh" <<'TEST'
. "${0%/*}/lib.sh"
pass "so far"
echo 1..1
server=$$
until [ "$(cat "/proc/$server/comm")" = dropbear ]; do
	server=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$server/status")
done
kill -KILL "$server"
sleep 5000
TEST
cat >"$tmp/tree/tests/stays.sh" <<'TEST'
. "${0%/*}/lib.sh"
pass "so far"
echo 1..1
echo in the middle >/dev/console
sleep 5000
TEST

# ssh as its user has set it up, but not with what this machine has.
export SSH="ssh -F $tmp/config"
line=ssh://root@127.0.0.1:$port

# on_board NAME...: runs it there. What this test is run with says nothing.
on_board() {
	run env -u TESTS_KERNEL -u TESTS_FOLDER "$tmp/tree/tests/run" --on "$line" "$@"
}

# ask COMMAND [BOARD]: what the board says goes the same way as the tests.
ask() {
	run env BOARD="${2:-$line}" BOARD_FOLDER=/tmp tests/on-board say "$1"
}

# nothing_left NAME: of tests, there is no file, disk or process on the board.
nothing_left() {
	ask 'ls -A /tmp; ls -d /dev/ublkb* 2>/dev/null
		ps -o args | grep "slee[p] 5000\|ublk-test[s]"; :'
	is "$status $out" '0 ' "$1: nothing is left behind"
}

# It still boots.
export WAIT=900
ask 'cat /etc/hostname'
is "$status $out" "0 $called" "a board that boots is waited for" || seen
ask 'cat /etc/hostname' root@board
is "$out" "$called" "a name of ssh's configuration will do"
nothing_left "at first"

on_board -v says
is "$status" 0 "a test ends well there" || seen
like "$out" "^ *ok 1 - on $called\$" "it runs on the board"
like "$out" '^ *ok 2 - one thing # SKIP no moon$' "what it says comes back"
like "$out" '^2 passed, 0 failed, 1 skipped$' "and is counted"
on_board help zimg-sizes zimg-bad-tail
is "$status" 0 "ours end well there" || seen
like "$out" '^ok +help .* [1-9][0-9]* passed$' "one"
like "$out" '^ok +zimg-sizes .* [1-9][0-9]* passed$' "another, with disks"
like "$out" '^skip +zimg-bad-tail .* no dmsetup,no bgzip$' "one says what it lacks"
nothing_left "after them"

on_board fails
is "$status" 1 "a test that fails there fails"
like "$out" 'not ok 1 - it fails' "and says what it said there"
like "$out" '^0 passed, 1 failed, 0 skipped$' "and is counted"

on_board breaks
is "$status" 1 "a connection that breaks off is an error"
like "$out" 'the connection broke off' "the reason is told"
like "$out" '^1 passed, 1 failed, 0 skipped$' "what has passed before does not count for it all"
nothing_left "after that"

# As when its cable is pulled.
(SSH="$SSH -o ServerAliveInterval=3 -o ServerAliveCountMax=5" on_board stays
	printf '%s\n' "status $status" "$out" "$err") >"$tmp/stayed" &
stays=$!
wait_until 300 grep -q 'in the middle' "$tmp/serial" || :
kill -STOP "$(cat "$tmp/pid")"
wait $stays || :
kill -CONT "$(cat "$tmp/pid")"
said=$(cat "$tmp/stayed")
like "$said" '^status 1$' "a board that is silent is an error"
like "$said" '^0 passed, 1 failed, 0 skipped$' "and is counted"
like "$said" '/tmp/ublk-tests\.[0-9]+ is left there$' "what could not be removed is told"
ask 'ls -d /tmp/ublk-tests.*'
is "$status" 0 "it answers again" || seen

SSH="ssh -F /dev/null -i $tmp/stranger -o IdentitiesOnly=yes"
SSH="$SSH -o UserKnownHostsFile=$tmp/known -o StrictHostKeyChecking=yes"
on_board says
is "$status" 125 "a key that the board refuses is an error"
like "$err" 'Permission denied' "which is told, and nothing is waited for"

SSH="ssh -F $tmp/config"
kill "$(cat "$tmp/pid")"
wait $board || :
WAIT=1 on_board says
is "$status" 125 "so is a board that is gone"
like "$err" 'no answer: .*Connection refused' "which is told as well"
run env BOARD="$line" tests/on-board lacks fio
is "$status $out" '125 ' "and nothing is called missing there"

done_testing
