# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --smp 2 --timeout 300
#
# Every CPU expands an image, for one sequential reader as well as for two
# random ones. With one CPU, only the queue does.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# threads: prints the number of the worker's threads, without the kernel's.
threads() {
	cat /proc/"$worker"/task/*/comm | grep -cv '^iou-'
}

# ticks: prints the CPU time of the helper, which is the first thread that the
# worker creates, in hundredths of a second.
ticks() {
	for task in /proc/"$worker"/task/*; do
		echo "${task##*/}"
	done | sort -n | sed -n 2p >"$tmp/helper"
	sed 's/.*) //' "/proc/$worker/task/$(cat "$tmp/helper")/stat" |
		awk '{ print $12 + $13 }'
}

# Data that takes long to expand.
head -c 6000000 /dev/urandom | base64 | head -c 8000000 >"$tmp/disk"
ok 'an image' ublk pack -l 1 "$tmp/disk" "$tmp/image"

# here_and_there FROM: reads a piece of many chunks.
here_and_there() {
	i=0
	while [ $i -lt 100 ]; do
		at=$(((($1 + i) * 37 % 130) * 60 / 4))
		dd if="$dev" bs=4k iflag=direct skip=$at count=1
		i=$((i + 1))
	done >/dev/null 2>&1
}
two_processors() {
	served 'two processors' zimg --cache 1M "$tmp/image"
	worker=$(worker_of "$id")
	is "$(threads)" 3 'a queue and a helper'
	is "$(sum "$dev")" "$(sum "$tmp/disk")" 'from front to back: all of it'
	first=$(ticks)
	is "$((first >= 3))" 1 "and the helper expands: $first ticks"
	here_and_there 0 &
	here_and_there 50
	wait
	more=$(($(ticks) - first))
	is "$((more >= 3))" 1 "here and there, too: $more ticks"
	stopped 'stop it' "$dev"
}
if [ "$(nproc)" -ge 2 ]; then
	two_processors
else
	skip 'two processors' 'this board has one'
fi

taskset -p 1 $$ >"$tmp/said"
served 'one processor' zimg --cache 1M "$tmp/image"
worker=$(worker_of "$id")
is "$(threads)" 2 'a queue and no helper'
is "$(sum "$dev")" "$(sum "$tmp/disk")" 'all of it'
stopped 'stop it' "$dev"

done_testing
