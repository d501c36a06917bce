# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/become
#
# An ordinary user's disk: that user can create, use and stop it if the control
# device is open to all. Nobody else can, except root.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

ublk features | grep -q '^UNPRIVILEGED_DEV *yes' ||
	skip_all "the driver has no users' devices"
# On an ordinary system, a udev rule gives the user the disk's node. Our driver,
# the only one with a version, does so itself.
[ -e /sys/module/ublk_drv/version ] ||
	skip_all "with this driver the disk's node is for udev to give away"

# On the board, the program is beside the test.
become=${0%/*}/become
[ -x "$become" ] || become=build/$(uname -m)/driver/become
become=$(readlink -f "$become")

# as USER COMMAND...: runs it without any of root's rights.
as() {
	"$become" "$@"
}
chmod 755 "$tmp"
mkdir -m 777 "$tmp/all"

fails 1 "without access to the control device it fails" as 1000 ublk ram 8M
like "$err" "/dev/ublk-control: not permitted; run as root, or let users open it" \
	"and says what helps"
chmod 666 /dev/ublk-control

ok "a user's disk" as 1000 ublk ram 8M
dev=$out
id=${dev#/dev/ublkb}
started="$started $dev"
if [ -b "$dev" ]; then
	pass "is there"
else
	fail "is there" "$dev"
fi
is "$(stat -c %u "/dev/ublkc$id")" 1000 "its node is the user's"
is "$(stat -c '%u %a' "/tmp/ublk-1000" "/tmp/ublk-1000/$id")" "1000 700
1000 644" "so is its record, in a folder of the user's"
pid=$(sed -n 's/^pid=//p' "/tmp/ublk-1000/$id")
is "$(sed -n 's/^Uid:	\([0-9]*\).*/\1/p' "/proc/$pid/status")" 1000 \
	"and its server"
pattern data 1048576 >"$tmp/data"
chmod 644 "$tmp/data"
ok "the user writes it" as 1000 dd if="$tmp/data" of="$dev" bs=64k conv=fsync
as 1000 dd if="$dev" of="$tmp/all/read" bs=64k count=16 iflag=direct 2>/dev/null
same "$tmp/all/read" "$tmp/data" "and reads it"
like "$(as 1000 ublk list)" "^$id +$dev +live +ram +8M +1 +$pid +no +8M\$" \
	"and lists it"
ok "and watches it" as 1000 ublk stat "$id"
like "$out" "^$id +[0-9]+ +[0-9.]+M +[0-9]+ +1M " "with what it wrote"
ok "so does root" ublk stat --json "$id"
like "$out" '"write": [{]"requests": [0-9]+, "bytes": 1048576,' "with the same"
fails 1 "another user cannot watch it" as 2000 ublk stat "$id"
fails 1 "another user cannot read it" as 2000 dd if="$dev" of=/dev/null bs=4k count=1
fails 1 "nor write it" as 2000 dd if=/dev/zero of="$dev" bs=4k count=1
fails 1 "nor stop it" as 2000 ublk stop "$id"
fails 1 "nor see it" as 2000 ublk list "$id"
as 2000 dd if=/dev/zero of="/dev/ublkc$id" bs=4k count=1 2>/dev/null &&
	fail "nor open its server's side" || pass "nor open its server's side"
like "$(ublk list)" "^$id +$dev +live " "root sees it"
like "$(ublk list --json "$id")" '"owner": 1000, "group": 1000,' "and whose it is"
ok "the user stops it" as 1000 ublk stop "$dev"
[ ! -e "$dev" ] && [ ! -e "/tmp/ublk-1000/$id" ] && ! runs "$pid" &&
	pass "nothing is left" || fail "nothing is left" "$(what_is)"

ok "one for root to stop" as 1000 ublk ram 8M
dev=$out
ok "root stops it" ublk stop "$dev"
[ ! -e "$dev" ] && pass "it is gone" || fail "it is gone"

as 1000 truncate -s 4M "$tmp/all/file"
truncate -s 4M "$tmp/root's"
chmod 600 "$tmp/root's"
ok "a file of the user's" as 1000 ublk file "$tmp/all/file" -q 2
dev=$out
started="$started $dev"
ok "is written" as 1000 dd if="$tmp/data" of="$dev" bs=64k conv=fsync
is "$(head -c 1048576 "$tmp/all/file" | sum -)" "$(sum "$tmp/data")" "and is there"
ok "and stopped" as 1000 ublk stop "$dev"
fails 1 "a file of root's is not served" as 1000 ublk file "$tmp/root's"
ok "one in a folder that the user has named" \
	as 1000 env XDG_RUNTIME_DIR="$tmp/all" ublk ram 1M
dev=$out
started="$started $dev"
[ -e "$tmp/all/ublk/${dev#/dev/ublkb}" ] && pass "has its record there" ||
	fail "has its record there"
ok "is stopped" as 1000 env XDG_RUNTIME_DIR="$tmp/all" ublk stop --all
[ ! -e "$dev" ] && pass "and gone" || fail "and gone"

# Anybody can create another user's directory in /tmp first.
as 2000 mkdir /tmp/ublk-3000
at_exit 'rm -rf /tmp/ublk-3000'
as 2000 sh -c 'chmod 755 /tmp/ublk-3000
	printf "target=ram\nargument=1M\nsize=1048576\n" >/tmp/ublk-3000/77'
unlike "$(as 3000 ublk list 2>&1)" "77|ram" "records laid out for a user are not read"
fails 1 "nor is anything written there" as 3000 ublk ram 1M

done_testing
