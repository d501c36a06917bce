# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tests/vm notices if the kernel has failed, and not the script.
. "${0%/*}/../lib.sh"

echo 'echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 60' >"$tmp/panic.sh"
fails 125 "a panic is a failure" tests/vm "$tmp/panic.sh"
is "$out" before "what was printed before it is there"
like "$err" 'Kernel panic - not syncing: sysrq' "the panic is shown"

echo 'echo WARNING: made up >/dev/kmsg; echo more' >"$tmp/warning.sh"
fails 125 "a warning in the kernel's log is a failure" tests/vm "$tmp/warning.sh"
is "$out" more "though the script went on"
like "$err" 'WARNING: made up' "the warning is shown"
ok "a message that was allowed is no failure" \
	tests/vm --allow-log 'no such' --allow-log 'made +up' "$tmp/warning.sh"

echo 'poweroff -f' >"$tmp/off.sh"
fails 125 "a board that goes off before the script has ended is a failure" \
	tests/vm "$tmp/off.sh"
like "$err" 'went off' "which is said"

fails 124 "a script without end is a failure" \
	tests/vm --timeout 30 - <<'SCRIPT'
echo message of the kernel >/dev/kmsg
sleep 1000
SCRIPT
like "$err" 'no end after 30 seconds' "which is said"
like "$err" 'message of the kernel' "with the kernel's last messages"

ok "the kernel's log can be kept" env VM_LOG="$tmp/log" tests/vm - <<'SCRIPT'
echo message of the kernel >/dev/kmsg
SCRIPT
like "$(cat "$tmp/log")" 'message of the kernel' "and is what the kernel said"

done_testing
