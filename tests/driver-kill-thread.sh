# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add build/x86_64/driver/server --tool fio
# board: --mem 512M --timeout 300
#
# One thread of many ends, under load: the device is as if all of the server had,
# the other threads are told, and the requests of all queues are answered. Where all
# that it fetched is being served, the block layer's timer finds it: a request runs
# out after one second, and the timer comes on whole seconds, so after two at most.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

# Its one queue fails, the device stays live and the other threads serve on.
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
