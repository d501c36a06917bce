# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add build/x86_64/driver/server --mem 256M
# board: --timeout 900
#
# A thousand devices come and go, one after the other under the same numbers,
# killed, stopped or only added, and their memory comes back: free pages and,
# where the kernel tells, slab objects.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

rounds=${REUSE:-1000}
devices="11"

# round: by turns a device that only was added, one that was never started, one
# that was killed and one that was stopped.
round() {
	case $(($1 % 4)) in
	0) "$server" --null --id 11 --die-at added >/dev/null 2>&1 ;;
	1) "$server" --null --id 11 --die-at fetched >/dev/null 2>&1 ;;
	2) "$server" --null --id 11 --queues 2 --die-at started \
		>/dev/null 2>&1 ;;
	3)
		launch --null --id 11 --queues 2 || return 1
		"$server" --stop 11 || return 1
		;;
	esac
	"$server" --delete 11
}

# memory: prints kilobytes that are in use when nothing can be given back.
memory() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	awk '/^MemTotal:/ { total = $2 } /^MemFree:/ { free = $2 }
		/^Shmem:/ { shmem = $2 }
		END { print total - free - shmem }' /proc/meminfo
}
slabs() {
	awk '/^Slab:/ { print $2 }' /proc/meminfo
}
# rounds_of FROM TO
rounds_of() {
	n=$1
	while [ "$n" -lt "$2" ]; do
		round "$n" || {
			problem="round $n: $(cat "$tmp/server")"
			return
		}
		n=$((n + 1))
	done
}

# The first fifty warm up what is kept for good.
rounds_of 0 50
used=$(memory)
slab=$(slabs)
rounds_of 50 $((rounds + 50))
answer "$rounds times under the same number"
# One page lost in each round would be 4 KiB a round.
more=$(($(memory) - used))
note "memory in use: $used KiB, then $more more; slab: $slab, then $(slabs)"
[ $more -lt $((rounds / 2)) ] && pass "pages come back" ||
	fail "pages come back" "$more KiB more after $rounds rounds"
more=$(($(slabs) - slab))
[ $more -lt $((rounds / 4)) ] && pass "slab objects come back" ||
	fail "slab objects come back" "$more KiB more after $rounds rounds"

done_testing
