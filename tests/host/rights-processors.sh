# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: clang
#
# The filter of system calls for other architectures: for each one that is
# known, it has the calls that musl uses there; for others, it does not compile.
. "${0%/*}/../lib.sh"

musl=build/src/musl
kernel=build/${ARCH:-x86_64}/kernel-headers/include
[ -d "$musl/arch" ] || skip_all "musl's source is not here"

# headers ARCH: makes the headers of musl for that architecture, like its
# makefile.
headers() {
	mkdir -p "$tmp/$1/bits"
	sed -f "$musl/tools/mkalltypes.sed" "$musl/arch/$1/bits/alltypes.h.in" \
		"$musl/include/alltypes.h.in" >"$tmp/$1/bits/alltypes.h"
	cp "$musl/arch/$1/bits/syscall.h.in" "$tmp/$1/bits/syscall.h"
	sed -n 's/__NR_/SYS_/p' "$musl/arch/$1/bits/syscall.h.in" \
		>>"$tmp/$1/bits/syscall.h"
}
# compile TARGET ARCH: prints the contents of the filter.
compile() {
	clang --target="$1" -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror \
		-ffreestanding -nostdinc -isystem "$tmp/$2" \
		-isystem "$musl/arch/$2" -isystem "$musl/arch/generic" \
		-isystem "$musl/include" -idirafter "$kernel" -I. \
		-S -emit-llvm -o - core/rights.c
}
# numbers NAME...: prints the numbers of the calls.
numbers() {
	for call; do
		sed -n "s/^#define __NR_${call}[ 	]*\\([0-9]*\\)\$/\\1/p;
			s/^#define __NR_${call}[ 	]*(\\?__SYSCALL_BASE + \\([0-9]*\\))\\?\$/\\1/p
			" "$tmp/$arch/bits/syscall.h"
	done
}

while read -r target arch audit more; do
	headers "$arch"
	run compile "$target" "$arch"
	if [ $status -ne 0 ]; then
		fail "$target: compiles"
		seen
		continue
	fi
	pass "$target: compiles"
	like "$out" "i32 $audit\\b" "$target: its own filter"
	missing=''
	# shellcheck disable=SC2086 # words are meant to be split
	set -- io_uring_enter futex munmap brk exit_group write rt_sigreturn $more
	for call; do
		for n in $(numbers "$call"); do
			printf '%s\n' "$out" | grep -E '^@(loop|memory)_calls' |
				grep -q "i32 $n\\b" || missing="$missing $call"
		done
		[ "$(numbers "$call")" ] || missing="$missing no-number-of-$call"
	done
	is "$missing" "" "$target: the calls that musl makes"
done <<'PROCESSORS'
x86_64-linux-musl x86_64 -1073741762 mmap clock_gettime
aarch64-linux-musl aarch64 -1073741641 mmap clock_gettime
riscv64-linux-musl riscv64 -1073741581 mmap clock_gettime
armv7-linux-musleabihf arm 1073741864 mmap2 clock_gettime64 futex_time64 sigreturn
mips-linux-musl mips 8 mmap2 clock_gettime64 futex_time64 sigreturn
mipsel-linux-musl mips 1073741832 mmap2 clock_gettime64 futex_time64 sigreturn
powerpc-linux-musl powerpc 20 mmap2 clock_gettime64 futex_time64 sigreturn
powerpc64-linux-musl powerpc64 -2147483627 mmap clock_gettime
powerpc64le-linux-musl powerpc64 -1073741803 mmap clock_gettime
PROCESSORS

for other in i386-linux-musl x86_64-linux-gnux32 sparc64-linux-gnu \
	s390x-linux-gnu mips64-linux-gnuabin32; do
	fails 1 "$other: does not compile" clang --target="$other" -nostdinc \
		-fsyntax-only -I. core/rights.c
	like "$err" "error: .*no seccomp filter for this processor" \
		"$other: and that is why"
done

done_testing
