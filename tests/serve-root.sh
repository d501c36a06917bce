# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib
# needs: hosted
#
# `ublk serve-root`, which the initramfs of a distribution runs: the server lives in a
# mount namespace whose root has nothing of the initramfs, and still starts another
# worker there; the program can be copied to where it stays.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

run ublk serve-root /run/nonesuch
is "$status" 1 "a file that there is not"
case $err in
*"only an initramfs"*)
	pass "it refuses to run anywhere but in an initramfs"
	done_testing
	;;
esac

inode() {
	ls -iL "$1" | awk '{ print $1 }'
}

# Its files are on what moves to the root.
kept=/run/serve-root
mkdir $kept $kept/own $kept/taken
at_exit 'rm -r /run/serve-root'
at_exit stop_started
pattern disk 8388608 >$kept/disk

ok "copy the program" ublk serve-root --copy $kept/own
same "$kept/own/ublk" "$(command -v ublk)" "it is the program"
is "$(inode $kept/own/shutdown)" "$(inode $kept/own/ublk)" "shutdown is the same file"
[ ! -L $kept/own/shutdown ] && pass "with no path in it" || fail "with no path in it"
[ -x $kept/own/ublk ] && pass "which can be run" || fail "which can be run"
echo other >$kept/taken/ublk
fails 1 "a folder that has such a file" ublk serve-root --copy $kept/taken
is "$(cat $kept/taken/ublk)" other "which is not overwritten"
fails 1 "a folder that there is not" ublk serve-root --copy $kept/nonesuch
fails 2 "neither PATH nor --copy" ublk serve-root
fails 2 "both" ublk serve-root --copy $kept $kept/disk
run ublk serve-root "$(command -v ublk)"
is "$status" 1 "a file of the initramfs, which the server could not see"

run $kept/own/ublk serve-root --cow=4M $kept/disk
dev=$out
id=${dev#/dev/ublkb}
started="$started $dev"
[ -b "$dev" ] && pass "serve a disk" || { fail "serve a disk"; seen; done_testing; }
server=$(server_of "$id")
for pid in $server $(worker_of "$id"); do
	is "$(ls "/proc/$pid/root" | tr '\n' ' ')" 'dev proc run sys ' \
		"process $pid has a root without the initramfs"
	[ -c "/proc/$pid/root/dev/ublk-control" ] && pass "with devices" ||
		fail "with devices"
	[ -e "/proc/$pid/root/proc/$$/stat" ] && pass "and processes" ||
		fail "and processes"
	is "$(awk '$5 == "/" { print $4, $(NF - 2) }' "/proc/$pid/mountinfo" |
		tail -n 1)" '/ tmpfs' "its root is not the initramfs' filesystem"
	is "$(head -c 1 "/proc/$pid/cmdline")" @ "shutdowns spare it"
	is "$(inode "/proc/$pid/exe")" "$(inode $kept/own/ublk)" "its program is the copy"
done
like "$(cat "/run/ublk/$id")" '^rootfs=1$' "it serves a root"
[ -e /proc/self ] && [ -c /dev/null ] && [ -b "$dev" ] &&
	pass "mounts of all others are where they were" ||
	fail "mounts of all others are where they were"
same "$dev" $kept/disk "the disk is right"
pattern other 65536 >$kept/other
dd if=$kept/other of="$dev" bs=64k seek=3 conv=notrunc 2>/dev/null
sync
kill -KILL "$(worker_of "$id")"
echo 3 >/proc/sys/vm/drop_caches
dd if="$dev" of=$kept/read bs=64k skip=3 count=1 2>/dev/null
same $kept/read $kept/other "another worker has what was written"
dd if=$kept/disk of=$kept/read bs=64k skip=3 count=1 2>/dev/null
cmp -s $kept/read $kept/other && fail "the file has not" || pass "the file has not"
stopped "stop it" "$dev"

done_testing
