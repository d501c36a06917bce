# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add $O/driver/fuzz --mem 512M --timeout 600
#
# Random and almost right commands from processes that are killed at random.
# Afterwards the driver works. The seed is fixed, and the test takes half a
# minute; words of the kernel command line change that:
#
#   fuzz.seed=N  fuzz.commands=N  fuzz.seconds=N
#   fuzz.any             also on a driver that is not ours
#
# Linux's driver of 6.12 is excluded: it warns and hangs after some thousand
# commands with most seeds.
#
# `make fuzz T=minutes` does this, for the kernel and the seed that it is given:
#
#   tests/vm --kernel K --add build/x86_64/driver/fuzz --add tests/lib.sh \
#	--mem 512M --timeout $((T * 60 + 300)) --append "fuzz.seed=$(date +%s)" \
#	--append "fuzz.seconds=$((T * 60)) fuzz.commands=1000000000" \
#	tests/driver-fuzz.sh
. "${0%/*}/lib.sh"

# word NAME DEFAULT: prints a word of the kernel command line.
word() {
	value=$2
	for argument in $(cat /proc/cmdline); do
		case $argument in fuzz."$1"=*) value=${argument#*=} ;; esac
	done
	echo "$value"
}

fuzz=$PWD/build/x86_64/driver/fuzz
[ ! -x /add/fuzz ] || fuzz=/add/fuzz
[ -x "$fuzz" ] || skip_all "no program: make driver-programs"
# Ours is the one that can quiesce and has no zones.
offers() {
	ublk features | grep -qE "^$1 +yes"
}
if ! offers QUIESCE || offers ZONED; then
	grep -qw fuzz.any /proc/cmdline ||
		skip_all "a driver that is not ours (fuzz.any tries it)"
fi
ok "the driver is well after a fuzzer's commands" "$fuzz" \
	--seed "$(word seed 1)" --commands "$(word commands 1000000)" \
	--seconds "$(word seconds 25)"
[ $status -ne 0 ] || note "$out"
done_testing
