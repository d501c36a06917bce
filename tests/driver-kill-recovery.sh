# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add build/x86_64/driver/server --tool fio
# board: --mem 512M --timeout 600
#
# Servers die one after the other behind a disk in use, also between any two
# steps of taking it over: the next one finds it whole, and fio, which writes and
# reads back all the while, never sees an error.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

truncate -s 16M "$tmp/file"

# dies: kills the server that there is.
dies() {
	kill -KILL "$pid"
	must "the server does not end" wait_until 2 ended "$pid"
	must "it is $(state_of 8)" wait_until 2 state_is 8 quiesced
}
# half_way STEP: a server that dies while it takes over. Its first request may
# come only after it is live.
half_way() {
	! launch --recover 8 --file "$tmp/file" --die-at "$1" ||
		[ "$1" = serving ] ||
		problem="$problem, live in spite of --die-at $1"
	must "the one half way does not end" wait_until 2 ended "$pid"
	wait "$pid"
	is_killed=$?
	[ $is_killed -eq 137 ] ||
		problem="$problem, exit $is_killed: $(cat "$tmp/server")"
	must "half way it is $(state_of 8)" wait_until 2 state_is 8 quiesced
}
takes_over() {
	launch --recover 8 --file "$tmp/file" ||
		problem="$problem, no new server: $(cat "$tmp/server")"
	must "it is $(state_of 8) again" state_is 8 live
}

steps="none opened recovering char fetched-one fetched-half fetched starting
	serving started"
[ -z "$spare" ] || {
	skip "deaths in between" \
		"Linux's driver takes no second START_USER_RECOVERY"
	steps="none opened started none"
}

for options in "--queues 1" "--queues 3" "--queues 2 --need-get-data" \
	"--queues 2 --user-copy"; do
	# shellcheck disable=SC2086 # words are meant to be split
	ok "serve with $options" launch --id 8 --file "$tmp/file" $spare \
		--recovery reissue $options
	fio --name=load --filename="$dev" --size=16M --ioengine=libaio \
		--direct=1 --iodepth=32 --rw=randwrite --bs=4k --thread \
		--verify=crc32c --verify_backlog=256 --verify_fatal=1 \
		--loops=1000 --randrepeat=0 --output-format=terse \
		>"$tmp/fio" 2>&1 </dev/null &
	load=$!
	loads="$loads $load"
	seen_before=$(seen_requests)
	must "no load" wait_until 20 loaded
	for step in $steps; do
		[ -z "$problem" ] || break
		dies
		[ $step = none ] || half_way $step
		takes_over
		seen_before=$(seen_requests)
		must "nothing moves after $step" wait_until 5 loaded
	done
	must "fio has ended: $(cat "$tmp/fio")" runs $load
	answer "deaths with $options do not show"
	# fio ends orderly, and has verified all that it wrote.
	kill -INT $load
	must "fio does not end" wait_until 20 ended $load
	unlike "$(cat "$tmp/fio")" "verify|err=|error" "fio has seen no error"
	ok "delete it" "$server" --delete 8
done

# Without a server at all it can be stopped, deleted, and nobody hangs.
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
