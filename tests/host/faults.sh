# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Verbs that need no driver, with system calls that fail, one after the other:
# the output is correct, or an error was printed; and nothing is left. A part of
# the calls: `make fuzz F=faults` lets every one fail.
: "${EVERY:=5}"
. "${0%/*}/../lib.sh"
. "${0%/*}/../faults.lib"
. "${0%/*}/network.lib"

# shellcheck disable=SC2034 # faults.lib has it
strike=build/${ARCH:-x86_64}/driver/strike
ublk=${UBLK:-build/${ARCH:-x86_64}/ublk}
[ "${ARCH:-x86_64}" = "$(linux/board --here)" ] || skip_all "ublk is for another processor"

mkdir "$tmp/d"
d=$tmp/d
{ pattern disk 300000; head -c 200000 /dev/zero; pattern end 20000; } >"$d/disk"
$ublk pack "$d/disk" "$d/image"
gzip -9 <"$d/disk" >"$d/gz"
$ublk index "$d/gz" "$d/gz.idx" 2>/dev/null
$ublk info "$d/image" >"$tmp/info"
$ublk check "$d/image" >"$tmp/check" 2>&1
for file in disk image gz gz.idx; do
	cp "$d/$file" "$tmp/$file"
done
here=$(ls -A "$d")

prepare() {
	rm -f "$d/new"
}
# kept: existing files are unchanged, and there are no others.
kept() {
	for file in $here; do
		cmp -s "$d/$file" "$tmp/$file" || problem="$problem, $file changed"
	done
	# shellcheck disable=SC2010 # there are no other names
	others=$(ls -A "$d" | grep -vxF "$here" | grep -vx new)
	[ -z "$others" ] || problem="$problem, left: $others"
	problem=${problem#, }
}
# made FILE: the new file has the same contents. If it may not be permanent, or
# does not exist, an error was printed.
made() {
	if [ "$status" -eq 0 ] || [ -e "$d/new" ]; then
		cmp -s "$d/new" "$tmp/$1" || problem="$problem, it is not $1"
	fi
	[ "$status" -eq 0 ] || says
	kept
}
# printed FILE: the same for what goes to standard output.
printed() {
	if [ "$status" -eq 0 ]; then
		cmp -s "$tmp/out" "$tmp/$1" || problem="$problem, it is not $1"
	else
		says
	fi
	kept
}

judge() { made image; }
each_fault pack "" "$ublk pack --jobs 1 $d/disk $d/new"
each_fault "pack, verified" "" "$ublk pack --jobs 1 --verify $d/disk $d/new"
each_fault "pack, a thread for each processor" "" "$ublk pack $d/disk $d/new"
judge() { made disk; }
each_fault unpack "" "$ublk unpack --jobs 1 $d/image $d/new"
each_fault "unpack of a gzip" "" "$ublk unpack $d/gz $d/new"
judge() { printed disk; }
each_fault "unpack to standard output" "" "$ublk unpack $d/image -"
judge() { printed info; }
each_fault info "" "$ublk info $d/image"
judge() { printed check; }
each_fault check "" "$ublk check --jobs 1 $d/image"
judge() { made gz.idx; }
each_fault index "" "$ublk index $d/gz $d/new"

# Of a server, which goes on: what fails on one connection is asked again on another.
start_liar nbd none "$d/image"
judge() { made disk; }
each_fault "unpack from NBD" "" "$ublk unpack --jobs 1 nbd://127.0.0.1:$port/ $d/new"
start_liar http none "$d/disk"
judge() { made image; }
each_fault "pack from HTTP" "" "$ublk pack --jobs 1 http://127.0.0.1:$port/ $d/new"
stop_servers

done_testing
