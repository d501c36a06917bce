# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --tool fio
# board: --mem 512M --timeout 600
#
# Servers of a disk in use die one after the other, also between any two steps
# of their start. The next one finds the disk intact, and fio, which writes and
# reads back all the time, never sees an error.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

truncate -s 16M "$tmp/file"

# half_way STEP: a server that dies while it takes over.
half_way() {
	killed_at "$1" --recover 8 --file "$tmp/file"
	must "half way it is $(state_of 8)" wait_until $notice state_is 8 quiesced
}

steps="none opened recovering $late_steps"
[ -z "$spare" ] || {
	skip "deaths in between" \
		"Linux's driver takes no second START_USER_RECOVERY"
	steps="none opened started none"
}

for options in "--queues 1" "--queues 3" "--queues 2 --need-get-data" \
	"--queues 2 --user-copy"; do
	! lacks "$options" || continue
	# shellcheck disable=SC2086 # words are meant to be split
	ok "serve with $options" launch --id 8 --file "$tmp/file" $spare \
		--recovery reissue $options
	must "no load" verified_load
	for step in $steps; do
		[ -z "$problem" ] || break
		dies
		[ $step = none ] || half_way $step
		takes_over "$tmp/file"
		goes_on
		[ -z "$problem" ] || problem="$problem, after $step"
	done
	content
	answer "deaths with $options do not show"
	ok "delete it" "$server" --delete 8
done

# Without any server, it can be stopped and deleted, and nobody hangs.
for way in --delete --stop; do
	launch --id 8 --file "$tmp/file" $spare --recovery reissue --queues 2 \
		--delay 5000
	must "no load" load
	dies
	[ -n "$spare" ] || half_way fetched-half
	must "no $way" "$server" $way 8
	not_stuck
	must "the load does not end" wait_until 5 ended $load
	[ $way = --delete ] || must "no deletion" "$server" --delete 8
	must "something is left" gone 8
	answer "$way between two servers"
done

done_testing
