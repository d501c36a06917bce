# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/ignoring --tool mkfs.ext4
# board: --timeout 240
#
# A caller may leave signals ignored: some programs start all others with SIGCHLD
# ignored, and then the kernel keeps no status of a child that has ended. Nothing
# is judged differently for that.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

at_exit 'stop_started'
mkdir "$tmp/mnt"

# ignoring COMMAND...: runs it as a child of such a caller.
ignoring=${0%/*}/ignoring
[ -x "$ignoring" ] || ignoring=build/$(uname -m)/driver/ignoring
ignoring() {
	run "$ignoring" "$@"
}

# Nothing but the claim itself says that the filesystem is still in use.
served "a disk" ram 16M
mkfs.ext4 -q "$dev"
mount "$dev" "$tmp/mnt"
pattern kept 65536 >"$tmp/mnt/file"
exec 7<"$tmp/mnt/file"
umount -l "$tmp/mnt"
ignoring ublk stop "$dev"
is "$status" 1 "stop of a disk in use: refused"
like "$err" "claimed by a filesystem" "and says what has it"
is "$(sum - <&7)" "$(pattern kept 65536 | sum -)" "the filesystem is whole"
exec 7<&-
wait_until 30 ublk stop "$dev" &&
	pass "it can be stopped when nothing has it" ||
	fail "it can be stopped when nothing has it"

ignoring ublk ram 1M
is "$status" 0 "a disk is served"
dev=$out id=${out#/dev/ublkb} server=$(server_of "${out#/dev/ublkb}")
started="$started $dev"
pattern data 65536 | put_direct "$dev" 0
if [ -n "$recovers" ]; then
	dmesg -c >/dev/null
	worker=$(worker_of "$id")
	kill -KILL "$worker"
	wait_until 30 another_worker &&
		pass "a killed server is replaced" ||
		fail "a killed server is replaced"
	is "$(read_back "$dev" 65536 | sum -)" "$(pattern data 65536 | sum -)" \
		"and the data is there"
	like "$(said)" "was killed by signal 9" "the log says how it ended"
	ignoring ublk upgrade "$dev"
	is "$status" 0 "it is upgraded"
	is "$(read_back "$dev" 65536 | sum -)" "$(pattern data 65536 | sum -)" \
		"and the data is there, too"
else
	skip "a killed server" "this driver cannot replace one"
fi
server=$(server_of "$id")
kill -TERM "$server"
wait_until 30 nothing_of "$id" "$server" &&
	pass "SIGTERM stops it" || fail "SIGTERM stops it"

done_testing
