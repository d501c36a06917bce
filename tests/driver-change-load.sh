# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --tool fio
# board: --mem 512M --timeout 1800
#
# The disk grows and shrinks under load, and its server is quiesced and
# replaced: users of the disk see no error, except beyond its new end.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

small=33554432
large=67108864
truncate -s $large "$tmp/file"

# resize BYTES: the new size is visible as soon as the command returns.
resize() {
	must "cannot be resized" "$server" --resize "$id" $(($1 / 512))
	is_size=$(blockdev --getsize64 "$dev")
	[ "$is_size" = "$1" ] || problem="$problem, $is_size bytes and not $1"
}
# at_end TEXT: a block after the end of the small disk can be written and read
# back, and is in the file.
at_end() {
	pattern "$1" 4096 >"$tmp/block"
	must "the end cannot be written" dd if="$tmp/block" of="$dev" bs=4k \
		seek=$((large / 4096 - 1)) oflag=direct 2>/dev/null
	for from in "$dev" "$tmp/file"; do
		dd if="$from" bs=4k skip=$((large / 4096 - 1)) count=1 \
			2>/dev/null | cmp -s "$tmp/block" - ||
			problem="$problem, $from ends with something else"
	done
}
# no_end: nothing can be read there.
no_end() {
	! dd if="$dev" of="$tmp/block" bs=4k skip=$((large / 4096 - 1)) \
		count=1 iflag=direct 2>/dev/null || [ ! -s "$tmp/block" ]
}

# resized OPTION...: a disk that grows and shrinks back while it is in use.
resized() {
	launch --id 11 --file "$tmp/file" --size $small "$@" ||
		{ fail "serve $*" "$(cat "$tmp/server")"; return; }
	must "no load" verified_load
	n=0
	while [ $n -lt "${ROUNDS:-3}" ] && [ -z "$problem" ]; do
		resize $large
		at_end "round $n"
		goes_on
		resize $small
		must "there is something behind the end" no_end
		goes_on
		n=$((n + 1))
	done
	content
	answer "$n times larger and smaller, $*"

	resize $large
	must "no load" load --offset=$small
	resize $small
	breaks_off
	not_stuck
	must "it is $(state_of 11)" state_is 11 live
	must "no load on the rest" verified_load
	content
	must "no deletion" "$server" --delete 11
	answer "requests behind the new end fail, $*"
}

# quiesced OPTION...: a disk whose servers are quiesced.
quiesced() {
	launch --id 11 --file "$tmp/file" --recovery reissue "$@" ||
		{ fail "serve $*" "$(cat "$tmp/server")"; return; }
	must "no load" verified_load
	n=0
	while [ $n -lt "${ROUNDS:-3}" ] && [ -z "$problem" ]; do
		must "cannot be quiesced" "$server" --quiesce 11 0
		seen_before=$(seen_requests)
		ends_with 0
		[ "$(seen_requests)" = "$seen_before" ] ||
			problem="$problem, requests are answered"
		must "it is $(state_of 11)" wait_until $notice state_is 11 quiesced
		takes_over "$tmp/file"
		goes_on
		n=$((n + 1))
	done
	content
	must "no deletion" "$server" --delete 11
	answer "$n times quiesced and replaced, $*"
}

for options in "--queues 1" "--queues 4 --need-get-data" \
	"--queues 2 --user-copy"; do
	! lacks "$options" || continue
	if offers update-size; then
		# shellcheck disable=SC2086 # words are meant to be split
		resized $options
	else
		skip "larger and smaller, $options" "not offered: update-size"
		skip "requests behind the new end, $options" \
			"not offered: update-size"
	fi
	if offers quiesce; then
		# shellcheck disable=SC2086 # words are meant to be split
		quiesced $options
	else
		skip "quiesced and replaced, $options" "not offered: quiesce"
	fi
done

# A server that answers nothing cannot be quiesced, unless it dies meanwhile.
kept() {
	grep -q 'keeps tag' "$tmp/server"
}
if offers quiesce; then
	pattern read 4096 >"$tmp/file"
	truncate -s $small "$tmp/file"
	ok "serve and be silent" launch --id 11 --file "$tmp/file" --silent \
		--recovery reissue
	dd if="$dev" of="$tmp/block" bs=4k count=1 iflag=direct 2>/dev/null &
	reader=$!
	must "there is no request" wait_until 20 kept
	fails 1 "a silent server is not quiesced" "$server" --quiesce 11 100
	is "$(state_of 11)" live "and stays"
	"$server" --quiesce 11 0 2>/dev/null &
	quiesce=$!
	loads="$loads $reader $quiesce"
	dies
	must "QUIESCE does not return" wait_until 2 ended $quiesce
	takes_over "$tmp/file"
	must "there is no answer" wait_until 10 ended $reader
	must "it is an error" wait $reader
	answer "but one that dies can be replaced"
	pattern read 4096 >"$tmp/wanted"
	same "$tmp/block" "$tmp/wanted" "and what it kept is read"
	ok "delete it" "$server" --delete 11
else
	skip "a silent server is not quiesced" "not offered: quiesce"
fi

done_testing
