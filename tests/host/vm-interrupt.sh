# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tests/vm takes everything away with it when it is interrupted.
. "${0%/*}/../lib.sh"

mkdir "$tmp/scratch"
TMPDIR=$tmp/scratch
export TMPDIR
mark=mark=$$.$(cut -d ' ' -f 1 /proc/uptime)

# boards: prints the processes of boards that carry our mark.
boards() {
	grep -sl "^qemu.*$mark" /proc/[0-9]*/cmdline
}

for signal in INT TERM HUP; do
	echo 'echo up; sleep 1000' >"$tmp/sleep.sh"
	run timeout --foreground -s $signal 8 \
		tests/vm --append "$mark" --disk 1M "$tmp/sleep.sh"
	is "$out" up "a board ran until SIG$signal"
	is "$(boards)" "" "and does no longer"
	is "$(ls "$tmp/scratch")" "" "and nothing of it is left"
done

done_testing
