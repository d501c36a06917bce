# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: binutils
#
# `make size` accounts for the bytes of the program: libraries and directories
# add up to the size of the file, without its headers and padding.
. "${0%/*}/../lib.sh"

O=build/${ARCH:-$(uname -m)}

run tests/size
is "$status" 0 "it says what there is" || seen
bytes=$(wc -c <"$O/ublk")
is "$(echo "$out" | awk 'NR == 1 { print $1, $2 }')" "$bytes ublk," \
	"the program's bytes are those of the file"
# The parts are up to the empty line; their objects follow.
parts=$(echo "$out" | awk 'NR == 1 { next } !NF { exit } { sum += $1 }
	END { print sum + 0 }')
if [ "$parts" -gt $((bytes * 97 / 100)) ] && [ "$parts" -le "$bytes" ]; then
	pass "its parts are all of it"
else
	fail "its parts are all of it" "$parts of $bytes bytes"
fi
like "$out" '[0-9]+ libz.a inflate.o' "objects of libraries have their names"
like "$out" '[0-9]+ core/ queue.o' "and objects of directories"
O=$O/board
bytes=$(wc -c <"$O/ublk")
like "$out" "^ *$bytes board, stripped" "the board's program has its own"
is "$(echo "$out" | sed -n "/ board, stripped/,\$p" |
	grep -c 'commands/ pack.o')" 0 "in which nothing is of what it is without"
unlike "$(nm "$O/ublk.debug")" ' (deflate_compress|libdeflate_.*_compress|deflateInit)' \
	"and nothing that compresses"
fails 2 "an option that there is not" tests/size --parts

done_testing
