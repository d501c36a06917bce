# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# kernel: tests
# board: --tool fio --icount --mem 512M --timeout 400 --append null_blk.irqmode=2
# board: --append null_blk.completion_nsec=500000 --append null_blk.max_sectors=1024
#
# `ublk bench` and fio measure the same on a disk, to 5 %. The disk answers
# after half a millisecond, so that the different overheads of the two do not
# show. The board counts instructions as its time, so that a busy machine does
# not matter.
. "${0%/*}/lib.sh"

[ "$(cat /sys/module/null_blk/parameters/completion_nsec 2>/dev/null)" = 500000 ] ||
	skip_all "no null_blk that takes its time"
[ ! -e /proc/lockdep ] ||
	skip_all "on a kernel that checks itself what the two spend shows"

# by_fio RW BS DEPTH, by_ublk RW BS DEPTH: print IOPS, bandwidth, and the mean
# and the 99th percentile of the latency in ns.
by_fio() {
	fio --name=bench --filename=/dev/nullb0 --ioengine=libaio --direct=1 \
		--rw="$1" --bs="$2" --iodepth="$3" --size=256M \
		--time_based --runtime=2 --norandommap --randrepeat=1 \
		--output-format=json --percentile_list=99 \
		--lat_percentiles=1 --clat_percentiles=0 >"$tmp/fio" || return 1
	awk '
		/"(read|write|trim)" : \{/ { kind = $1 }
		/"iops" :/ { iops[kind] = $3 + 0 }
		/"bw_bytes" :/ { bytes[kind] = $3 + 0 }
		/"lat_ns" :/ { total = 1 }
		/"clat_ns" :|"slat_ns" :/ { total = 0 }
		total && /"mean" :/ { mean[kind] = $3 + 0 }
		/"99.000000" :/ { last[kind] = $3 + 0 }
		END {
			r = "\"read\""; w = "\"write\""
			all = iops[r] + iops[w]
			print all, bytes[r] + bytes[w],
				(mean[r] * iops[r] + mean[w] * iops[w]) / all,
				(last[r] > last[w] ? last[r] : last[w])
		}' "$tmp/fio"
}

by_ublk() {
	ublk bench --json --rw "$1" --bs "$2" --depth "$3" --time 2 --destroy \
		/dev/nullb0 | sed 's/.*"iops": \([^,]*\), "bandwidth": \([^,]*\),.*_mean_ns": \([^,]*\),.*_p99_ns": \([^}]*\)}/\1 \2 \3 \4/'
}

for work in "randread 4k 1" "randread 4k 8" "read 64k 2" "randwrite 4k 8" \
	"write 32k 1" "randrw 4k 4" "read 128k 2"; do
	# shellcheck disable=SC2086 # words are meant to be split
	fio=$(by_fio $work) ublk=$(by_ublk $work)
	n=0
	for figure in IOPS bandwidth "mean latency" "99 % latency"; do
		n=$((n + 1))
		one=$(echo "$fio" | cut -d ' ' -f $n)
		other=$(echo "$ublk" | cut -d ' ' -f $n)
		ok "$work: $figure: fio $one, ublk $other" awk \
			"BEGIN { exit !($one > 0 && $other > $one * 0.95 && \
				$other < $one * 1.05) }"
	done
done

done_testing
