# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add packaging --timeout 600
#
# Disks that are described in files are started, recovered and stopped by the script
# that all init systems use, and their names for udev say what they are made of.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

packaging=${0%/*}/packaging
[ -d "$packaging" ] || packaging=${0%/*}/../packaging
mkdir "$tmp/conf" "$tmp/libexec"
cp "$packaging/service/ublk-service" "$tmp/libexec"
export UBLK_CONF="$tmp/conf" UBLK_RUN="$tmp/run"
service() {
	sh "$tmp/libexec/ublk-service" "$@"
}
served_id() {
	node=$(service status "$1")
	id=${node#/dev/ublkb}
	started="$started $node"
}

truncate -s 8M "$tmp/my disk"
cat >"$tmp/conf/data.conf" <<CONF
# A comment, and an empty line

file "$tmp/my disk"
  --id 17 --cow 2M
CONF
is "$(service words data)" "file
$tmp/my disk
--id
17
--cow
2M" "the words of a description"
echo "ram 4M" >"$tmp/conf/small.conf"
is "$(service names)" "data
small" "the names there are"
fails 6 "no description is an error" service start none
fails 2 "so is a path for a name" service start ../data
fails 2 "no time" service stop data soon
fails 2 "or a verb that there is not" service begin data
echo 'file "a' >"$tmp/conf/bad.conf"
fails 6 "or a quote that does not end" service start bad
rm "$tmp/conf/bad.conf"
run service status data
is "$status $out" "3 " "what is not started has no status"

ok "start one" service start data
is "$out" "" "it says nothing"
served_id data
is "$node" /dev/ublkb17 "its node is the one of its description"
is "$(cat "$tmp/run/data.pid")" "$(server_of 17)" "the file for init has its server"
pattern data 1048576 >"$tmp/data"
put "$node" 0 <"$tmp/data"
pid=$(server_of 17)
ok "start it again" service start data
is "$(server_of 17)" "$pid" "changes nothing"

kill -KILL "$pid" "$(worker_of 17)"
quiesced() {
	ublk list 17 | grep -q ' quiesced '
}
ok "its servers are killed" wait_until 20 quiesced
ok "start it" service start data
unlike "$(server_of 17)" "^$pid\$" "gives it another server"
is "$(cat "$tmp/run/data.pid")" "$(server_of 17)" "which init is told"
is "$(read_back /dev/ublkb17 1048576 | sum -)" "$(sum "$tmp/data")" \
	"and it has what was written"

ln -s "$(command -v ublk)" "$tmp/libexec/@ublk"
kill -KILL "$(server_of 17)" "$(worker_of 17)"
ok "killed, and started at once, with a name for systemd" service start data
is "$(head -c 1 "/proc/$(server_of 17)/cmdline")$(head -c 1 "/proc/$(worker_of 17)/cmdline")" \
	"@@" "both processes begin with @"
ok "upgrade it" ublk upgrade 17
is "$(head -c 1 "/proc/$(server_of 17)/cmdline")$(head -c 1 "/proc/$(worker_of 17)/cmdline")" \
	"@@" "they still do"

sleep 1000 </dev/ublkb17 &
holder=$!
at_exit "kill $holder 2>/dev/null"
service stop data 2>"$tmp/words" &
stopping=$!
ok "stopping one in use says why not" wait_until 20 \
	grep -q 'data: .*device 17 is in use: open in process' "$tmp/words"
kill -0 $stopping && pass "and waits" || fail "and waits"
fails 1 "or only for so long" service stop data 1
[ -b /dev/ublkb17 ] && pass "and the disk stays" || fail "and the disk stays"
kill $holder
wait $stopping
is "$?" 0 "until nobody uses it"
[ ! -e /dev/ublkb17 ] && pass "then it is gone" || fail "then it is gone" "$(ublk list)"
[ ! -e "$tmp/run" ] && pass "nothing is remembered" || fail "nothing is remembered" \
	"$(ls "$tmp/run")"
ok "stopping what is not there" service stop data

ok "one whose number is not given" service start small
served_id small
like "$node" '^/dev/ublkb[0-9]+$' "has a node"
ok "that is stopped by hand" ublk stop "$node"
ok "is started anew" service start small
served_id small
[ -b "$node" ] && pass "and there" || fail "and there"
ok "the script of BusyBox's init stops all" env UBLK_SERVICE="$tmp/libexec/ublk-service" \
	sh "$packaging/busybox/ublk" stop
[ ! -e "$node" ] && pass "it is gone" || fail "it is gone"
ok "and starts all" env UBLK_SERVICE="$tmp/libexec/ublk-service" \
	sh "$packaging/busybox/ublk" start
served_id small
served_id data
ok "and shows them" env UBLK_SERVICE="$tmp/libexec/ublk-service" \
	sh "$packaging/busybox/ublk" status
is "$out" "$(service status data)
$(service status small)" "by their nodes"

# identity N: the name for /dev/disk/by-id.
identity() {
	sh "$packaging/udev/ublk-id" identity "$1" | sed -n 's/^ID_UBLK=//p'
}
like "$(identity 17)" "^$(echo "${tmp#/}" | tr / -)-my_disk-[0-9a-f]{8}\$" \
	"a name for udev, with a checksum where the path has other letters"
service status small >"$tmp/node"
is "$(identity "$(sed s,/dev/ublkb,, "$tmp/node")")" "" "a disk in memory has none"
truncate -s 8M "$tmp/disk.img" "$tmp/disk.cow"
served "another" file "$tmp/disk.img" --offset 4M --cow "$tmp/disk.cow"
plain=$(echo "${tmp#/}" | tr / -)
is "$(identity "$id")" "$plain-disk.img-at-4194304-cow-$plain-disk.cow" \
	"offset and changes belong to it"
stopped "stop it" "$dev"
service stop data
service stop small
done_testing
