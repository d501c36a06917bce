# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The finds and seeds of the fuzzers of images and protocols do not crash any of
# them, nor do variants of them, always the same; with ASan and UBSan. ROUNDS=n
# makes n variants of each; `make fuzz` makes as many as it has time for.
. "${0%/*}/../lib.sh"
: "${ROUNDS:=60}"
[ -d build/asan/fuzz ] || skip_all 'no programs: make unit-programs'

for fuzzer in tests/fuzz/*.c; do
	fuzzer=$(basename "$fuzzer" .c)
	ok "$fuzzer: hostile inputs do no harm" "build/asan/fuzz/$fuzzer" \
		-variants="$ROUNDS" "tests/fuzz/corpus/$fuzzer"/*
	like "$out" '^[1-9][0-9]* inputs$' "$fuzzer: and all were tried"
done

done_testing
