# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tests/vm leaves nothing running when it is interrupted.
. "${0%/*}/../lib.sh"

mkdir "$tmp/scratch"
TMPDIR=$tmp/scratch
export TMPDIR
mark=mark=$$.$(cut -d ' ' -f 1 /proc/uptime)

# boards: prints the processes of boards that have our mark.
boards() {
	grep -sl "^qemu.*$mark" /proc/[0-9]*/cmdline
}

# interrupted SIGNAL: starts a board, sends the signal once its script runs, and
# prints what the script had printed by then.
interrupted() {
	sh -c 'echo $$ >"$1"; shift; exec "$@"' - "$tmp/pid" \
		tests/vm --append "$mark" --disk 1M "$tmp/sleep.sh" |
	{
		read -r line
		kill -s "$1" "$(cat "$tmp/pid")"
		cat
		echo "$line"
	}
}

# If this was started in the background, SIGINT is ignored, and then no shell
# can catch it.
ignored=$(sed -n 's/^SigIgn:.*\(.\)$/\1/p' /proc/self/status)
echo 'echo up; sleep 1000' >"$tmp/sleep.sh"
for signal in TERM HUP INT; do
	case $signal$ignored in
	INT[2367abef]) skip "SIGINT" "it is ignored here"; continue ;;
	esac
	run interrupted $signal
	is "$out" up "a board ran until SIG$signal"
	is "$(boards)" "" "and does no longer"
	is "$(ls "$tmp/scratch")" "" "and nothing of it is left"
done

done_testing
