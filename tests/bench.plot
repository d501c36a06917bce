#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Usage: tests/bench.plot BENCH.JSON OUT.svg
#
# Draws the picture of README from what tests/bench wrote: a few panels with at
# most a dozen rows, in each the bar of ublk and those of its peers. All other
# rows are only in the table that tests/bench prints. A row that was not measured
# is left out.
set -eu

[ $# -eq 2 ] || { echo "Usage: tests/bench.plot BENCH.JSON OUT.svg" >&2; exit 2; }
json=$1 svg=$2
[ -f "$json" ] || { echo "tests/bench.plot: no $json: make bench" >&2; exit 1; }
tmp=$(mktemp -d "${TMPDIR:-/tmp}/plot.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# What is drawn:
#   panel|TITLE|WHAT THE FIGURES ARE|more or less is better
#   row|LABEL|MODE|WORK|UNIT|OURS|PEER|PEER...
# OURS and PEER are DEVICE=NAME: a device of bench.goals and what its bar is called.
cat >"$tmp/picture" <<'EOS'
panel|File on ext4|4 KiB I/Os per second, 64 at a time|more
row|random reads|time|randread-64|IOPS|file_ext4=ublk|loop_ext4=Linux loop
row|random writes|time|randwrite-64|IOPS|file_ext4=ublk|loop_ext4=Linux loop
row|half reads, half writes|time|randrw-64|IOPS|file_ext4=ublk|loop_ext4=Linux loop
panel|RAM disk|COUNTS per 4 KiB I/O|less
row|random reads|count|randread-64|COUNT|ram=ublk|brd=Linux brd
row|random writes|count|randwrite-64|COUNT|ram=ublk|brd=Linux brd
panel|Compressed image|first read, nothing cached yet|more
row|in order, MB per second|time|cold-read|MB/s|zimg=ublk|squashfs=squashfs|qemu_nbd=qemu-nbd
row|at random, 4 KiB reads per second|time|cold-randread|IOPS|zimg=ublk|squashfs=squashfs|qemu_nbd=qemu-nbd
panel|Size|KiB|less
row|the program, static|once|bytes|BYTES|ublk=ublk
row|memory of an idle server|once|KiB|KIB|idle=ublk
row|compressed kernel that boots a board|once|bytes|BYTES|kernel=kernel
EOS

awk -F '|' '
# field NAME: a string or a number of this line of JSON, "" for null.
function field(name,    found) {
	if (!match($0, "\"" name "\": (\"[^\"]*\"|[^,}]*)"))
		return ""
	found = substr($0, RSTART, RLENGTH)
	sub(/^"[^"]*": /, "", found)
	gsub(/"/, "", found)
	return found == "null" ? "" : found
}

# What tests/bench wrote, nanoseconds, instructions, bytes or KiB, in a unit.
function converted(n, unit) {
	if (n + 0 <= 0)
		return 0
	if (unit == "IOPS")
		return 1e9 / n
	# Of reading in order an I/O is 128 KiB.
	if (unit == "MB/s")
		return 131072e3 / n
	return unit == "BYTES" ? n / 1024 : n + 0
}

# The number as text. No more than three digits of a speed mean anything.
function written(n, unit,    i, digits, groups) {
	if (unit ~ /s$/ && n < 100)
		return sprintf("%.1f", n)
	if (unit !~ /^(BYTES|KIB)$/)
		n = sprintf("%.2e", n) + 0
	digits = sprintf("%.0f", n)
	for (i = length(digits); i > 3; i -= 3)
		groups = "," substr(digits, i - 2, 3) groups
	return substr(digits, 1, i) groups
}

function text(x, y, look, what) {
	gsub(/&/, "\\&amp;", what)
	gsub(/</, "\\&lt;", what)
	gsub(/>/, "\\&gt;", what)
	drawn = drawn sprintf("<text x=\"%.1f\" y=\"%d\"%s>%s</text>\n", x, y,
		look, what)
}

function bar(x, y, width, colour) {
	drawn = drawn sprintf("<rect x=\"%d\" y=\"%d\" width=\"%.1f\"" \
		" height=\"%d\" fill=\"%s\"/>\n", x, y, width, THICK, colour)
}

# Keeps the row of this line for the panel, if ours was measured.
function keep_row(    i, part, ours, key, scale) {
	rows++
	unit[rows] = $5
	scale = unit[rows] ~ /^(BYTES|KIB)$/ ? "KIB" : unit[rows]
	for (i = 6; i <= NF; i++) {
		split($i, part, "=")
		if (i == 6)
			ours = part[1]
		key = $3 " " $4 " " ours " " (i == 6 ? "" : part[1])
		name[rows, i - 5] = part[2]
		value[rows, i - 5] = converted(measured[key], unit[rows])
		if (i > 6 || NF == 6)
			seen_on(date[key])
	}
	if (!value[rows, 1]) {
		rows--
		return
	}
	label[rows] = $2
	bars[rows] = NF - 5
	if (!open_panel) {
		open_panel = ++panels
		title[panels] = panel_title
		figures[panels] = panel_figures
	}
	panel[rows] = panels
	scale_of[rows] = panels " " scale
	for (i = 1; i <= bars[rows]; i++)
		if (value[rows, i] > most[scale_of[rows]])
			most[scale_of[rows]] = value[rows, i]
	height[panels] += LABEL + bars[rows] * STEP + GAP
}

function seen_on(day) {
	if (day != "" && (first == "" || day < first))
		first = day
	if (day > last)
		last = day
}

function draw_panel(p, x, y,    row, i, width, look) {
	text(x, y + 14, TITLE, title[p])
	text(x, y + 32, QUIET, figures[p])
	y += HEAD
	x += NAME
	for (row = 1; row <= rows; row++) {
		if (panel[row] != p)
			continue
		text(x - NAME, y + 12, "", label[row])
		y += LABEL
		for (i = 1; i <= bars[row]; i++) {
			look = i == 1 ? BOLD : ""
			text(x - 8, y + 12, RIGHT look, name[row, i])
			width = BAR * value[row, i] / most[scale_of[row]]
			if (value[row, i]) {
				bar(x, y, width, i == 1 ? OURS : PEER)
				text(x + width + 6, y + 12, look,
					written(value[row, i], unit[row]))
			} else
				text(x, y + 12, QUIET, "not measured")
			y += STEP
		}
		y += GAP
	}
}

BEGIN {
	# Sizes, in pixels where the picture is 800 wide. Text is 12 high where
	# nothing else is said.
	WIDTH = 800; MARGIN = 20; COLUMN = 368
	HEAD = 42; LABEL = 18; STEP = 19; THICK = 15; GAP = 9
	NAME = 88; BAR = COLUMN - NAME - 72
	HEADING = " font-size=\"18\" font-weight=\"bold\""
	TITLE = " font-size=\"15\" font-weight=\"bold\""
	BOLD = " font-weight=\"bold\""
	QUIET = " fill=\"#595959\""
	RIGHT = " text-anchor=\"end\""
	# Dark and light, also without colours.
	OURS = "#0063a8"; PEER = "#b3b3b3"
}

FNR == NR && /^  "machine"/ { machine = field("machine") }
FNR == NR && /^  "kernel"/ { kernel = field("kernel") }
FNR == NR && /^ *[{]"part"/ {
	key = field("mode") " " field("work") " " field("ours") " "
	peer = field("other") == "-" ? "" : field("other")
	if (measured[key] == "")
		measured[key] = field("value")
	if (peer != "")
		measured[key peer] = field("value_of_other")
	date[key peer] = field("date")
}
FNR == NR { next }

$1 == "panel" {
	panel_title = $2
	# tests/bench counts instructions on virtual boards alone.
	sub(/COUNTS/, machine ~ /^QEMU/ ? "instructions" : "nanoseconds", $3)
	panel_figures = $3 "; " $4 " is better"
	open_panel = 0
}
$1 == "row" { keep_row() }

END {
	if (!rows)
		exit 1
	heading = "ublk compared with its alternatives"
	text(MARGIN, 34, HEADING, heading)
	gsub(/\((R|TM)\)| CPU @ [0-9.]+GHz| [0-9]+-Core Processor/, "", machine)
	where = "Measured " first (last == first ? "" : " to " last) \
		(machine ~ /^QEMU/ ? " on a virtual board" : "") \
		": Linux " kernel ", " machine
	if (length(where) > 104)
		where = substr(where, 1, 101) "..."
	text(MARGIN, 55, QUIET, where)

	# The left column is filled first.
	y = 82
	half = int((panels + 1) / 2)
	for (p = 1; p <= half; p++) {
		draw_panel(p, MARGIN, y)
		if (p + half <= panels)
			draw_panel(p + half, WIDTH - MARGIN - COLUMN, y)
		y += HEAD + (height[p] > height[p + half] ? height[p] : \
			height[p + half]) + 12
	}
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"" \
		" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n" \
		"<title>%s</title>\n" \
		"<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n" \
		"<g font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n" \
		"%s</g>\n</svg>\n", WIDTH, y, WIDTH, y, heading, WIDTH, y, drawn
}' "$json" "$tmp/picture" >"$tmp/svg" ||
	{ echo "tests/bench.plot: nothing to draw in $json" >&2; exit 1; }

mkdir -p "$(dirname "$svg")"
cp "$tmp/svg" "$svg"
