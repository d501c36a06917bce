# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib
#
# If a device cannot be created, a message says why and what to do, and nothing
# is left behind.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

before
[ -z "$was" ] || skip_all "there are devices already"

# refused REGEX NAME COMMAND...
refused() {
	regex=$1
	fails 1 "$2" sh -c "$3"
	like "$err" "^ublk: $regex" "and what to do is said"
	is "$(wc -l <"$tmp/err")" 1 "in one line"
	is "$out" "" "and nothing printed"
	leaves_nothing "and nothing left"
}

# apart COMMANDS: runs them in a shell with its own mount namespace.
apart() {
	echo "exec unshare -m sh -c '$1'"
}

# A /dev of so many nodes.
# shellcheck disable=SC2016 # it is for the other shell
only() {
	echo 'mkdir -p /tmp/dev; mount -t tmpfs dev /tmp/dev
		for node in '"$1"'; do
			[ ! -c /dev/$node ] || cp -a /dev/$node /tmp/dev/
		done
		mount --move /tmp/dev /dev'
}

refused "/dev/ublk-control: no ublk driver.*CONFIG_BLK_DEV_UBLK.*modprobe" \
	"no driver" "$(apart "$(only "null kmsg"); ublk ram 1M")"
for verb in list features "stop 0"; do
	refused "/dev/ublk-control: no ublk driver" "no driver for $verb" \
		"$(apart "$(only null); ublk $verb")"
done
refused "/dev/ublkc0 did not appear.*devtmpfs" "a /dev where nothing appears" \
	"$(apart "$(only "null kmsg ublk-control"); ublk ram 1M")"

# An ordinary user.
user() {
	echo "su -s /bin/sh nobody -c '$1'"
}
refused "/dev/ublk-control: not permitted.*root" "a user" "$(user "ublk ram 1M")"
refused "/dev/ublk-control: not permitted.*root" "a user's list" \
	"$(user "ublk list")"
sysctl=/proc/sys/kernel/io_uring_disabled
if [ -w $sysctl ]; then
	disabled=$(cat $sysctl)
	at_exit 'echo "$disabled" >$sysctl'
	echo 2 >$sysctl
	refused "io_uring is not permitted.*kernel.io_uring_disabled" \
		"io_uring switched off" "ublk ram 1M"
	refused "io_uring is not permitted" "also for list" "ublk list"
	echo "$disabled" >$sysctl
else
	skip "io_uring switched off" "this kernel has no such sysctl"
fi

# /run.
mkdir -p /run/ublk
full='mount -t tmpfs -o size=4k,mode=755 full /run/ublk
	head -c 8192 /dev/zero >/run/ublk/full 2>/dev/null'
refused "/run/ublk/0: No space left" "a full /run" \
	"$(apart "$full; ublk ram 1M")"
refused "/run/ublk/0: No space left" "the same with -f" \
	"$(apart "$full; ublk ram -f 1M")"
is "$(unshare -m sh -c "$full; ublk ram 1M; ls -A /run/ublk" 2>/dev/null)" full \
	"no part of a record is left"
refused "/run/ublk.*Read-only" "a /run to read only" \
	"$(apart "mount -t tmpfs -o ro none /run/ublk; ublk ram 1M")"
mount -t tmpfs none /run/ublk -o size=64k,nr_inodes=1
refused "/run/ublk.*No space left" "a /run without room for a file" "ublk ram 1M"
umount /run/ublk
rmdir /run/ublk
: >/run/ublk
refused "/run/ublk.*Not a directory" "a file in its place" "ublk ram 1M"
rm /run/ublk
served "without the folder it is made" ram 1M
is "$(stat -c %a /run/ublk)" 755 "for everybody to read"
stopped "stop it" "$dev"

# The memory of the process.
for limit in 2000 20000; do
	refused ".*" "$limit KiB of address space" \
		"ulimit -v $limit; ublk ram 64M -d 4096 --max-io 1M"
done
refused ".*" "no room for descriptors" "ulimit -n 8; ublk null 1M -q 2"


# At every limit, it starts or leaves nothing.
limit=2000 failed=0
while [ $limit -lt 4400 ]; do
	if sh -c "ulimit -v $limit; exec timeout 10 ublk null 1M -q 2 -d 1 \
		--max-io 4096" >"$tmp/node" 2>"$tmp/err"; then
		ublk stop "$(cat "$tmp/node")"
	else
		failed=$((failed + 1))
	fi
	[ -z "$(what_is)" ] || break
	limit=$((limit + 80))
done
note "$failed of 30 limits were too little"
leaves_nothing "no limit of address space leaves anything"

# Stopped during its start: it fails, or it was too early.
problem='' early=0
n=0
while [ $n -lt 40 ] && [ -z "$problem" ]; do
	n=$((n + 1))
	ublk ram 1M -q 2 >"$tmp/node" 2>"$tmp/err" &
	usleep $((n * 1500))
	timeout 20 ublk stop --force --all 2>"$tmp/words" ||
		problem="stop: status $?, $(cat "$tmp/words" "$tmp/err")"
	! wait $! || early=$((early + 1))
	timeout 20 ublk stop --all || problem="$problem not stopped"
	# It does not wait for the node of a disk that is gone.
	! grep 'did not appear' "$tmp/err" || problem="$problem waited"
done
note "$early of $n stops were too early"
is "$problem" "" "devices that are stopped while they start"
leaves_nothing "they leave nothing"

# Standard output.
refused ".*: No space left" "a node that cannot be printed" "ublk ram 1M >/dev/full"
refused ".*" "the same with -f" "ublk ram -f 1M >/dev/full"
refused ".*: Bad file descriptor" "no standard output" "ublk ram 1M >&-"
refused ".*: Bad file descriptor" "the same with -f" "ublk ram -f 1M >&-"
truncate -s 1M "$tmp/file"
refused ".*: Bad file descriptor" "nor standard input: a file" \
	"ublk file $tmp/file <&- >&-"
refused ".*: Bad file descriptor" "the same with -f" \
	"ublk file -f $tmp/file <&- >&-"
is "$(sum "$tmp/file")" "$(head -c 1048576 /dev/zero | sum -)" \
	"nothing of it gets into the file"
run sh -c "ublk file $tmp/file <&- >&- 2>&-"
is $status 1 "nor standard error"
leaves_nothing "nothing is left"
is "$(sum "$tmp/file")" "$(head -c 1048576 /dev/zero | sum -)" \
	"nothing of it gets into the file"
dev=$(ublk file "$tmp/file" <&- 2>&-)
started="$started $dev"
pattern data 1048576 >"$tmp/data"
put "$dev" 0 <"$tmp/data"
same "$tmp/file" "$tmp/data" "without input and error it serves"
stopped "and stops" "$dev"

done_testing
