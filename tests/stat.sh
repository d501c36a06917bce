# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool jq --tool blkdiscard --tool script
# board: --tool dd --smp 2 --mem 512M --timeout 1800
#
# `ublk stat`: for known work it shows exact numbers, whatever died or was
# upgraded meanwhile, and however many look; in forms that people, jq and
# Prometheus read.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -z "$(what_is)" ] || skip_all "there are devices already"

# of FILTER: prints what `ublk stat --json` has for $id.
of() {
	ublk stat --json "$id" | jq -r ".[0] | $1"
}
# from: remembers what it has. added FILTER: prints how much it has grown since.
from() {
	ublk stat --json "$id" >"$tmp/from"
}
added() {
	ublk stat --json "$id" | jq -r --slurpfile from "$tmp/from" \
		"(.[0] | $1) - (\$from[0][0] | $1)"
}
# reads BYTES COUNT [SKIP] and writes: so many requests of that size.
reads() {
	dd if="$dev" of=/dev/null bs="$1" count="$2" skip="${3:-0}" \
		iflag=direct 2>"$tmp/dd"
}
writes() {
	dd if=/dev/zero of="$dev" bs="$1" count="$2" seek="${3:-0}" \
		oflag=direct conv=notrunc 2>"$tmp/dd"
}
# column NUMBER: prints that column of the table for $id.
column() {
	ublk stat "$id" | awk -v n="$1" 'NR == 2 { print $n }'
}

ok "no device" ublk stat
is "$out$err" "" "nothing is shown"
ok "no device, in JSON" ublk stat --json
is "$out" "[]" "an empty array"
fails 1 "a device that is not there" ublk stat 3
like "$err" "^ublk: 3: no such device" "is named"
for wrong in "x" "--count 2" "--interval 0" "--json --latency" \
	"--json --prometheus -" "--interval 1 --count 0"; do
	# shellcheck disable=SC2086 # words are meant to be split
	fails 2 "stat $wrong is wrong usage" ublk stat $wrong
done

# Exact numbers.
for queues in 1 2; do
	served "a ram disk, queues: $queues" ram 16M -q $queues
	from
	reads 4k 100
	writes 16k 50
	is "$(added .read.requests) $(added .read.bytes)" "100 409600" \
		"reads and their bytes"
	is "$(added .write.requests) $(added .write.bytes)" "50 819200" \
		"writes and theirs"
	blkdiscard -o 65536 -l 131072 "$dev"
	is "$(added .discard.bytes)" 131072 "bytes of a discard"
	blkdiscard -z -o 0 -l 1048576 "$dev"
	is "$(added .write_zeroes.bytes)" 1048576 "bytes of zeroes"
	is "$(added '(.read.errors + .write.errors + .discard.errors +
		.write_zeroes.errors + .other.requests)')" 0 "no errors"
	is "$(of .flush.requests)" 0 "no flush, because there is no cache"
	stopped "stop it" "$dev"
done

truncate -s 1M "$tmp/file"
served "a file" file "$tmp/file" --buffered
from
pattern data 65536 | put "$dev" 0
pattern data 65536 | put "$dev" 0
is "$(added .flush.requests) $(added .write.bytes)" "2 131072" "two flushes"
truncate -s 512K "$tmp/file"
dd if="$dev" of=/dev/null bs=512 skip=1014 count=30 iflag=direct \
	conv=noerror,sync 2>"$tmp/dd"
lost=$(grep -c 'Input/output error' "$tmp/dd")
is "$lost $(added .read.errors)" "20 20" "errors of reads behind the end"
is "$(added .read.requests) $(added .read.bytes)" "30 5120" \
	"they are requests, and read no bytes"
is "$(column 8)" 20 "the table has them"
stopped "stop it" "$dev"

# The cache of an image; chunks of random data, none of zeroes.
head -c 1048576 /dev/urandom >"$tmp/disk"
ok "an image" ublk pack --chunk 64K "$tmp/disk" "$tmp/image.gz"
served "serve it" zimg "$tmp/image.gz"
from
reads 4k 16 80
is "$(added .cache_misses) $(added .cache_hits)" "1 15" \
	"16 reads of one chunk: the first has to wait for it"
is "$(added .cache_loads)" 2 "it and the next one are loaded"
reads 4k 16 80
is "$(added .cache_misses) $(added .cache_hits)" "1 31" "all later ones are hits"
reads 64k 16
from
reads 64k 16
is "$(added .cache_misses) $(added .cache_hits) $(added .cache_loads)" "0 16 0" \
	"all of it, once it is cached"
like "$(column 9)" '^[0-9]+%$' "the table has a share"
stopped "stop it" "$dev"
served "with copy on write" zimg "$tmp/image.gz" --cow 4M
from
writes 4k 10 3
is "$(added .cow_bytes)" 40960 "ten blocks are kept"
writes 4k 10 3
is "$(added .cow_bytes)" 40960 "and not twice"
writes 512 1
is "$(added .cow_bytes)" 45056 "a sector keeps its block"
is "$(added .write.requests) $(added .write.bytes)" "21 82432" \
	"these are requests; what the layers ask each other is none"
stopped "stop it" "$dev"

# Latencies are measured for who asks, from then on.
served "a disk" ram 16M
reads 4k 20
ok "ask for latencies" ublk stat --latency "$id"
like "$out" "^$id +read +[0-9]+ +0 +- +- +- +-\$" "none was measured before"
from
reads 4k 50
is "$(added .read.measured) $(added .read.requests)" "50 50" "then all are"
ublk stat --json "$id" >"$tmp/json"
is "$(jq '.[0].read | [.histogram_ns[][1]] | add' "$tmp/json")" \
	"$(jq '.[0].read.measured' "$tmp/json")" "each is in one bucket"
is "$(jq '.[0].read | .p50_ns <= .p99_ns and .p99_ns <= .max_ns and
	.mean_ns <= .max_ns and .mean_ns > 0 and
	.total_ns >= .max_ns' "$tmp/json")" true "they are in order"
is "$(jq -c '.[0].read | [.histogram_ns[][0]] | . == (sort | unique)' \
	"$tmp/json")" true "the buckets are in theirs"
time='[0-9.]+(ns|us|ms|s)'
like "$(ublk stat -l "$id")" "^$id +read +[0-9]+ +50 +$time +$time +$time +$time\$" \
	"the table has them"

# Intervals.
ublk stat -i 1 "$id" >"$tmp/rows" &
watcher=$!
at_exit 'kill $watcher 2>/dev/null'
rows() {
	awk -v id="$id" -v column="$1" '
		$1 == id && ++row > 1 { sum += $column } END { print sum + 0 }
		' "$tmp/rows"
}
wait_until 10 grep -q "^$id " "$tmp/rows"
writes 8k 32
all_there() {
	[ "$(rows 4)" = 32 ]
}
wait_until 20 all_there
is "$(rows 4)" 32 "later rows have what was added"
kill $watcher
ok "so often" ublk stat --interval 1 --count 2 "$id"
is "$(grep -c "^$id " "$tmp/out")" 2 "and no more"
is "$(awk -v id="$id" '$1 == id && ++row == 2 { print $2, $4, $10 }' \
	"$tmp/out")" "0 0 0" "a quiet second adds nothing"
run script -qec "ublk stat" /dev/null
like "$out" "^$(printf '\033')\\[4mID .*$(printf '\033')\\[0m" \
	"a terminal gets a heading that stands out"
is "$(ublk stat "$id" | awk '{ print length($0) }' | uniq | wc -l)" 1 \
	"columns stand below each other"
fails 1 "a full output" sh -c 'ublk stat >/dev/full'
like "$err" "standard output: No space left" "is told"
fails 1 "more than a buffer holds" sh -c 'ublk stat --json >/dev/full'
like "$err" "standard output: No space left" "is told as well"

# Prometheus: promtool is too large for a board. This is as strict.
# prometheus FILE: prints what is wrong with it.
prometheus() {
	awk '
	function wrong(why) { print NR ": " why ": " $0 }
	function ended() {
		if (le != "" && le != "+Inf")
			wrong("a histogram without +Inf")
		le = ""
	}
	/^# HELP [a-z_]+ [^ ].*\.$/ {
		help = $3
		next
	}
	/^# TYPE [a-z_]+ (counter|gauge|histogram)$/ {
		if (help != $3) wrong("no help before")
		if ($3 in type) wrong("twice")
		type[$3] = $4
		metric = $3
		if (($4 == "counter") != (metric ~ /_total$/)) wrong("its name")
		next
	}
	!/^ublk_[a-z_]+\{([a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*)?\} [0-9]+(\.[0-9]+)?$/ {
		wrong("no sample")
		next
	}
	{
		series = $1
		value = $2
		if (series in seen) wrong("twice")
		seen[series] = value
		name = series
		sub(/\{.*/, "", name)
		if (type[metric] != "histogram") {
			if (name != metric) wrong("not of this metric")
			next
		}
		if (name == metric "_bucket") {
			match(series, /le="[^"]*"/)
			now = substr(series, RSTART + 4, RLENGTH - 5)
			if (le != "" && (le == "+Inf" || value < count ||
			    (now != "+Inf" && now + 0 <= le + 0)))
				wrong("not in order")
			le = now
			count = value
		} else if (name == metric "_sum") {
			ended()
		} else if (name == metric "_count") {
			if (value != count) wrong("not what is in the buckets")
		} else {
			wrong("not of this metric")
		}
	}
	END { if (NR < 20) print "too short" }
	' "$1"
}
other=$id
served "another disk" null 1G --id 12
id=$other
ok "for Prometheus" ublk stat --prometheus -
is "$(prometheus "$tmp/out")" "" "all is as its format wants it"
from
like "$out" "^ublk_requests_total\{device=\"ublkb$id\",operation=\"read\"\} $(
	jq '.[0].read.requests' "$tmp/from")\$" "requests are what JSON has"
like "$out" "^ublk_bytes_total\{device=\"ublkb$id\",operation=\"write\"\} $(
	jq '.[0].write.bytes' "$tmp/from")\$" "and bytes"
like "$out" "^ublk_request_seconds_count\{device=\"ublkb$id\",operation=\"read\"\} $(
	jq '.[0].read.measured' "$tmp/from")\$" "and latencies"
like "$out" '^ublk_request_seconds_bucket\{.*,le="0.000000256"\}' \
	"bounds are seconds"
like "$out" '^ublk_memory_bytes\{device="ublkb12"\} [1-9]' "of each device"
sed 's/_total{/_sum{/' "$tmp/out" >"$tmp/bad"
like "$(prometheus "$tmp/bad")" "not of this metric" "errors would be found"
mkdir "$tmp/text"
echo old >"$tmp/text/ublk.prom"
chmod 640 "$tmp/text/ublk.prom"
ok "into a file" ublk stat --prometheus "$tmp/text/ublk.prom"
is "$out$err" "" "in silence"
is "$(prometheus "$tmp/text/ublk.prom")" "" "the file is right"
is "$(ls -A "$tmp/text") $(stat -c %a "$tmp/text/ublk.prom")" "ublk.prom 640" \
	"and all that is there, with the old one's mode"
for round in 1 2 3 4 5 6 7 8 9 10; do
	ublk stat --prometheus "$tmp/text/ublk.prom" || echo failed
done >"$tmp/writer" 2>&1 &
writer=$!
cut_short=0
looks=0
while kill -0 $writer 2>/dev/null || [ $looks -lt 5 ]; do
	tail -n 1 "$tmp/text/ublk.prom" | grep -q '^ublk_memory_bytes' ||
		cut_short=$((cut_short + 1))
	looks=$((looks + 1))
done
wait $writer
is "$cut_short $(cat "$tmp/writer")" "0 " "nobody sees half of it"
fails 1 "a folder that is not there" ublk stat --prometheus "$tmp/none/ublk.prom"
is "$(ublk stat | awk 'NR > 1 { print $1 }' | tr '\n' ' ')" "$id 12 " \
	"all devices, in their order"
is "$(ublk stat --json 12 "$dev" | jq -c 'map(.id)')" "[12,12]" \
	"or those that are named"
run ublk stat 12 77
is "$status $(echo "$out" | grep -c '^12 ')" "1 1" \
	"one is shown where another is missing"
stopped "stop it" /dev/ublkb12

# Many look while it works: each sees numbers that only grow.
dev=/dev/ublkb$id
from
for reader in 1 2 3 4; do
	before=0
	while [ ! -e "$tmp/end" ]; do
		now=$(ublk stat --json "$id" | jq '.[0].read.requests')
		[ "$now" -ge "$before" ] || echo "$before, then $now"
		before=$now
	done >"$tmp/reader$reader" 2>&1 &
	eval "reader$reader=$!"
done
for load in 1 2 3 4; do
	reads 4k 1000 &
	eval "load$load=$!"
done
wait $load1 $load2 $load3 $load4
: >"$tmp/end"
wait $reader1 $reader2 $reader3 $reader4
is "$(cat "$tmp"/reader?)" "" "four look while four read: none sees less"
is "$(added .read.requests) $(added .read.bytes)" "4000 16384000" \
	"and each read is counted once"

like "$(column 11)" '^[0-9.]+[KM]$' "memory is that of a small server"
[ "$(of .memory)" -gt 100000 ] && pass "and not nothing" || fail "and not nothing"

if [ -z "$recovers" ]; then
	stopped "stop it" "$dev"
	done_testing
fi

# Deaths, upgrades and a new server.
is "$(of .deaths)" 0 "nobody has died"
from
worker=$(worker_of "$id")
kill -KILL "$worker"
wait_until 10 another_worker
reads 4k 10
is "$(added .read.requests) $(added .deaths)" "10 1" \
	"a new worker goes on counting, and the death is counted"
worker=$(worker_of "$id")
kill -KILL "$worker"
wait_until 10 another_worker
is "$(column 10)" 2 "so is the next"
cp "$(command -v ublk)" "$tmp/new"
printf x >>"$tmp/new"
from
ok "an upgrade" ublk upgrade "$id" "$tmp/new"
is "$(added .read.requests) $(added .write.requests) $(added .deaths)" "0 0 0" \
	"keeps the counters"
reads 4k 7
is "$(added .read.requests)" 7 "and the new program goes on"
kill -KILL "$(worker_of "$id")"
reads 4k 1
is "$(added .deaths)" 1 "with deaths as well"

# A program without counters cuts the file behind the buffers.
buffers_of() {
	# ... 5 -> /memfd:ublk-buffers (deleted)
	ls -l "/proc/$1/fd" | awk -v fds="/proc/$1/fd/" \
		'/memfd:ublk-buffers/ { print fds $(NF - 3) }'
}
# cut: does to it what such a program does.
cut_counters() {
	(
		. "/run/ublk/$id"
		# shellcheck disable=SC2154 # from the record
		truncate -s $((queues * depth * max_io)) "$(buffers_of "$pid")"
	)
}
cut_counters
fails 1 "one without counters" ublk stat "$id"
like "$err" "^ublk: device $id: its server, .* has no counters" "is told"
ok "among all" ublk stat
is "$out$err" "" "it is left out"
fails 1 "an upgrade that fails" ublk upgrade "$id" /bin/busybox
like "$err" "goes on with the old program" "leaves the old program"
reads 4k 5
like "$(of .read.requests)" '^[5-9]$' "which counts anew"
is "$(of .deaths)" 0 "all of it"
ok "an upgrade after that" ublk upgrade "$id"
from
reads 4k 3
is "$(added .read.requests)" 3 "goes on"

writes 4k 3
kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
waits() {
	ublk list "$id" | grep -q quiesced
}
wait_until 10 waits
fails 1 "no server" ublk stat "$id"
like "$err" "^ublk: device $id has no server" "is told"
ok "recover it" ublk recover "$id"
is "$(of .write.requests) $(of .deaths)" "0 0" "the new server counts anew"
worker=$(worker_of "$id")
kill -KILL "$(server_of "$id")"
reads 4k 6
from
reads 4k 6
is "$(added .read.requests)" 6 "a worker alone is read as well"
ok "recover it" ublk recover "$id"
stopped "stop it" "$dev"

# One process without a supervisor.
served "a disk without a supervisor" ram 1M --no-supervise
from
reads 4k 9
is "$(added .read.requests)" 9 "is counted, too"
stopped "stop it" "$dev"

done_testing
