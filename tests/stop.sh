# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool mkfs.ext4 --tool e2fsck --timeout 600
#
# `ublk stop` ends devices, and returns when nothing of them is left. It refuses
# devices that are in use.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# Drivers without user copy, such as that of 6.1, wait in DEL_DEV until nobody
# has the disk open, and cannot be interrupted there.
prompt=''
! ublk features | grep -qE '^USER_COPY +yes' || prompt=1
not_prompt="this driver waits uninterruptibly until it is closed"

[ -z "$(what_is)" ] || skip_all "there are devices already"

for called in /dev/ublkb0 0 ublkb0 /dev/ublkc0; do
	served "a device to stop as $called" ram 1M
	is "$dev" /dev/ublkb0 "has the first free number"
	server=$(server_of 0)
	ok "stop $called" ublk stop "$called"
	is "$out$err" "" "in silence"
	if nothing_of 0 "$server"; then
		pass "nothing is left when it returns"
	else
		fail "nothing is left when it returns" "$(what_is)"
	fi
done

# Device numbers.
served "the first" ram 1M
served "the second" ram 1M
is "$dev" /dev/ublkb1 "has the next number"
served "one with a number" ram 1M --id 40
is "$dev" /dev/ublkb40 "has it"
before
fails 1 "a number in use is refused" ublk ram 1M -n 40
like "$err" "device 40 exists.*--id.*ublk stop 40" "and what to do is said"
leaves_nothing "and nothing is left"
stopped "stop the first" 0
served "the next" ram 1M
is "$dev" /dev/ublkb0 "has the number that became free"
served "the largest number" ram 1M -n 1048575
is "$dev" /dev/ublkb1048575 "has it"
fails 2 "a larger one is wrong usage" ublk ram 1M -n 1048576
fails 2 "so is a negative one" ublk ram 1M -n -1
for i in 1 2 3 4 5; do
	stopped "stop 40, time $i" 40
	served "start 40 again" ram 1M -n 40
done

# Several devices.
ok "stop two" ublk stop 40 /dev/ublkb1048575
is "$(ls -A /run/ublk | tr '\n' ' ')" "0 1 " "the others are there"
fails 1 "stop one that is not there and one that is" ublk stop 30 1
like "$err" "^ublk: 30: no such device" "the first is missed"
is "$(ls -A /run/ublk | tr '\n' ' ')" "0 " "the second is stopped"
fails 1 "stop it again" ublk stop 1
for name in x -1 /dev/vda "" 0x; do
	run ublk stop -- "$name"
	is $status 2 "stop '$name' is wrong usage"
done
run ublk stop 0 x
is $status 2 "and so is one that is there with it"
like "$(ublk list)" "/dev/ublkb0 +live" "which is not stopped"
fails 2 "stop without a name is wrong usage" ublk stop
fails 2 "so is a name with --all" ublk stop --all 0
served "some more" ram 1M
served "and more" null 1M
ok "stop all" ublk stop --all
is "$(what_is)" "" "nothing is left"
ok "stop all where nothing is" ublk stop -a

# When it returns, the data is in the file.
pattern data 1048576 >"$tmp/data"
truncate -s 1M "$tmp/file"
served "a file, buffered" file --buffered "$tmp/file"
cat "$tmp/data" >"$dev"
ok "stop it" ublk stop "$dev"
same "$tmp/file" "$tmp/data" "what was written is in the file"

# Disks on other disks: the upper ones are stopped first.
served "a disk" ram 4M
lowest=$dev
served "a file on it" file "$dev"
served "a file on that" file "$dev" --cow 1M
fails 1 "what is below others is refused" ublk stop "$lowest"
like "$err" "^ublk: device ${lowest#/dev/ublkb} is in use" "and told why"
ok "stop them all" ublk stop --all
is "$err" "" "in silence"
is "$(what_is)" "" "nothing is left"
served "a disk" ram 4M
lowest=$dev
served "a file on it" file "$dev"
ok "so it is where they are named" ublk stop "$lowest" "$dev"
is "$(what_is)" "" "nothing is left"
truncate -s 4M "$tmp/below"
served "a file" file "$tmp/below"
served "a file on it" file --buffered "$dev"
pattern above 1048576 >"$tmp/above"
cat "$tmp/above" >"$dev"
ok "also by force" ublk stop --all --force
is "$(head -c 1048576 "$tmp/below" | sum -)" "$(sum "$tmp/above")" \
	"what was written to the upper one is in the file"

# In use.
served "a disk with a filesystem" ram 16M
mkfs.ext4 -q "$dev"
mkdir "$tmp/mnt"
mount "$dev" "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'
server=$(server_of "$id")
fails 1 "a mounted one is refused" ublk stop "$dev"
like "$err" "^ublk: device $id is in use: mounted on $tmp/mnt;" \
	"and where it is mounted is said"
fails 1 "also by --all" ublk stop --all
is "$(grep -c 'in use' "$tmp/err")" 1 "which is said once"
kill -TERM "$server"
wait_until 20 sh -c 'dmesg | grep -q "in use and goes on"'
if runs "$server"; then
	pass "SIGTERM does not end its server"
else
	fail "SIGTERM does not end its server"
fi
like "$(dmesg)" "ublk: device $id is in use and goes on" "which says so"
cp "$tmp/data" "$tmp/mnt/file"
sync
echo 3 >/proc/sys/vm/drop_caches
same "$tmp/mnt/file" "$tmp/data" "and it still works"
if [ -n "$prompt" ]; then
	ok "it can be stopped by --force" ublk stop --force "$dev"
	if [ ! -e "$dev" ] && [ ! -e "/run/ublk/$id" ] && ! runs "$server"; then
		pass "node, record and server are gone"
	else
		fail "node, record and server are gone" "$(what_is)"
	fi
	umount "$tmp/mnt"
else
	skip "it can be stopped by --force" "$not_prompt"
	umount "$tmp/mnt"
	stopped "unmounted it is stopped" "$dev"
fi
served "when it is unmounted its number is free" ram 1M -n "$id"
stopped "stop that" "$dev"

served "a disk of two partitions" ram 16M
printf 'o\nn\np\n1\n\n+4M\nn\np\n2\n\n\nw\n' | fdisk "$dev" >/dev/null 2>&1
if wait_until 5 test -b "${dev}p2"; then
	mkfs.ext4 -q "${dev}p2" 2>/dev/null
	mount "${dev}p2" "$tmp/mnt"
	fails 1 "one with a mounted partition is refused" ublk stop "$dev"
	like "$err" "in use: mounted on $tmp/mnt;" "and where is said"
	umount "$tmp/mnt"
else
	fail "one with a mounted partition is refused" "no partition appeared"
fi
stopped "unmounted it is not" "$dev"

# Other processes that have it open. The kernel log takes ten lines in five
# seconds, unless this setting is changed.
echo on >/proc/sys/kernel/printk_devkmsg
mkdir "$tmp/ns"
# opened PID DESCRIPTOR NODE: waits until `sleep` runs there and has it open.
# The shell goes on before it has.
opened() {
	# shellcheck disable=SC2016 # sh expands them
	wait_until 30 sh -c '[ "$(cat "/proc/$0/comm")" = sleep ] &&
		[ "$(readlink "/proc/$0/fd/$1")" = "$2" ]' "$@"
}
held() {
	fails 1 "$1: stop is refused" ublk stop "$dev"
	like "$err" "^ublk: device $id is in use: $2;" "$1: and says by what"
	case $2 in
	*device*) ;;
	*) fails 1 "$1: by --all, too" ublk stop --all ;;
	esac
	server=$(server_of "$id")
	dmesg -c >/dev/null
	kill -TERM "$server"
	kill -HUP "$server"
	wait_until 30 sh -c \
		'[ "$(dmesg | grep -c "in use and goes on")" = 2 ]'
	like "$(dmesg)" "ublk: device $id is in use and goes on: $2" \
		"$1: so are SIGTERM and SIGHUP"
	[ -b "$dev" ] && runs "$server" && pass "$1: it goes on" ||
		fail "$1: it goes on" "$(what_is)"
}
served "a disk with a filesystem" ram 16M
mkfs.ext4 -q "$dev"
loop=$(losetup -f)
losetup "$loop" "$dev"
at_exit 'umount "$tmp/mnt" 2>/dev/null; losetup -d "$loop" 2>/dev/null'
held "a loop device" "behind $loop"
mount "$loop" "$tmp/mnt"
cp "$tmp/data" "$tmp/mnt/file"
held "one that is mounted" "behind $loop"
umount "$tmp/mnt"
losetup -d "$loop"
unshare -m sh -c 'mount "$0" "$1" && exec sleep 1000' "$dev" "$tmp/ns" &
other=$!
wait_until 10 grep -q "$tmp/ns" "/proc/$other/mountinfo"
held "a mount in another namespace" \
	"mounted on $tmp/ns, as process [0-9]* sees it"
kill $other
wait $other 2>/dev/null
mount "$dev" "$tmp/mnt"
same "$tmp/mnt/file" "$tmp/data" "nothing is lost by all that"
umount "$tmp/mnt"
mkswap "$dev" >/dev/null
swapon "$dev"
held "swap" "swap"
swapoff "$dev"
lower=$dev
lower_id=$id
for how in "file $lower" "file $lower -r"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "ublk $how" $how
	upper=$dev upper_id=$id dev=$lower id=$lower_id
	held "ublk $how" "behind device $upper_id"
	if [ -n "$recovers" ]; then
		kill -KILL "$(server_of "$upper_id")" "$(worker_of "$upper_id")"
		wait_until 5 sh -c "ublk list $upper_id | grep -q quiesced"
		held "ublk $how without a server" "behind device $upper_id"
	fi
	stopped "stop the upper one" "$upper"
done
sleep 1000 3<>"$lower" &
holder=$!
opened $holder 3 "$lower"
held "a program that has it open" "open in process $holder .sleep."
kill $holder
wait $holder 2>/dev/null
sleep 1000 3<"$lower" &
holder=$!
opened $holder 3 "$lower"
held "one that only reads" "open in process $holder .sleep."
kill $holder
wait $holder 2>/dev/null
# A process that looks at every new disk closes it soon.
sleep 1 3<"$lower" &
opened $! 3 "$lower"
stopped "one that has it open for a moment is waited for" "$lower"
wait $!

# `--all` spares a running root filesystem, whatever the other options are.
served "a root" ram 4M --rootfs
mkfs.ext4 -q "$dev"
mount "$dev" "$tmp/mnt"
root=$dev
served "and another disk" ram 1M
ok "stop --all" ublk stop --all
like "$err" "device ${root#/dev/ublkb} holds a running root" "says what it spares"
ok "stop --all --force" ublk stop --all --force
like "$err" "device ${root#/dev/ublkb} holds a running root" "also by force"
is "$(ublk list | awk 'NR > 1 { print $2 }')" "$root" "all else is stopped"
cp "$tmp/data" "$tmp/mnt/file"
sync
echo 3 >/proc/sys/vm/drop_caches
same "$tmp/mnt/file" "$tmp/data" "and it serves on"
fails 1 "named it is refused" ublk stop "$root"
umount "$tmp/mnt"
ok "unused it is one of all" ublk stop --all
is "$(what_is)" "" "nothing is left"

# Open, but not claimed: with --force.
if [ -n "$prompt" ]; then
	served "a disk that is open" ram 1M
	server=$(server_of "$id")
	# shellcheck disable=SC2217 # only to hold it
	sleep 1000 <"$dev" &
	reader=$!
	opened $reader 0 "$dev"
	start=$(cut -d . -f 1 /proc/uptime)
	ok "is stopped by force" ublk stop --force "$dev"
	[ $(($(cut -d . -f 1 /proc/uptime) - start)) -lt 8 ] &&
		pass "without waiting for the reader" ||
		fail "without waiting for the reader"
	if [ ! -e "$dev" ] && [ ! -e "/run/ublk/$id" ] && ! runs "$server"; then
		pass "node, record and server are gone"
	else
		fail "node, record and server are gone" "$(what_is)"
	fi
	is "$(ublk list)" "" "it is no more listed"
	kill $reader
	wait $reader 2>/dev/null
	served "when it is closed its number is free" ram 1M -n "$id"
	stopped "stop that" "$dev"
else
	skip "a disk that is open is stopped" "$not_prompt"
fi

# A slow server: here it is stopped by a signal.
served "one whose server is slow" ram 1M
server=$(server_of "$id")
kill -STOP "$server"
ublk stop "$dev" 2>"$tmp/err" &
stop=$!
if wait_until 30 test -s "$tmp/err"; then
	like "$(cat "$tmp/err")" "^ublk: device $id: waiting for its server" \
		"stop says what it waits for"
else
	fail "stop says what it waits for"
fi
kill -CONT "$server"
status=0
wait $stop || status=$?
is $status 0 "and returns when the server has ended"
if nothing_of "$id" "$server"; then
	pass "with nothing left"
else
	fail "with nothing left" "$(what_is)"
fi

# Two stops at the same time.
served "one to be stopped twice" ram 1M
server=$(server_of "$id")
ublk stop "$dev" 2>"$tmp/one" &
one=$!
ublk stop "$dev" 2>"$tmp/two"
wait $one
if nothing_of "$id" "$server"; then
	pass "two stops at once leave nothing"
else
	fail "two stops at once leave nothing" "$(what_is)"
fi

# A number must not be free before everything is over: a stop must not hit the
# next device.
n=0
bad=''
while [ $n -lt 15 ]; do
	ublk ram 1M -n 3 >/dev/null
	ublk stop 3 &
	stop=$!
	until ublk ram 1M -n 3 >/dev/null 2>&1; do :; done
	wait $stop
	[ -b /dev/ublkb3 ] && [ -f /run/ublk/3 ] || bad="$bad $n"
	ublk stop 3
	n=$((n + 1))
done
is "$bad" "" "a stop never takes the device that comes next"
is "$(what_is)" "" "nothing is left"

done_testing
