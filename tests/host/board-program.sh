# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools e2fsprogs fdisk cpio
#
# The program of `make board`: it says what was left out, and boots a board
# whose root it serves.
. "${0%/*}/../lib.sh"
TESTS_PROGRAM=build/${ARCH:-x86_64}/board/ublk
. "${0%/*}/board.lib"

ublk=$TESTS_PROGRAM
all=build/${ARCH:-x86_64}/ublk

ok "help" "$ublk" help
said=$(sed -n 's/^Built without: //p' "$tmp/out" | tr -d ,)
is "$(echo "$said" | tr ' ' '\n' | sort | tr '\n' ' ')" \
	"bench check gzip hosted index info manual network pack stat unpack " "it names what is left out"
for verb in bench check index info pack stat unpack; do
	fails 2 "$verb" "$ublk" "$verb" a b
	like "$err" "$verb: this program was built without it" "it says why"
	is "$("$ublk" help | grep -c "^  $verb ")" 0 "help does not list it"
done
fails 2 "a verb that there is nowhere" "$ublk" nonesuch
like "$err" "unknown verb" "is told from these"
ok "help of the whole program" "$all" help
is "$(grep -c "Built without" "$tmp/out")" 0 "which lacks nothing"
"$ublk" help file >"$tmp/short"
"$all" help file >"$tmp/long"
like "$(cat "$tmp/short")" "--cow SIZE|FILE" "options are explained"
[ "$(wc -c <"$tmp/short")" -lt "$(wc -c <"$tmp/long")" ] &&
	pass "in fewer words" || fail "in fewer words"
printf 'not by us' | gzip >"$tmp/other.gz"
fails 1 "a gzip of others" "$ublk" zimg "$tmp/other.gz"
like "$err" "built without support for other gzip files" "is refused with the reason"
is "$(($(wc -c <"$ublk") < $(wc -c <"$all") * 3 / 4))" 1 \
	"it weighs less than three quarters of the whole"

new_root root <<'INIT'
echo "served $(ublk list | sed 1d)"
echo "lacks $(ublk help | sed -n "s/^Built without: //p")"
cd / && sha256sum -c /sums >/run/sums 2>&1 && echo "files $(wc -l </run/sums)"
off
INIT
fill root 20
squashfs root
pack "$tmp/root.squashfs"
initramfs "$tmp/root.squashfs.gz"
boot ''
shows '^served 0 +/dev/ublkb0 +live +zimg ' "it boots a board, and serves the root"
shows "^lacks .*pack" "the program is that one"
shows "^files $files$" "every file is as it was made"
went_off "the board"

done_testing
