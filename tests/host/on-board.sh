# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: cpio
#
# `tests/run --on LINE` carries tests to a board that is reached by a serial line
# only, runs them there, brings their results back and leaves nothing behind.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

# A board as a person has it: some programs, and a shell of root on its serial line.
new_root root <<'INIT'
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
echo 0 >/proc/sys/kernel/printk
while :; do setsid cttyhack /bin/sh; done
INIT
rm "$tmp/root/sbin/ublk"
cp "$tmp/root/sbin/init" "$tmp/root/init"
(cd "$tmp/root" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet) \
	>"$tmp/initramfs"

: >"$tmp/qemu"
(memory=192M limit=900 start_board '' -monitor none -serial pty) \
	>"$tmp/qemu" 2>&1 </dev/null &
# shellcheck disable=SC2034 # used at the end
board=$!
at_exit 'kill $board 2>/dev/null'
wait_until 20 grep -q 'redirected to /dev/pts/' "$tmp/qemu" || :
line=$(sed -n 's|.*redirected to \(/dev/pts/[0-9]*\) .*|\1|p' "$tmp/qemu")
ok "there is a serial line" test -c "$line"

# A copy of the tests, with one more that fails.
mkdir "$tmp/tree"
cp -R tests "$tmp/tree"
for folder in build deps linux; do
	ln -s "$PWD/$folder" "$tmp/tree/$folder"
done
cat >"$tmp/tree/tests/fails.sh" <<'TEST'
. "${0%/*}/lib.sh"
is here there "it fails"
done_testing
TEST

# on_board NAME...: runs tests there. What this test is run with says nothing.
on_board() {
	run env -u TESTS_KERNEL -u TESTS_FOLDER "$tmp/tree/tests/run" \
		--on "$line" "$@"
}

# What the board is asked goes the same way as the tests.
ask() {
	run env BOARD="$line" BOARD_FOLDER=/tmp tests/on-board say "$1"
}

# It still boots.
export WAIT=900
ask 'ls /tmp'
is "$status $out" '0 ' "a shell answers, and nothing is there yet"
on_board help zimg-sizes file-direct
is "$status" 0 "tests end well there" || seen
like "$out" '^ok +help .* [1-9][0-9]* passed$' "and are counted"
like "$out" '^skip +file-direct .* no disk to spare' "one says what it lacks"
like "$out" '^[1-9][0-9]* passed, 0 failed, [1-9][0-9]* skipped$' "so is the sum"
ask 'ls /tmp; ls /dev/ublkb* 2>/dev/null; true'
is "$out" '' "nothing is left behind"

on_board fails
is "$status" 1 "a test that fails there fails"
like "$out" 'not ok 1 - it fails' "and says what it said there"

done_testing
