# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib
#
# The command line: what it accepts, in any order. Errors are reported, with
# status 2 for wrong usage and 1 for other errors.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

before

# wrong STATUS NAME REGEX ARGUMENT...
wrong() {
	want=$1 name=$2 regex=$3
	shift 3
	fails "$want" "$name" ublk "$@"
	like "$err" "$regex" "and says so"
	is "$(wc -l <"$tmp/err")" 1 "in one line"
	is "$out" "" "and prints nothing"
}

wrong 2 "an unknown verb" "^ublk: rom: unknown verb.*ublk help" rom 64M
wrong 2 "an empty verb" "^ublk: : unknown verb" ""
wrong 2 "an option for a verb" "^ublk: -q: unknown verb" -q
wrong 2 "an unknown option" "^ublk: --colour: unknown option" ram 64M --colour
wrong 2 "an option of another target" "^ublk: --buffered: unknown" ram 1M --buffered
wrong 2 "an option of another verb" "^ublk: --all: unknown" ram 1M --all
wrong 2 "an unknown letter" "^ublk: -z: unknown option" ram 64M -z
wrong 2 "one among known ones" "^ublk: -z: unknown option" ram -rz 64M
wrong 2 "a part of an option's name" "^ublk: --read: unknown" ram 64M --read
wrong 2 "three dashes" "^ublk: ---id: unknown option" ram 64M ---id
wrong 2 "no size" "^ublk: usage: ublk ram SIZE.*ublk help ram" ram
wrong 2 "no path" "^ublk: usage: ublk file PATH" file -q 2
wrong 2 "two sizes" "^ublk: usage: ublk ram SIZE" ram 64M 64M
wrong 2 "an option without its value" "^ublk: --id needs a N" ram 64M --id
wrong 2 "a letter without its value" "^ublk: -n needs a N" ram 64M -n
wrong 2 "a value for a flag" "^ublk: --read-only takes no value" ram 1M --read-only=1
wrong 2 "an empty value" "^ublk: --id : not a number" ram 1M --id=
wrong 2 "a value that is none" "^ublk: --queues two: not a number" ram 1M -q two
wrong 2 "a number and more" "^ublk: --queues 2x: not a number" ram 1M -q2x
wrong 2 "a fraction" "^ublk: --queues 1.5: not a number" ram 1M -q1.5
wrong 2 "a sign" "^ublk: --queues \+1: not a number" ram 1M -q +1
wrong 2 "a space" "^ublk: --queues  1: not a number" ram 1M -q " 1"
wrong 2 "less than none" "^ublk: --queues -1: out of range" ram 1M -q -1
wrong 2 "no queue" "^ublk: --queues 0: out of range" ram 1M -q 0
wrong 2 "too many queues" "^ublk: --queues 4097: out of range" ram 1M -q 4097
wrong 2 "no depth" "^ublk: --depth 0: out of range" ram 1M -d 0
wrong 2 "too deep" "^ublk: --depth 4097: out of range" ram 1M -d 4097
wrong 2 "2^63" "^ublk: --id 9223372036854775808: out of range" ram 1M \
	-n 9223372036854775808
wrong 2 "2^64 and 1" "out of range" ram 1M --id 18446744073709551617
wrong 2 "too small a request" "^ublk: --max-io 4095: out of range" ram 1M \
	--max-io 4095
wrong 2 "too large a request" "^ublk: --max-io 33M: out of range" ram 1M \
	--max-io 33M
wrong 2 "a request of no pages" "^ublk: --max-io .*multiple of 4096" ram 1M \
	--max-io 5000
wrong 2 "too small a block" "^ublk: --block-size 256: out of range" ram 1M \
	--block-size 256
wrong 2 "too large a block" "^ublk: --block-size 8K: out of range" ram 1M \
	--block-size 8K
wrong 2 "a block of no power of two" "^ublk: --block-size .*power of two" ram 1M \
	--block-size 1536
wrong 2 "an offset that is no size" "^ublk: --offset 5X: not a size" file x \
	--offset 5X
wrong 2 "thousands or not" "^ublk: --offset 64MB: not a size: .*1000 .*MiB" \
	file x --offset 64MB
wrong 2 "a part of a byte" "not a size: .*whole number of bytes" file x \
	--offset 0.3K
wrong 2 "too many queues are told how many" "^ublk: --queues 0: .*: 1 to 4096$" \
	ram 1M -q 0
wrong 2 "and a request how large" "^ublk: --max-io 1G: .*: 4K to 32M$" ram 1M \
	--max-io 1G
wrong 2 "and a number which it may be" "^ublk: --id -1: .*: 0 to 1048575$" ram 1M -n -1
wrong 1 "standard input as a file" "^ublk: -: standard input cannot be served" \
	file -
wrong 1 "and as an image" "^ublk: -: standard input cannot be served" zimg -
wrong 2 "a negative offset" "^ublk: --offset -5: not a size" file x --offset -5
leaves_nothing "all that leaves nothing"

for size in 0 12Q 1.3M 1.M " 1M" 1M1 0x100 18446744073709551616 16E 17179869184G \
	"" K M1 64MB 99999999999999999999999 1e6 " "
do
	wrong 1 "a size of '$size'" "^ublk: $size: not the size of a disk" ram "$size"
done
wrong 2 "a size of -1" "^ublk: -1: unknown option" ram -1
wrong 1 "the same as an argument" "^ublk: -1: not the size" ram -- -1
wrong 1 "a part of a sector" "^ublk: 1000: .*block size 512" ram 1000
wrong 1 "a part of a block" "^ublk: 4608: .*block size 4096" ram 4608 \
	--block-size 4096
wrong 1 "more sectors than there are" "larger than a disk can be" null 15E
wrong 1 "more memory than there is" "more than this machine's memory" ram 8E
leaves_nothing "all that leaves nothing"

# plain NAME WANTED ARGUMENT...: serves; the record has these keys.
plain() {
	name=$1 want=$2
	shift 2
	serve "$@"
	seen_keys=''
	for key in $want; do
		seen_keys="$seen_keys $(grep "^${key%%=*}=" "/run/ublk/$id")"
	done
	is "$seen_keys" " $want" "$name: ublk $*"
	ublk stop "$dev"
}
# More queues than processors are as many.
two=$(nproc)
[ "$two" -lt 2 ] || two=2
plain "options behind" "queues=$two depth=8 read_only=1" ram 1M -q 2 -d 8 -r
plain "options in front" "queues=$two depth=8 read_only=1" ram -q 2 -d 8 -r 1M
plain "around" "queues=$two depth=8 read_only=0" null -q 2 1M -d 8
plain "joined" "queues=$two read_only=1 depth=8" ram -rq2 -d8 1M
plain "joined, value apart" "queues=$two read_only=1" ram 1M -rq 2
plain "long ones" "queues=$two depth=8 id=7" ram --queues 2 --depth=8 --id=7 1M
plain "the last one counts" "depth=9" ram -d 8 1M --depth 9
plain "behind --" "size=1048576 argument=1M" ram -r -- 1M
plain "sizes" "max_io=65536 block_size=4096" ram --max-io=64K --block-size 4k 1m
plain "a size in KiB" "size=65536" null 64KiB
plain "a size and a half" "size=1572864" ram 1.5M
plain "a size in bytes" "size=4096" null 4096
plain "zeroes in front" "size=1048576 depth=10" null 001M -d 010
plain "what is not asked for" \
	"queues=1 depth=64 read_only=0 max_io=131072 block_size=512 foreground=0" \
	ram 1M
leaves_nothing "all that leaves nothing"

# A limit on the size of files is an error as any other.
# shellcheck disable=SC2016 # for the shell within
fails 1 "memory that no file may have" sh -c 'ulimit -f 8; exec ublk ram 1M'
like "$err" 'File too large .*ulimit -f' "is told"
truncate -s 64M "$tmp/limited"
# shellcheck disable=SC2016 # for the shell within
run sh -c 'ulimit -f 65536; exec ublk file "$1"' - "$tmp/limited"
started="$started $out"
dev=$out
id=${dev#/dev/ublkb}
watch_server
fails 1 "a write that no file may have" \
	dd if=/dev/zero of="$dev" bs=1M seek=48 count=1 oflag=direct conv=notrunc
ok "one that it may have" \
	dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct conv=notrunc
same_server "nobody died of it"
ok "stop it" ublk stop "$dev"
leaves_nothing "nothing is left"

# If servers cannot be seen, none is taken for dead.
serve ram 1M
mount -t tmpfs none /proc
for words in 'ram 1M' list "stop $id" 'recover --all' "upgrade $id"; do
	# shellcheck disable=SC2086 # words are meant to be split
	run ublk $words
	printf '%s %s\n' "$status" "$err" >>"$tmp/no-proc"
done
umount /proc
is "$(sort -u "$tmp/no-proc" | cut -c 1-30)" "1 ublk: /proc is not mounted, " \
	"without /proc nothing is done, and says so"
ok "with it the disk is there" ublk stop "$id"
leaves_nothing "nothing is left"

run ublk ram 1M
started="$started $out"
printf '%s\n' "$out" >"$tmp/line"
same "$tmp/out" "$tmp/line" "standard output is the node and a newline"
is "$err" "" "and nothing else is said"
like "$out" '^/dev/ublkb[0-9]+$' "the node is a path"
ok "stop it" ublk stop "$out"
leaves_nothing "nothing is left"

done_testing
