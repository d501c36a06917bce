# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The same disk and options result in the same image, wherever the disk comes
# from and however many threads compress it. Options have the effect that they
# describe.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}

# A disk with holes that are not multiples of a chunk, and zeroes that are no
# hole.
pattern disk 3000000 >"$tmp/disk"
truncate -s 7000000 "$tmp/disk"
pattern more 500000 >>"$tmp/disk"
head -c 1000000 /dev/zero >>"$tmp/disk"
seq 1 300000 | gzip -9n >>"$tmp/disk"
truncate -s 12345678 "$tmp/disk"

ok 'a file' "$ublk" pack "$tmp/disk" "$tmp/image"
# packs_same NAME COMMAND...: the command makes the same image as $tmp/again.
packs_same() {
	name=$1
	shift
	rm -f "$tmp/again"
	ok "$name" "$@"
	same "$tmp/image" "$tmp/again" "$name: the same image"
}

for jobs in 1 2 3 16; do
	packs_same "$jobs jobs" \
		"$ublk" pack -j $jobs "$tmp/disk" "$tmp/again"
done
cp --sparse=never "$tmp/disk" "$tmp/full"
packs_same 'without holes' "$ublk" pack "$tmp/full" "$tmp/again"
packs_same 'a file as standard input' \
	sh -c '"$1" pack - "$3" <"$2"' - "$ublk" "$tmp/disk" "$tmp/again"
packs_same 'a pipe' \
	sh -c 'cat "$2" | "$1" pack - "$3"' - "$ublk" "$tmp/disk" "$tmp/again"
packs_same 'a pipe of small pieces' \
	sh -c 'dd if="$2" bs=777 2>/dev/null | "$1" pack - "$3"' - \
	"$ublk" "$tmp/disk" "$tmp/again"
mkfifo "$tmp/fifo"
cat "$tmp/disk" >"$tmp/fifo" &
packs_same 'a named pipe' "$ublk" pack "$tmp/fifo" "$tmp/again"

# threads NAME WANTED COMMAND...: so many threads compress while it waits for
# input.
threads() {
	name=$1 wanted=$(($2 + 1))
	shift 2
	"$@" "$tmp/fifo" "$tmp/again" &
	pid=$!
	exec 9>"$tmp/fifo"
	wait_until 10 sh -c 'test $(ls /proc/$1/task | wc -l) -eq $2' - \
		$pid $wanted && pass "$name" || fail "$name"
	exec 9>&-
	wait $pid
}

threads 'a thread for each CPU' "$(nproc)" "$ublk" pack -f
threads 'that it may use' 1 taskset -c 0 "$ublk" pack -f
threads 'or so many' 5 "$ublk" pack -f -j 5
truncate -s 12345856 "$tmp/disk"
"$ublk" pack -f "$tmp/disk" "$tmp/image"
if loop=$(losetup --find --show --read-only "$tmp/disk" 2>/dev/null); then
	at_exit 'losetup --detach "$loop"'
	packs_same 'a block device' "$ublk" pack "$loop" "$tmp/again"
else
	skip 'a block device' 'no loop device here'
fi

# The shell's own count includes what its children have read.
truncate -s 900M "$tmp/sparse"
pattern end 100000 >>"$tmp/sparse"
# shellcheck disable=SC2016 # for the shell within
run sh -c '"$1" pack "$2" "$3" && sed -n "s/^rchar: //p" /proc/$$/io' - \
	"$ublk" "$tmp/sparse" "$tmp/holes"
ok 'holes are not read' test "${out:-900000000}" -lt 2000000
rm "$tmp/sparse" "$tmp/holes"

# Files that show no size, or a wrong one, are read to their end.
for file in /proc/version /sys/kernel/profiling /sys/power/state; do
	[ -r $file ] || { skip $file 'not here'; continue; }
	ok "$file" "$ublk" pack -f $file "$tmp/told"
	cat $file >"$tmp/wanted"
	zcat "$tmp/told" >"$tmp/got"
	same "$tmp/wanted" "$tmp/got" "$file: all of it"
	# shellcheck disable=SC2016 # for the shell within
	ok "$file: as standard input" sh -c '"$1" pack -f - "$3" <"$2"' - \
		"$ublk" $file "$tmp/told"
	is "$(zcat "$tmp/told")" "$(cat "$tmp/wanted")" 'the same'
	fails 1 "$file: no image" "$ublk" check $file
	unlike "$err" 'empty' 'and not called empty'
done
: >"$tmp/empty"
ok 'an empty file' "$ublk" pack -f "$tmp/empty" "$tmp/told"
is "$(zcat "$tmp/told" | wc -c)" 0 'is a disk of nothing'

for level in 1 2 3 4 5 6 7 8 9 10 11 12; do
	ok "level $level" "$ublk" pack -f --level $level "$tmp/disk" "$tmp/$level"
	ok "level $level: good" "$ublk" check "$tmp/$level"
done
ok 'level 10 is the default' cmp "$tmp/10" "$tmp/image"
ok 'and smaller than level 1' \
	test "$(wc -c <"$tmp/10")" -lt "$(wc -c <"$tmp/1")"
run "$ublk" info "$tmp/image"
like "$out" '^chunk size: 61440 ' 'chunks have 60K'
ok 'chunks of 1M' "$ublk" pack -c 1M "$tmp/disk" "$tmp/large"
ok 'are smaller' test "$(wc -c <"$tmp/large")" -lt "$(wc -c <"$tmp/10")"
run "$ublk" info "$tmp/large"
like "$out" '^chunk size: 1048576 ' 'and info says so'

for bad in 0 1 2048 4097 61441 2M 1G -1 x ''; do
	fails 2 "chunk '$bad' is refused" \
		"$ublk" pack --chunk="$bad" "$tmp/disk" "$tmp/new"
done
for bad in 0 13 -1 x; do
	fails 2 "level '$bad' is refused" \
		"$ublk" pack --level=$bad "$tmp/disk" "$tmp/new"
	[ $bad = x ] ||
		like "$err" "level $bad: out of range: 1 to 12\$" 'with the range'
done
fails 2 'a chunk out of range' "$ublk" pack --chunk=2M "$tmp/disk" "$tmp/new"
like "$err" 'chunk 2M: out of range: 4K to 1M$' 'is told the range'
ok 'half a K' "$ublk" pack -f --chunk=4.0K "$tmp/disk" "$tmp/told"
ok 'a chunk of 0.5M' "$ublk" pack -f --chunk=0.5M "$tmp/disk" "$tmp/told"
like "$("$ublk" info "$tmp/told")" '^chunk size: 524288 ' 'has so many bytes'
fails 2 'no jobs are refused' "$ublk" pack -j 0 "$tmp/disk" "$tmp/new"
fails 2 'one argument is refused' "$ublk" pack "$tmp/disk"
fails 2 'three arguments are refused' "$ublk" pack a b c
ok 'and nothing was made' test ! -e "$tmp/new"

done_testing
