# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool mkfs.ext4 --disk 32M --timeout 600
#
# Processors go and come back, as they do where a board saves power or is
# suspended, while disks with a queue for each are in use: no request is lost or
# waits for a processor that is away. A disk can be made, recovered, upgraded and
# stopped meanwhile.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

cpu=/sys/devices/system/cpu/cpu1/online
[ -w $cpu ] || skip_all "this kernel or board cannot stop a processor"
at_exit 'echo 1 >$cpu'
at_exit 'stop_started; umount "$tmp/ext4"'

# away NAME, back NAME: checks that stop the processor, and start it.
away() {
	ok "$1" sh -c "echo 0 >$cpu"
}
back() {
	ok "$1" sh -c "echo 1 >$cpu"
}

# on CPU COMMAND...: runs it on that processor.
on() {
	mask=$((1 << $1))
	shift
	taskset "$mask" "$@"
}

mkdir "$tmp/ext4"
mkfs.ext4 -q /dev/vda
mount /dev/vda "$tmp/ext4"
pattern old 8388608 >"$tmp/ext4/file"
cp "$tmp/ext4/file" "$tmp/file"
ublk pack "$tmp/file" "$tmp/image.gz" >/dev/null

# load N: writes and reads back, piece for piece, in half N of the disk, until
# $tmp/enough is there. $tmp/round.N is how often that was right.
load() {
	round=0
	while [ ! -e "$tmp/enough" ]; do
		at=$(($1 * 64 + round * 37 % 64))
		pattern "$round" 65536 >"$tmp/load.$1"
		put "$dev" $((at * 65536)) <"$tmp/load.$1" || return
		read_back "$dev" 65536 $((at * 65536)) |
			cmp -s - "$tmp/load.$1" || return
		round=$((round + 1))
		echo $round >"$tmp/round.$1"
	done
	touch "$tmp/done.$1"
}

# more: both loads have done some rounds since the last time.
more() {
	[ $(($(cat "$tmp/round.0") - first)) -gt 1 ] &&
		[ $(($(cat "$tmp/round.1") - second)) -gt 1 ] || return 1
	first=$(cat "$tmp/round.0")
	second=$(cat "$tmp/round.1")
}

for arguments in "ram 8M -q 2" "file $tmp/file -q 2" \
	"file $tmp/ext4/file -q 2" "zimg $tmp/image.gz -q 2 --cow 16M"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$arguments" $arguments
	watch_server
	rm -f "$tmp/enough" "$tmp"/done.?
	echo 0 | tee "$tmp/round.0" >"$tmp/round.1"
	first=0 second=0
	load 0 &
	loads=$!
	load 1 &
	loads="$loads $!"
	n=0
	while [ $n -lt 5 ]; do
		n=$((n + 1))
		wait_until 60 more || fail "the loads go on"
		echo 0 >$cpu
		wait_until 60 more || fail "they go on without it"
		echo 1 >$cpu
	done
	touch "$tmp/enough"
	# shellcheck disable=SC2086 # words are meant to be split
	wait $loads
	[ -e "$tmp/done.0" ] && [ -e "$tmp/done.1" ] &&
		pass "all was read as it was written" ||
		fail "all was read as it was written"
	same_server "the server is the same"
	stopped "stop it" "$dev"
done

away "the processor goes"
served "a disk is made" ram 8M -q 2
pattern new 1048576 >"$tmp/data"
put_direct "$dev" 0 <"$tmp/data"
back "the processor is back"
on 1 dd if="$dev" of="$tmp/got" bs=64k count=16 iflag=direct 2>/dev/null
same "$tmp/got" "$tmp/data" "and the disk serves it"
if [ -n "$recovers" ]; then
	away "the processor goes again"
	worker=$(worker_of "$id")
	kill -KILL "$worker"
	ok "a killed server is replaced" wait_until 30 another_worker
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"the disk is as it was"
	ok "it is upgraded" ublk upgrade "$dev"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"the disk is as it was, still"
	back "the processor is back again"
	on 1 dd if="$dev" of="$tmp/got" bs=64k count=16 iflag=direct 2>/dev/null
	same "$tmp/got" "$tmp/data" "and is served"
fi
away "the processor goes at last"
stopped "the disk is stopped without it" "$dev"
back "it is back"

done_testing
