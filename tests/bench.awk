# SPDX-License-Identifier: GPL-2.0
#
# The table of tests/bench: reads what was measured, lines of
#   MODE DRIVER value DEVICE WORK NUMBER
#   MODE DRIVER missing DEVICE|DRIVER REASON
#   MODE DRIVER kernel VERSION
# and then lines of bench.goals. Prints a row for each work of each of these, and
# writes the same, with `date`, to the file `json`, a line each.

function sort(list, n,    i, j, value) {
	for (i = 2; i <= n; i++) {
		value = list[i]
		for (j = i - 1; j && list[j] > value; j--)
			list[j + 1] = list[j]
		list[j + 1] = value
	}
}

# The median of list[1..n]; sets `spread`, in percent of it.
function median(list, n,    middle) {
	sort(list, n)
	middle = list[int((n + 1) / 2)]
	spread = middle ? 100 * (list[n] - list[1]) / middle : 0
	return middle
}

# What A, or A-B, was in a run; "" where it was not measured.
function value(what, work, run,    part, n, i, key, sum) {
	n = split(what, part, "-")
	for (i = 1; i <= n; i++) {
		key = mode " " part[i] " " work " " run
		if (!(key in values))
			return ""
		sum += (i == 1 ? 1 : -1) * values[key]
	}
	return sum
}

# Keeps why a device of A, or A-B, has no figure for that work.
function excuse(what, work,    part, n, i, driver, text) {
	n = split(what, part, "-")
	for (i = 1; i <= n; i++) {
		if ((mode " " part[i] " " work " 1") in values)
			continue
		driver = part[i] ~ /\/intree$/ ? "intree" : "ours"
		text = reason[mode " " part[i]]
		if (text == "")
			text = reason[mode " " driver]
		text = part[i] ", " mode ": " (text == "" ? "no reason given" : text)
		if (!told[text]++)
			excuses = excuses "not run: " text "\n"
	}
}

function met(goal,    bound) {
	if (goal == "-")
		return "-"
	bound = goal
	sub(/^.*=/, "", bound)
	if (ours == "" || goal !~ /^at/ && ratio == "")
		return "not run"
	if (goal ~ /^at/)
		return ours <= bound + 0 ? "met" : "missed"
	if (goal ~ /^cost/)
		return ratio <= bound + 0 ? "met" : "missed"
	return ratio >= bound + 0 ? "met" : "missed"
}

# For the table: a number, or that it is not there.
function number(n, format, missing) {
	return n == "" ? missing : sprintf(format, n)
}

function null(n) {
	return n == "" ? "null" : sprintf("%.3f", n) + 0
}

# Medians over the runs, of the ratio the one of the runs' ratios.
function summarize(device, other, work, goal,    run, n, a, b, mine, its, both) {
	ours = theirs = ratio = spread = ""
	for (run = 1; (a = value(device, work, run)) != ""; run++) {
		b = other == "-" ? "" : value(other, work, run)
		if (other != "-" && b == "")
			break
		mine[run] = a
		its[run] = b
		if (other != "-")
			both[run] = goal ~ /^speed/ ? b / a : a / b
	}
	n = run - 1
	if (!n) {
		excuse(device, work)
		if (other != "-")
			excuse(other, work)
		ours = value(device, work, 1)
		theirs = value(other, work, 1)
		return
	}
	ours = median(mine, n)
	if (other != "-") {
		theirs = median(its, n)
		ratio = median(both, n)
	}
}

$3 == "value" {
	device = $4 ($2 == "intree" ? "/intree" : "")
	key = $1 " " device " " $5
	values[key " " ++runs[key]] = $6
	next
}
$3 == "kernel" { next }
$3 == "missing" {
	device = $4 ($2 == "intree" && $4 != "intree" ? "/intree" : "")
	key = $1 " " device
	sub(/^[^ ]* [^ ]* missing [^ ]* /, "")
	reason[key] = $0
	next
}
{
	mode = $2
	goal = $6
	n = split($3, work, ",")
	for (i = 1; i <= n; i++) {
		summarize($4, $5, work[i], goal)
		if (!rows++)
			printf "%-5s %-15s %-14s %9s  %-29s %9s %6s %7s  %-11s %s\n",
				"mode", "work", "ours", "", "other", "", "ratio",
				"spread", "goal", "met"
		result = met(goal)
		printf "%-5s %-15s %-14s %9s  %-29s %9s %6s %7s  %-11s %s\n",
			mode, work[i], $4, number(ours, "%d", "not run"), $5,
			number(theirs, "%d", $5 == "-" ? "" : "not run"),
			number(ratio, "%.2f", "-"),
			number(spread, "%.1f %%", "-"), goal, result
		printf "%s    {\"part\": \"%s\", \"mode\": \"%s\", \"work\": \"%s\"," \
			" \"ours\": \"%s\", \"other\": \"%s\", \"value\": %s," \
			" \"value_of_other\": %s, \"ratio\": %s," \
			" \"spread_percent\": %s, \"goal\": \"%s\"," \
			" \"met\": \"%s\", \"date\": \"%s\"}", rows == 1 ? "" : ",\n", $1, mode,
			work[i], $4, $5, null(ours), null(theirs), null(ratio),
			null(spread), goal, result, date >json
	}
}
END {
	printf "%s", excuses
}
