# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A board of tests/vm that counts instructions gives the same count every time.
. "${0%/*}/../lib.sh"

cat >"$tmp/count.sh" <<'SCRIPT'
nproc
seq 2000 >/dev/null
start=$(awk '{ print $1 * 100 }' /proc/uptime)
i=0
while [ $i -lt 50000 ]; do i=$((i + 1)); done
echo $(($(awk '{ print $1 * 100 }' /proc/uptime) - start))
SCRIPT
run tests/vm --icount --smp 2 "$tmp/count.sh"
is "$status $(echo "$out" | head -n 1)" "0 1" "it has one processor"
first=$(echo "$out" | tail -n 1)
run tests/vm --icount "$tmp/count.sh"
second=$(echo "$out" | tail -n 1)
note "hundredths of a second: $first, $second"
difference=$((first > second ? first - second : second - first))
ok "its time is a count of instructions" \
	test $((difference * 50)) -le $((first + 50))

done_testing
