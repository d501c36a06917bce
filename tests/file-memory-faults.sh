# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/strike --tool dd
# board: --tool blkdiscard --timeout 600
#
# A file in memory is read and written by system calls of the queue itself. When
# one fails, the request that needed it fails with that error, and no other; one
# that was interrupted is made again.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

pattern data 65536 >"$tmp/data"
pattern more 4096 >"$tmp/more"
cp "$tmp/data" "$tmp/file"

# with CALL ERROR COMMAND...: run, while the next such call of the server fails.
with() {
	: >"$tmp/call"
	call=$1 error=$2
	shift 2
	process=$(worker_of "$id")
	run "${0%/*}/strike" 1 -p "${process:-$(server_of "$id")}" \
		-c "$call" -e "$error" -o "$tmp/call" "$@"
}

# fails_once NAME REGEX CALL ERROR COMMAND...: checks that the command fails, with
# such a message, and when it is repeated does not.
fails_once() {
	name=$1 regex=$2
	shift 2
	with "$@"
	is "$(cat "$tmp/call")" "$1" "$name: $1 fails"
	[ $status -ne 0 ] && pass "$name: so does the request" ||
		{ fail "$name: so does the request"; seen; }
	like "$err" "$regex" "$name: with its error"
	shift 2
	ok "$name: once" "$@"
}

read_it="dd if=\$dev of=$tmp/got bs=8k count=8 iflag=direct"
write_it="dd if=$tmp/more of=\$dev bs=4k seek=1 oflag=direct conv=notrunc"
for options in "" "--cow $tmp/kept"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "a file in memory $options" file "$tmp/file" $options
	watch_server
	# What is read comes from the file itself, and what is written goes to
	# FILE if there is one.
	eval "fails_once 'a read' 'Input/output error' pread64 EIO $read_it"
	eval "fails_once 'a write' 'No space left' pwrite64 ENOSPC $write_it"
	eval "fails_once 'another' 'Input/output error' pwrite64 EIO $write_it"
	fails_once "a FLUSH" "Input/output error" fsync EIO \
		dd if=/dev/null of="$dev" conv=notrunc,fsync
	fails_once "a discard" "Input/output error" fallocate EIO \
		blkdiscard -o 16384 -l 8192 "$dev"
	{
		head -c 4096 "$tmp/data"
		cat "$tmp/more"
		tail -c +8193 "$tmp/data" | head -c 8192
		head -c 8192 /dev/zero
		tail -c +24577 "$tmp/data"
	} >"$tmp/want"
	eval "with pread64 EINTR $read_it"
	is "$status $(cat "$tmp/call")" "0 pread64" "a read that is interrupted"
	same "$tmp/got" "$tmp/want" "is made again, and all is there"
	same_server "the server has been live through all that"
	stopped "stop it" "$dev"
	[ -n "$options" ] || same "$tmp/file" "$tmp/want" "the file has the same"
	cp "$tmp/data" "$tmp/file"
done

done_testing
