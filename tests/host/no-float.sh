# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: gcc libc6-dev binutils
#
# The programs have no floating point, so they run on processors without it, with
# a kernel that does not emulate it: neither instructions nor the functions that
# a compiler calls instead of them.
. "${0%/*}/../lib.sh"

arch=${ARCH:-$(uname -m)}
O=build/$arch
[ -f "$O/ublk.debug" ] && [ -f "$O/board/ublk.debug" ] || skip_all "no programs: make all board"

# functions FILE: those of libgcc (__adddf3, __floatsidf, __gtsf2 and so on), and
# of musl those that take such numbers apart.
functions() {
	nm "$1" | awk '
		$NF ~ /^__(add|sub|mul|div|neg|powi|eq|ne|lt|le|gt|ge|unord|cmp)([sdxt][fc])[23]$/ ||
		$NF ~ /^__(extend|trunc)[hsdxt]f[hsdxt]f2$/ ||
		$NF ~ /^__(fix(uns)?[sdxt]f[sdt]i|float(un)?[sdt]i[sdxt]f)$/ ||
		$NF ~ /^(fmt_fp|__floatscan|strto(f|d|ld))$/ ||
		$NF ~ /^(__fpclassify|__signbit|frexp|scalbn|ldexp|fmod|copysign)[fl]?$/ {
			print $NF
		}' | sort
}

# instructions FILE: of x86, those that calculate with, convert or compare
# floating point numbers, with SSE, AVX or x87. What only moves data, or sets up
# the unit, is not among them.
instructions() {
	objdump -d --no-show-raw-insn "$1" | awk -F '\t' '
		NF < 2 { next }
		{ sub(/ .*/, "", $2) }
		$2 ~ /^v?(add|sub|mul|div|sqrt|min|max|rcp|rsqrt|round|dp|hadd|hsub|addsub|u?comi|cmp[a-z_]*|fn?m(add|sub)[0-9a-z]*)[sp][sd]$/ ||
		$2 ~ /^v?cvt[a-z0-9]+$/ ||
		$2 ~ /^f[a-z0-9]+$/ && $2 !~ /^f(s|wait|n?(init|clex|save|st[cs]w|stenv)|ldcw|ldenv|rstor|x(save|rstor)(64)?)$/ {
			print $2
		}' | sort | uniq -c
}

# The checks find what there is.
cat >"$tmp/some.c" <<'C'
double twice(double x) { return 2 * x; }
long double half(long double x) { return x / 2; }
int main(int argc, char **argv) { (void)argv; return twice(argc) < half(argc); }
long __adddf3, __floatunsidf, __eqsf2, fmt_fp;
C
if [ "$arch" = x86_64 ]; then
	ok "a program with floating point" gcc -w -O0 -o "$tmp/some" "$tmp/some.c"
	is "$(functions "$tmp/some" | tr '\n' ' ')" \
		"__adddf3 __eqsf2 __floatunsidf fmt_fp " "its functions are found"
	for word in '(add|mul)sd' 'cvtsi2sdl?' 'fu?comip?' 'fdivr?p?'; do
		like "$(instructions "$tmp/some")" " ($word)$" "and $word"
	done
fi

for program in "$O" "$O/board"; do
	program=$program/ublk.debug
	like "$(nm "$program")" " T main$" "$program has symbols"
	is "$(functions "$program")" "" "no function for floating point"
	if [ "$arch" = x86_64 ]; then
		is "$(instructions "$program")" "" "no instruction, either"
	else
		skip "no instruction, either" "only those of x86 are known"
	fi
done

done_testing
