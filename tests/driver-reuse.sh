# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server
# board: --add $O/driver/reuse --timeout 600
# kernel: tests
#
# A thousand devices (or DEVICES) come and go under the same numbers, in every
# way in which a device can end, and their memory is freed: the kernel has no
# more objects of any kind than before, and as many free pages.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

# On the board, the program is beside the test.
reuse=${0%/*}/reuse
[ -x "$reuse" ] || reuse=build/$(uname -m)/driver/reuse

rounds=${DEVICES:-1000}
devices="11 12 13 14 15 16 17 18"
jobs=8

# in_use: prints how many objects of each kind are in use, after everything that
# can be freed was freed, and how many pages are used otherwise. A cache that
# was shrunk just before it is read counts its objects without those it keeps
# ready.
#
# Each queue has an area of vmalloc(), which is really freed only together with
# thousands of others. Until then its vmap_area waits, and may later describe a
# gap. So areas are counted as the kernel lists them, without those that wait.
in_use() {
	echo 3 >/proc/sys/vm/drop_caches
	echo 3 >/proc/sys/vm/drop_caches
	# Twice, since recently used objects are spared once. Then RCU frees
	# them.
	sleep 0.4
	for cache in $caches; do
		echo 1 >"$cache/shrink"
		read -r count _ <"$cache/objects"
		echo "${cache##*/} $count"
	done
	[ -z "$checks_itself" ] || return 0
	echo "areas $(grep -vc unpurged /proc/vmallocinfo)"
	awk -v page_kib=$page_kib '$1 == "managed" { used += $2 }
		$1 == "nr_free_pages" || $1 == "count:" { used -= $2 }
		$1 ~ /^nr_slab_(un)?reclaimable$/ { used -= $2 }
		$1 == "nr_kernel_stack" { used -= $2 / page_kib }
		END { print "pages", used }' /proc/zoneinfo
}

# look FILE: counts again. FILE keeps the smallest number of each kind, since
# there may be temporary objects.
look() {
	in_use >"$tmp/now"
	[ -f "$1" ] || cp "$tmp/now" "$1"
	awk 'FNR == NR { least[$1] = $2; next }
		{ print $1, $1 in least && least[$1] < $2 ? least[$1] : $2 }
		' "$1" "$tmp/now" >"$tmp/least"
	mv "$tmp/least" "$1"
}

# nothing_more: looks for kinds with more objects than before. A leak in every
# fifth round shows; up to a hundred objects exist because of workers.
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
	# The first devices of a kind may leave something that is kept for all.
	"$reuse" $((jobs * 4)) $jobs 11 "$queues" "$@" 2>"$tmp/reuse" ||
		fail "the first of $text" "$(cat "$tmp/reuse")"
	rm -f "$tmp/before" "$tmp/after"
	sleep 1
	look "$tmp/before"
	look "$tmp/before"
	ok "$text" "$reuse" "$rounds" $jobs 11 "$queues" "$@"
	# Workers and RCU free some of it later.
	wait_until 5 nothing_more || :
	is "$(cat "$tmp/more")" "" "memory is back, $text"
}

# Pages of this kernel, as a tmpfs has them; it counts stacks in KiB.
page_kib=$(($(stat -f -c %S /dev/shm) / 1024))
caches=''
for cache in /sys/kernel/slab/*; do
	case $cache in */vmap_area) continue ;; esac
	# If caches are merged, a link is another name of one.
	[ -L "$cache" ] || [ ! -f "$cache/objects" ] || caches="$caches $cache"
done
# The debug kernel keeps freed objects for a while, and notes about them: there,
# only objects of other kinds are counted.
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
# With Linux 6.1, noticing a death takes five seconds, if it is noticed at all.
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
