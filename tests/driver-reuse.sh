# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add build/x86_64/driver/server
# board: --add build/x86_64/driver/reuse --timeout 600
# kernel: tests
#
# A thousand devices (or DEVICES) come and go under the same numbers, in each way
# that there is to go, and their memory comes back: of no kind of object does the
# kernel have more than before, and it has as many free pages.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

# On the board the program lies beside the test.
reuse=${0%/*}/reuse
[ -x "$reuse" ] || reuse=build/$(uname -m)/driver/reuse

rounds=${DEVICES:-1000}
devices="11 12 13 14 15 16 17 18"
jobs=8

# in_use: prints how many objects of each kind are in use, when all that can be
# given back was, and how many pages for anything else. A cache that was shrunk
# just before it is read counts its objects and not those it has ready.
#
# An area of vmalloc(), of which each queue has one, is freed for good only with
# thousands of others: until then its vmap_area waits, and later may be that of
# a gap. So areas are counted as the kernel lists them, without those that wait.
in_use() {
	echo 3 >/proc/sys/vm/drop_caches
	echo 3 >/proc/sys/vm/drop_caches
	# Twice, since what was used lately is spared once. Then RCU frees it.
	sleep 0.4
	for cache in $caches; do
		echo 1 >"$cache/shrink"
		read -r count _ <"$cache/objects"
		echo "${cache##*/} $count"
	done
	[ -z "$checks_itself" ] || return 0
	echo "areas $(grep -vc unpurged /proc/vmallocinfo)"
	awk '$1 == "managed" { used += $2 }
		$1 == "nr_free_pages" || $1 == "count:" { used -= $2 }
		$1 ~ /^nr_slab_(un)?reclaimable$/ { used -= $2 }
		$1 == "nr_kernel_stack" { used -= $2 / 4 }
		END { print "pages", used }' /proc/zoneinfo
}

# look FILE: looks once more; FILE keeps the least that was seen of each, since
# what is there for a moment only comes on top.
look() {
	in_use >"$tmp/now"
	[ -f "$1" ] || cp "$tmp/now" "$1"
	awk 'FNR == NR { least[$1] = $2; next }
		{ print $1, $1 in least && least[$1] < $2 ? least[$1] : $2 }
		' "$1" "$tmp/now" >"$tmp/least"
	mv "$tmp/least" "$1"
}

# nothing_more: looks what there is more of than before. What is lost in each
# fifth round shows; up to a hundred objects are about because of workers.
nothing_more() {
	look "$tmp/after"
	awk -v bound=$((100 + rounds / 10)) '
		FNR == NR { before[$1] = $2; next }
		$2 - before[$1] > bound { print $1, "+" $2 - before[$1] }
		' "$tmp/before" "$tmp/after" >"$tmp/more"
	[ ! -s "$tmp/more" ]
}

# come_and_go QUEUES TEXT KIND...
come_and_go() {
	queues=$1
	text="$rounds times $2, $queues queue"
	[ "$queues" -eq 1 ] || text=${text}s
	shift 2
	# What the first of their kind leave is kept for all.
	"$reuse" $((jobs * 4)) $jobs 11 "$queues" "$@" 2>"$tmp/reuse" ||
		fail "the first of $text" "$(cat "$tmp/reuse")"
	rm -f "$tmp/before" "$tmp/after"
	sleep 1
	look "$tmp/before"
	look "$tmp/before"
	ok "$text" "$reuse" "$rounds" $jobs 11 "$queues" "$@"
	# Some of it is given back by workers, and when RCU is through.
	wait_until 5 nothing_more || :
	is "$(cat "$tmp/more")" "" "memory is back, $text"
}

caches=''
for cache in /sys/kernel/slab/*; do
	case $cache in */vmap_area) continue ;; esac
	# Where caches are merged, a link is another name of one.
	[ -L "$cache" ] || [ ! -f "$cache/objects" ] || caches="$caches $cache"
done
# The kernel that checks itself keeps what was freed for a while, and has notes of
# it: there only the objects of others are counted.
checks_itself=''
objects_checked=/sys/kernel/slab/debug_objects_cache
if [ -e $objects_checked ]; then
	checks_itself=1
	caches=$(echo "$caches" | tr ' ' '\n' | grep -vxF $objects_checked)
fi
[ -n "$caches" ] ||
	note "this kernel counts no objects (CONFIG_SLUB_DEBUG), only pages"
in_use >/dev/null
come_and_go 1 "added, deleted" added
come_and_go 2 "added, deleted" added
come_and_go 2 "started, used, stopped, deleted" stopped
# With Linux 6.1 a death takes five seconds, where it is noticed at all.
if [ -z "$old" ]; then
	come_and_go 1 "refused, cancelled, deleted" refused
	come_and_go 2 "added, its server killed, deleted" fetched
	come_and_go 2 "started, its server killed in I/O, deleted" killed
fi
set -- stopped deleted data
! offers user-copy || set -- "$@" copy
[ -n "$old" ] || ! offers recovery recovery-reissue || set -- "$@" recovered
! offers quiesce update-size || set -- "$@" resized
come_and_go 1 "by turns $*" "$@"

done_testing
