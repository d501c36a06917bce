#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Usage: tests/bench.plot BENCH.JSON OUT.svg
#
# Draws what tests/bench wrote: how fast ours is, with the other as 1, a bar for
# each row that has another, and a mark where its goal is.
set -eu

json=$1 svg=$2
here=$(cd "$(dirname "$0")/.." && pwd)
"$here/deps/packages" gnuplot-nox >&2
tmp=$(mktemp -d "${TMPDIR:-/tmp}/plot.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# field NAME: prints what stands in the head of the file.
field() {
	sed -n "s/^  \"$1\": \"*\\(.*[^\",]\\)\"*,\$/\\1/p" "$json"
}

# Number, label, speed, goal (nothing: outside of the picture), met or not. A cost
# is turned into a speed.
awk -F '", "|": "|": |, "' '
	/"part"/ && !/"ratio": null/ {
		for (i = 1; i < NF; i++)
			value[$i] = $(i + 1)
		ratio = value["ratio"]
		goal = 0
		bound = value["goal"]
		sub(/.*=/, "", bound)
		if (value["goal"] ~ /^speed/)
			goal = bound
		else
			ratio = 1 / ratio
		if (value["goal"] ~ /^cost/)
			goal = 1 / bound
		of = value["mode"] == "time4" ? "time, 4 CPUs" : \
			value["mode"] == "count" ? "instructions" : \
			value["mode"]
		printf "%d\t%s / %s, %s (%s)\t%s\t%s\t%d\n", ++n,
			value["ours"], value["other"], value["work"], of, ratio,
			goal ? goal : 1e-9, value["met"] ~ /^missed/
		if (value["met"] == "")
			exit 1
	}' "$json" | sed 's/_/ /g' >"$tmp/rows"
rows=$(wc -l <"$tmp/rows")
[ "$rows" -gt 0 ] || { echo "tests/bench.plot: nothing in $json" >&2; exit 1; }
dates=$(sed -n 's/.*"date": "\([0-9-]*\)".*/\1/p' "$json" | sort | sed -n '1p;$p' |
	uniq | paste -s -d ' ')

mkdir -p "$(dirname "$svg")"
gnuplot <<EOS
set terminal svg size 900,$((rows * 22 + 130)) font "sans,11"
set output "$tmp/svg"
set title "How fast ours is beside others (1: as fast; longer is better)\n\
$dates, Linux $(field kernel)\n$(field machine)" noenhanced
set datafile separator "\t"
set logscale x 2
set xrange [0.125:16]
set yrange [$rows.7:0.3]
set grid xtics
set key below
set style fill solid 0.7 noborder
set ytics scale 0 noenhanced
plot "$tmp/rows" using (0.125):1:(0.125):(\$3 > 16 ? 16 : \$3):(\$1 - 0.35):(\$1 + 0.35):(\$5 > 0 ? 0xcc5544 : 0x558855):ytic(2) \
	with boxxyerror linecolor rgb variable title "ours (red: misses its goal)", \
	"$tmp/rows" using 4:(\$1 - 0.45):(0):(0.9) with vectors nohead \
	linewidth 3 linecolor rgb "black" title "goal"
EOS
mv "$tmp/svg" "$svg"
