# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool blkdiscard --tool fallocate --mem 256M
#
# A disk in memory takes memory only when it is written, and gives it back when
# it is discarded.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# Shared memory of this machine in KiB: disks, and files in tmpfs.
shmem() {
	awk '/^Shmem:/ { print $2 }' /proc/meminfo
}

# takes KIB NAME: so much more memory than at the last `from_here`, +- 1 MiB.
from_here() {
	start=$(shmem)
}
takes() {
	taken=$(($(shmem) - start))
	if [ $taken -gt $(($1 - 1024)) ] && [ $taken -lt $(($1 + 1024)) ]; then
		pass "$2"
	else
		fail "$2" "took $taken KiB, wanted $1"
	fi
}

# Two requests at a time: their buffers count, too.
from_here
served "a disk of 128M" ram 128M --depth 2
takes 0 "takes no memory"
dd if="$dev" of=/dev/null bs=1M iflag=direct 2>/dev/null
takes 0 "nor does reading all of it"
pattern memory 1048576 >"$tmp/data"
from_here

for piece in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	put "$dev" $((piece * 4194304)) <"$tmp/data"
done
takes 16384 "16 MiB written here and there take 16 MiB"
blkdiscard -o 0 -l 33554432 "$dev"
takes 8192 "a discard gives back what it holds"
fallocate -p -o 33554432 -l 4194304 "$dev"
takes 7168 "so does writing zeroes"
blkdiscard -z -o 41943040 -l 4194304 "$dev"
takes 10240 "zeroes that shall have their place have it"
read_back "$dev" 33554432 >/dev/null
takes 10240 "reading what was discarded takes nothing"
is "$(read_back "$dev" 1048576 46137344 | sum -)" "$(sum "$tmp/data")" \
	"what was not discarded is there"
dd if=/dev/zero of="$dev" bs=1M count=16 oflag=direct 2>/dev/null
ok "discard all" blkdiscard "$dev"
takes 0 "nothing is left"

note "the server: $(resident_of "$id") KiB"
stopped "stop it" "$dev"

# A goal, not a promise.
goal=$(idle_goal)
served "a small disk" ram 16M
resident=$(resident_of "$id")
note "an idle server has $resident KiB resident"
if [ "$resident" -lt $goal ]; then
	pass "an idle server is smaller than $goal KiB"
else
	fail "an idle server is smaller than $goal KiB" "$resident KiB"
fi
stopped "stop it" "$dev"

memory=$(awk '/^MemTotal:/ { print $2 * 1024 }' /proc/meminfo)
before
fails 1 "one sector more than the machine's memory is refused" \
	ublk ram $((memory + 512))
like "$err" "^ublk: ram: .*more than this machine's memory" "and says so"
leaves_nothing "and leaves nothing"
from_here
started=''
for i in 1 2 3 4 5 6 7 8; do
	served "untouched disk $i of 200M" ram 200M
done
takes 0 "several that are untouched take nothing"
# shellcheck disable=SC2086 # words are meant to be split
ok "stop them" ublk stop $started
leaves_nothing "nothing is left of them"

done_testing
