# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: python3
#
# tests/bench.plot draws what tests/bench writes: every figure with its unit and
# its peers, at most a dozen rows, and no text outside of the picture or over
# another.
. "${0%/*}/../lib.sh"

plot=$PWD/tests/bench.plot
table=$PWD/tests/bench.awk
goals=$PWD/tests/bench.goals
json=$tmp/bench.json
svg=$tmp/picture.svg

# values: the output of a board for the rows in the picture, and for one other.
values() {
	cat <<'END'
time ours value file_ext4 randread-64 50000
time ours value loop_ext4 randread-64 62500
time ours value file_ext4 randwrite-64 80000
time ours value loop_ext4 randwrite-64 100000
time ours value file_ext4 randrw-64 123456
time ours value loop_ext4 randrw-64 61728
count ours value ram randread-64 10200
count ours value brd randread-64 7654
count ours value ram randwrite-64 11100
count ours value brd randwrite-64 8765
count ours value zram randread-64 33333
time ours value zimg cold-read 2000000
time ours value squashfs cold-read 4000000
time ours value qemu_nbd cold-read 3000000
time ours value zimg cold-randread 500000
time ours value squashfs cold-randread 625000
time ours value qemu_nbd cold-randread 2500000
once ours value idle KiB 147
once ours value ublk bytes 229376
once ours value kernel bytes 1553408
END
}

# measured [MACHINE]: makes the file with the values on standard input.
measured() {
	cat >"$tmp/values"
	: >"$tmp/rows"
	grep -v -e '^#' -e '^$' "$goals" >"$tmp/goals"
	awk -v json="$tmp/rows" -v date=2026-11-28 -f "$table" \
		"$tmp/values" "$tmp/goals" >"$tmp/table"
	{
		printf '{\n  "machine": "%s",\n  "kernel": "6.12.1-ublk",\n' \
			"${1:-QEMU on A & B, 2 CPUs}"
		printf '  "ios": 20000,\n  "runs": 3,\n  "times": 5,\n  "rows": [\n'
		cat "$tmp/rows"
		printf '\n  ]\n}\n'
	} >"$json"
}

# Prints what is in a picture, "text WHAT" and "bar WIDTH COLOUR", then what is
# wrong with it. A letter is assumed to be 0.6 times as wide as high, a bold one
# 0.65 times.
cat >"$tmp/look.py" <<'END'
import sys
import xml.etree.ElementTree as tree

svg = tree.parse(sys.argv[1]).getroot()
space = "{http://www.w3.org/2000/svg}"
left, top, right, bottom = map(float, svg.get("viewBox").split())
assert svg.tag == space + "svg" and left == top == 0 and right == 800
places = []

def look(element, size):
    size = float(element.get("font-size", size))
    x, y = float(element.get("x", 0)), float(element.get("y", 0))
    if element.tag == space + "text":
        what = element.text
        width = len(what) * size * (0.65 if element.get("font-weight") else 0.6)
        start = x - width if element.get("text-anchor") == "end" else x
        print("text", what)
        if size < 11:
            print("wrong: small:", what)
        places.append((start, y - size * 0.8, start + width, y + size * 0.2, what))
    elif element.tag == space + "rect" and element.get("x"):
        width, height = float(element.get("width")), float(element.get("height"))
        print("bar", round(width), element.get("fill"))
        places.append((x, y, x + width, y + height, "a bar"))
    for child in element:
        look(child, size)

look(svg, 16)
for i, a in enumerate(places):
    if a[0] < 0 or a[1] < 0 or a[2] > right or a[3] > bottom:
        print("wrong: outside:", a)
    for b in places[:i]:
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            print("wrong: one over the other:", a, b)
END

# drawn NAME: a well-formed picture is drawn; its contents are in $out.
drawn() {
	rm -f "$svg"
	ok "$1" "$plot" "$json" "$svg"
	run python3 "$tmp/look.py" "$svg"
	is "$status $(echo "$out" | grep '^wrong')" "0 " "  all of it can be read"
	[ "$status" -eq 0 ] || seen
	texts=$(echo "$out" | sed -n 's/^text //p')
	bars=$(echo "$out" | grep -c '^bar ')
	rows=$(echo "$texts" | grep -cxE "$labels")
}
labels='random (reads|writes)|half reads.*|in order.*|at random.*|the program.*'
labels="$labels|memory.*|compressed kernel.*"

# has TEXT...: each is a text of the picture.
has() {
	for text; do
		if printf '%s\n' "$texts" | grep -qxF -- "$text"; then
			pass "  $text"
		else
			fail "  $text" "$texts"
		fi
	done
}

values | measured
drawn "all that was measured"
has "20,000" "16,000" "12,500" "10,000" "8,100" "16,200" "10,200" "7,650" \
	"11,100" "8,760" "65.5" "32.8" "43.7" "2,000" "1,600" "400" "147" "224" \
	"1,517" "Linux loop" "Linux brd" "squashfs" "qemu-nbd" \
	"Measured 2026-11-28 on a virtual board: Linux 6.12.1-ublk, QEMU on A & B, 2 CPUs"
unlike "$texts" '33,333|33,300|not measured' "what is not drawn is not there"
is "$rows $bars" "10 19" "its rows and bars"
is "$(echo "$texts" | grep -c 'more is better') $(echo "$texts" |
	grep -c 'less is better')" "2 2" "each panel says what is better"
is "$(echo "$out" | awk '/^bar/ {
		if (!whole)
			whole = $2
		printf "%.0f ", $2 / whole * 100
	}')" "100 80 62 50 40 81 100 50 67 100 80 20 92 69 100 79 15 10 100 " \
	"bars are as long as their figures, the longest of a unit full"

values | grep -v loop_ext4 | measured
drawn "without a peer"
has "20,000" "12,500" "8,100" "Linux loop" "not measured" "10,200"
is "$rows $bars" "10 16" "its rows and bars"

values | grep -v -e file_ext4 -e ' ram ' -e ' brd ' | measured
drawn "without two of the panels"
unlike "$texts" 'ext4|RAM|I/O' "which are left out"
has "65.5" "1,517"
is "$rows $bars" "5 9" "its rows and bars"

values | grep idle | measured
drawn "one figure"
has "147"
is "$rows $bars" "1 1" "its row and bar"

machine="Intel(R) Xeon(R) Platinum 9999X CPU @ 2.00GHz with a very long name"
values | measured "$machine that does not end, 128 CPUs"
drawn "a machine of one's own with a long name"
like "$texts" 'nanoseconds per 4 KiB' "has times only"
unlike "$texts" 'instructions|virtual' "and counts no instructions"

values | awk '/^time/ { $6 = int($6 / 90) } { print }' | measured
drawn "a fast machine"
has "1,800,000" "144,000"

echo "once ours value ram_64M KiB 1200" | measured
fails 1 "nothing of the picture was measured" "$plot" "$json" "$tmp/none.svg"
ok "and no picture is made" test ! -e "$tmp/none.svg"
fails 1 "no file" "$plot" "$tmp/missing.json" "$tmp/none.svg"
fails 2 "wrong usage" "$plot" "$json"

done_testing
