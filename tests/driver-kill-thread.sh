# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --tool fio
# board: --mem 512M --timeout 300
#
# One of several threads ends, under load: the effect is that of the death of
# the whole server. The other threads are told, and the requests of all queues
# are answered. If all tags of that thread are in use, the block layer's timer
# finds it: a request times out after one second, and the timer runs at whole
# seconds, so that it takes at most two.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

# Its only queue fails, the device stays live, and the other threads serve on.
[ -z "$spare" ] ||
	skip_all "Linux's driver takes one thread's end for that of its queue only"

truncate -s 32M "$tmp/file"

for options in "--queues 2" "--queues 4 --need-get-data" \
	"--queues 2 --user-copy" "--queues 2 --per-io-daemon --threads 2"; do
	! lacks "$options" || continue
	# shellcheck disable=SC2086 # words are meant to be split
	launch --id 9 --file "$tmp/file" $spare $options ||
		{ fail "serve $options" "$(cat "$tmp/server")"; continue; }
	must "no load" load
	kill -USR1 "$pid"
	not_stuck
	must "the load does not end" wait_until 5 ended $load
	must "the other threads go on" wait_until 5 ended "$pid"
	must "it is $(state_of 9)" wait_until $notice state_is 9 dead
	must "no deletion" "$server" --delete 9
	must "something is left" gone 9
	answer "without recovery, $options"

	# shellcheck disable=SC2086 # words are meant to be split
	launch --id 9 --file "$tmp/file" $spare --recovery reissue $options
	must "no load" verified_load
	kill -USR1 "$pid"
	must "the other threads go on" wait_until 5 ended "$pid"
	must "it is $(state_of 9)" wait_until $notice state_is 9 quiesced
	takes_over "$tmp/file"
	goes_on
	content
	must "no deletion" "$server" --delete 9
	answer "with recovery, $options"
done

done_testing
