# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The appliance's kernel is as small as promised. The linker removes functions
# that nothing calls, and their entries in tables, but no entry of a function
# that is still there: of exceptions, warnings, alternatives, lock prefixes,
# static branches and constants.
. "${0%/*}/../lib.sh"

arch=${ARCH:-x86_64}
image=$(linux/default-kernel)
built=build/$arch/linux-6.12
[ -f "$image" ] && [ -f "$built/vmlinux.map" ] || skip_all "no $image: make kernel"

bytes=$(wc -c <"$image")
goal=$(tests/size | sed -n 's/.* kernel (goal: \([0-9]*\)).*/\1/p')
if [ "$bytes" -le "$goal" ]; then
	pass "it has no more bytes than are promised"
else
	fail "it has no more bytes than are promised" "$bytes, more than $goal"
fi

# What was removed, as FILE SECTION. A long name is on a line of its own.
cd "$built" || exit
awk '
	/^Memory Configuration/ { exit }
	/^Discarded input sections/ { begun = 1; next }
	begun && NF == 1 { name = $1 }
	begun && NF == 3 { print $3, name }
	begun && NF == 4 { print $4, $1 }' vmlinux.map >"$tmp/gone"

# For each table and file: the entries that should be gone are those that refer
# to a section that is gone.
for archive in vmlinux.a lib/lib.a "arch/x86/lib/lib.a"; do
	ar t "$archive"
done | xargs readelf -SW >"$tmp/sections"
awk '
	function table(name) {
		return name ~ /^(\.smp_locks|\.altinstructions|__(ex|bug|jump)_table|runtime_.*)$/
	}
	function check(   name) {
		for (name in wanted)
			if (wanted[name] != gone[file " " name] + 0)
				print file, name, "wanted:", wanted[name], \
					"gone:", gone[file " " name] + 0
		split("", wanted)
		split("", names)
	}
	FNR == NR {
		gone[$1 " " $2]++
		next
	}
	/^File: / {
		check()
		file = $2
		next
	}
	!sub(/^ *\[ */, "") { next }
	{
		number = $1 + 0
		sub(/^[0-9]+\] */, "")
		names[number] = $1
	}
	table($1) && $(NF - 3) !~ /L/ { print file, $1, "is linked to nothing" }
	table($1) {
		entries++
		left_out = (file " " names[$(NF - 2)]) in gone
		wanted[$1] += left_out
		without += left_out
	}
	END {
		check()
		print entries, without >"/dev/stderr"
	}' "$tmp/gone" "$tmp/sections" >"$tmp/wrong" 2>"$tmp/count"
note "entries, and how many of them are left out: $(cat "$tmp/count")"
is "$(cat "$tmp/wrong")" "" "no entry is lost, none is left without its function"
ok "there are entries, and some are left out" \
	awk '{ exit !($1 > 5000 && $2 > 100) }' "$tmp/count"

done_testing
