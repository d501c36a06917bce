# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/handover/other
# board: --add $O/driver/strike --timeout 300
#
# `ublk upgrade` to a program that must not take the device: another version of
# the handover protocol, unknown words, or programs in memory are forbidden. The
# old program serves on.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"

pattern data 1048576 >"$tmp/data"
served "a disk" ram 8M
put "$dev" 0 <"$tmp/data"

# A program with another handover protocol, to ours and from it.
other=${0%/*}/other
fails 1 "a program of another version" ublk upgrade "$id" "$other"
like "$err" "hands devices over with version=1, this one takes version=99" \
	"says what it takes"
like "$err" "device $id: goes on with the old program" "and the old one goes on"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
ours=$(command -v ublk)
run "$other" ram 8M
newer=$out
started="$started $newer"
put "$newer" 0 <"$tmp/data"
fails 1 "the other way round" ublk upgrade "$newer" "$ours"
like "$err" "hands devices over with version=99, this one takes version=1" \
	"it says so"
is "$(readlink "/proc/$(worker_of "${newer#/dev/ublkb}")/exe")" \
	"$(readlink -f "$other")" "its own program goes on"
is "$(read_back "$newer" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
ok "which takes another of its kind" "$other" upgrade "$newer" "$other"
is "$(read_back "$newer" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
stopped "stop it" "$newer"

# Unknown words in a handover.
known="version=1 id=$id fetched=0 live=1 buffers=2"
watch_server
for word in worker=x other=1 other file-other=0 file-memory=99 file-memory=x; do
	# shellcheck disable=SC2086 # words are meant to be split
	fails 1 "$word is refused" ublk handover $known $word
done
for word in $known; do
	# shellcheck disable=SC2046 # words are meant to be split
	fails 1 "without $word" ublk handover $(echo "$known" | sed "s/$word//")
done
fails 1 "in the words of older programs" ublk handover worker "$id" 0 1 2
same_server "it is served as before"

# Programs in memory cannot be executed: the kernel's error, a kernel that is
# too old for the flag, and one that has the sysctl.
memfd="${0%/*}/strike 1 -c memfd_create -o $tmp/call"
fails 1 "programs in memory are forbidden" $memfd -e EACCES ublk upgrade "$id"
like "$err" "not permitted; see the sysctl vm.memfd_noexec" "that is said"
same_server "it is served as before"
ok "a kernel that cannot forbid them" $memfd -e EINVAL ublk upgrade "$id"
fails 1 "a program that cannot be made one" \
	${memfd%memfd_create*}fchmod -o "$tmp/call" -e EIO ublk upgrade "$id"
like "$err" "copying the program to memory: I/O error" "that is said"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"
stopped "stop it" "$dev"

noexec=/proc/sys/vm/memfd_noexec
if [ -w $noexec ]; then
	served "a disk" ram 8M
	put "$dev" 0 <"$tmp/data"
	echo 1 >$noexec
	ok "programs in memory must say so: upgrade it" ublk upgrade "$id"
	echo 2 >$noexec
	fails 1 "programs in memory are forbidden" ublk upgrade "$id"
	like "$err" "not permitted; see the sysctl vm.memfd_noexec" \
		"that is said"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"all is there"
	stopped "stop it" "$dev"
	for target in "ram 8M" "ram 8M --cow 1M" "ram 8M --no-supervise"; do
		# shellcheck disable=SC2086 # words are meant to be split
		served "$target all the same" $target
		stopped "stop it" "$dev"
	done
else
	skip "programs in memory" "this kernel has no such sysctl"
fi

done_testing
