# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --timeout 240
#
# A signal at any moment of a start leaves either nothing, or a complete device.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -z "$(what_is)" ] || skip_all "there are devices already"
before
truncate -s 1M "$tmp/file"

# interrupted SIGNAL TIMES STEP ARGUMENT...: so many starts, with the signal
# STEP microseconds later each time.
interrupted() {
	signal=$1 last=$(($2 * $3)) step=$3
	shift 3
	delay=0 none=0 whole=0 bad=''
	while [ $delay -lt $last ]; do
		ublk "$@" >"$tmp/node" 2>"$tmp/err" &
		start=$!
		usleep $delay
		kill -"$signal" $start 2>/dev/null
		# A signal that came before the shell had started it is lost.
		while [ "$2" = -f ] && sleep 0.2 && runs $start; do
			kill -"$signal" $start
		done
		status=0
		wait $start 2>/dev/null || status=$?
		check || bad="$bad
after $delay us, status $status: $(cat "$tmp/node" "$tmp/err")
$left"
		delay=$((delay + step))
	done
	is "$bad" "" "SIG$signal: ublk $*"
	note "$none left nothing, $whole were complete"
}

nothing_left() {
	[ "$(what_is)" = "$was" ]
}
# Nothing is left, or a device that works and can be stopped, even if the
# command was killed before it could print the node.
check() {
	# The server notices only when it is ready that its caller was killed
	# before it could print the node.
	[ "$signal" != KILL ] || [ -s "$tmp/node" ] || wait_until 3 nothing_left
	left=$(what_is)
	if [ "$left" = "$was" ]; then
		none=$((none + 1))
		return
	fi
	for node in /dev/ublkb*; do
		dd if="$node" of=/dev/null bs=4k count=1 2>/dev/null &&
			ublk stop "$node" || return 1
		whole=$((whole + 1))
	done
	left=$(what_is)
	[ "$left" = "$was" ]
}

interrupted INT 20 4000 ram 1M
interrupted TERM 20 4000 ram 1M -q 2
interrupted HUP 10 8000 file "$tmp/file"
# A shell starts background jobs with SIGINT ignored.
interrupted TERM 15 6000 ram -f 1M
interrupted KILL 10 8000 ram 1M
leaves_nothing "nothing is left of all"

done_testing
