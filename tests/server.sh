# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib
#
# A server process keeps nothing of its caller open, and never waits for the
# disk that it serves.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# fd PID: prints its descriptors.
fd() {
	for link in /proc/"$1"/fd/*; do
		readlink "$link"
	done
}
# field PID KEY
field() {
	sed -n "s/^$2:[	 ]*//p" "/proc/$1/status"
}

mkdir "$tmp/here"
cd "$tmp/here" || exit
: >"$tmp/mine"
exec 5<"$tmp/mine" 9>"$tmp/mine"
dev=$(ublk ram 64M)
exec 5<&- 9<&-
cd /
id=${dev#/dev/ublkb}
started=$dev
if [ -b "$dev" ]; then
	pass "dev=\$(ublk ram 64M) is the node"
else
	fail "dev=\$(ublk ram 64M) is the node" "$dev"
fi
server=$(server_of "$id")
worker=$(worker_of "$id")
is "$(cut -d ' ' -f 6 "/proc/$server/stat")" "$server" "it has its own session"
is "$(field "$server" PPid)" 1 "and no parent but init"
# The server and, if there is one, the worker.
for process in $server $worker; do
	who=supervisor
	[ "$process" != "${worker:-$server}" ] || who=worker
	is "$(for n in 0 1 2; do readlink "/proc/$process/fd/$n"; done |
		tr '\n' ' ')" "/dev/null /dev/null /dev/null " \
		"$who: 0, 1 and 2 are /dev/null"
	unlike "$(fd "$process")" "$tmp" \
		"$who: no descriptor of the caller is open"
	unlike "$(fd "$process")" "pipe:" "$who: nor a pipe"
	is "$(readlink "/proc/$process/cwd")" / "$who: its folder is /"
	is "$(cut -d ' ' -f 7 "/proc/$process/stat")" 0 "$who: no terminal"
	is "$(cat "/proc/$process/oom_score_adj")" -1000 \
		"$who: the OOM killer leaves it alone"
	# PR_SET_IO_FLUSHER shows as PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE.
	is $(($(cut -d ' ' -f 9 "/proc/$process/stat") & 0x180000)) \
		$((0x180000)) "$who: reclaim does not wait for it"
	if [ "$(field "$process" VmLck | tr -dc 0-9)" -gt 1024 ]; then
		pass "$who: its memory is locked"
	else
		fail "$who: its memory is locked" "$(field "$process" VmLck)"
	fi
	# Every page of the program is in memory.
	is "$(awk '/^[0-9a-f]+-/ { ours = /\/ublk$/ }
		ours && /^Size:/ { size = $2 }
		ours && /^Rss:/ && $2 < size { print }' \
		"/proc/$process/smaps")" "" "$who: and the program whole"
done
# Without the threads that the kernel has for a ring.
is "$(cat "/proc/${worker:-$server}"/task/*/comm | grep -vc iou-)" 2 \
	"a queue is a thread"
note "an idle server: $(field "$server" VmRSS) resident, $(field "$server" VmSize) mapped"
is "$(tr '\0' ' ' <"/proc/$server/cmdline")" "ublk ram 64M " \
	"ps shows what it serves"
stopped "stop it" "$dev"

# A reader of the command's output gets its end at once.
ublk ram 1M 2>&1 | cat >"$tmp/node" &
reader=$!
wait_until 10 test -s "$tmp/node"
dev=$(cat "$tmp/node")
started="$started $dev"
gone() {
	! runs $reader
}
if wait_until 5 gone; then
	pass "a reader of its output and messages sees their end"
else
	fail "a reader of its output and messages sees their end"
fi
stopped "stop it" "$dev"

served "queues" null 1G -q 2
server=$(worker_of "$id")
for thread in "/proc/${server:-$(server_of "$id")}"/task/*; do
	grep -s '^Cpus_allowed_list:' "$thread/status"
done >"$tmp/cpus"
is "$(grep -cE '	[01]$' "$tmp/cpus")" 2 "are pinned to their processors"
stopped "stop it" "$dev"

# A disk with the root filesystem.
served "a server of a root filesystem" ram 1M --rootfs
server=$(server_of "$id")
like "$(tr '\0' ' ' <"/proc/$server/cmdline")" "^@" "its name begins with @"
unlike "$(readlink "/proc/$server/ns/mnt")" "^$(readlink /proc/self/ns/mnt)\$" \
	"it has mounts of its own"
kill -TERM "$server"
kill -INT "$server"
kill -HUP "$server"
sleep 0.5
if runs "$server" && [ -b "$dev" ]; then
	pass "signals do not end it"
else
	fail "signals do not end it"
fi
like "$(ublk list)" "^$id +$dev +live" "it is listed"
stopped "but stop does" "$dev"

# A pid that another process has now is not the server.
served "a disk" ram 1M --no-supervise
server=$(server_of "$id")
kill -KILL "$server"
wait_until 5 test ! -e "$dev"
sleep 1000 &
other=$!
sed -i "s/^pid=.*/pid=$other/" "/run/ublk/$id"
like "$(ublk list)" "^$id +$dev +dead +ram .* - " \
	"another process of that pid is not taken for it"
ok "stop it" ublk stop "$id"
if runs $other; then
	pass "nor touched"
else
	fail "nor touched"
fi
kill $other

done_testing
