# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool jq --tool script --timeout 300
#
# `ublk list` shows the existing devices, to people and to programs. A script
# can read a device's record.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -z "$(what_is)" ] || skip_all "there are devices already"

ok "list nothing" ublk list
is "$out$err" "" "prints nothing"
ok "list nothing in JSON" ublk list --json
is "$out" "[]" "is an empty array"
fails 1 "a device that is not there" ublk list 3
fails 1 "the same in JSON" ublk list --json /dev/ublkb3
is "$(jq -c . "$tmp/out")" "[]" "is an empty array"
for name in x -5 /dev/sda ublkb ublkbx /dev/ublkb0x 0x0 1.5 99999999999 ""; do
	run ublk list -- "$name"
	is $status 2 "list '$name' is wrong usage"
done

truncate -s 3M "$tmp/a \"name\", with \\ and 	tab"
served "one to be listed" ram 64M -n 5
served "another" file "$tmp/a \"name\", with \\ and 	tab" -n 12 -r -q 2 -d 7
served "a third" null 1536M -n 2

supervised=yes
[ -n "$recovers" ] || supervised=no
ok "list" ublk list
head=$(head -n 1 "$tmp/out")
is "$(echo $head)" "ID NODE STATE TARGET SIZE QUEUES PID SUPERVISED ARGUMENT" \
	"has a heading of its columns"
is "$(awk 'NR > 1 { print $1 }' "$tmp/out" | tr '\n' ' ')" "2 5 12 " \
	"is in the order of numbers"
like "$out" "^2 +/dev/ublkb2 +live +null +1.5G +1 +$(server_of 2) +$supervised +1536M\$" \
	"one line each"
like "$out" "^5 +/dev/ublkb5 +live +ram +64M +1 +$(server_of 5) +$supervised +64M\$" \
	"with what was asked for"
like "$out" "^12 +/dev/ublkb12 +live +file +3M +2 +$(server_of 12) +$supervised +$tmp/a .*\(read only\)\$" \
	"and says what is read only"
# The first seven columns are aligned in all lines.
is "$(awk '{ print match($0, /[^ ]+ +[^ ]+ +[^ ]+ +/) RLENGTH }' "$tmp/out" |
	sort -u | wc -l)" 1 "columns stand below each other"
unlike "$out" "$(printf '\033')" "no terminal's codes in a pipe"
ok "list two of them" ublk list 12 /dev/ublkb5
is "$(awk 'NR > 1 { print $1 }' "$tmp/out" | tr '\n' ' ')" "12 5 " "as named"
ok "by other names" ublk list ublkb2 /dev/ublkc5
fails 1 "one that is there, one not" ublk list 5 6
like "$out" "^5 " "the first is shown"
like "$err" "^ublk: 6: no such device" "the second is missed"

ok "list in JSON" ublk list --json
ok "is JSON" jq -e . "$tmp/out"
ublk list --json >"$tmp/json"
# json FILTER: prints the result.
json() {
	jq -rc "$1" "$tmp/json"
}
is "$(json 'map(.id)')" "[2,5,12]" "of three"
is "$(json '.[0] | keys_unsorted')" \
	'["id","node","state","target","argument","size","read_only","queues","depth","pid","supervised","owner","group","waiting"]' \
	"each with all there is to say"
is "$(json '.[0] | del(.pid, .supervised)')" \
	'{"id":2,"node":"/dev/ublkb2","state":"live","target":"null","argument":"1536M","size":1610612736,"read_only":false,"queues":1,"depth":64,"owner":0,"group":0,"waiting":false}' \
	"the first"
is "$(json '.[2] | [.size, .read_only, .queues, .depth]')" '[3145728,true,2,7]' \
	"the third"
is "$(json '.[2].argument')" "$tmp/a \"name\", with \\ and 	tab" \
	"the name is exact"
is "$(json '.[1].pid')" "$(server_of 5)" "and the process"
ublk list --json 5 >"$tmp/json"
is "$(json 'map(.id)')" "[5]" "JSON of one"

run script -qec "ublk list" /dev/null
like "$out" "^$(printf '\033')\\[4mID .*$(printf '\033')\\[0m" \
	"a terminal gets a heading that stands out"
run sh -c 'ublk list >/dev/full'
is $status 1 "a full output is a failure"
like "$err" "standard output: No space left" "and says so"

# The record.
is "$(sed -n 's/=.*//p' /run/ublk/5 | sort | uniq -d)" "" \
	"no key is twice in a record"
is "$(sed -n 's/=.*//p' /run/ublk/12 | sort | uniq -d)" "" \
	"nor in one with options of its target"
is "$(grep -vcE '^[a-z_]+=' /run/ublk/12)" 0 "it is key=value lines"
(
	. /run/ublk/5
	echo "$id $node $target $argument $size $queues $depth $read_only $pid"
) >"$tmp/values"
is "$(cat "$tmp/values")" "5 /dev/ublkb5 ram 64M 67108864 1 64 0 $(server_of 5)" \
	"a script can read it"
truncate -s 2M "$tmp/file"
served "a part of a file" file "$tmp/file" --offset 4096 --size 1M
is "$(. "/run/ublk/$id"; echo "$size")" 1048576 "its record has the disk's size"
stopped "stop it" "$dev"
served "a file" file "$tmp/file"
is "$(. "/run/ublk/$id"; echo "$size")" 2097152 "its record has the disk's size"
stopped "stop it" "$dev"
is "$(stat -c '%a %U' /run/ublk/5)" "644 root" "everybody may read it"
is "$(ls -A /run/ublk | sort -n | tr '\n' ' ')" "2 5 12 " \
	"nothing else is in the folder"

# Whatever a name contains, a script that sources the record gets it, and
# executes nothing.
mkdir "$tmp/names"
cd "$tmp/names" || exit
n=100
for file in "x;touch PWNED" '$(touch PWNED)`touch PWNED`' "a'; touch PWNED; '" \
	' "two"  spaces\ $HOME * ~ #x & | < > ' \
	"$(printf '\033[31mred\ttab Straße 日本')" \
	"$(printf 'no\377utf\303')"; do
	truncate -s 64K "./$file"
	n=$((n + 1))
	served "a file $n" file -n $n --cow "./cow $file" -- "./$file"
	got=$(. "/run/ublk/$n"; printf '%s|%s|%s' "$argument" "$file_cow" "$id")
	is "$got" "$tmp/names/$file|$tmp/names/./cow $file|$n" \
		"the name of file $n is exact"
	ok "it is listed" ublk list --json $n
	jq -r '.[0].argument' "$tmp/out" >"$tmp/argument"
	case $file in
	no*) is "$(jq -r '.[0].argument' "$tmp/out")" \
		"$tmp/names/$(printf 'no\357\277\275utf\357\277\275')" \
		"what is no UTF-8 is replaced in JSON" ;;
	*) is "$(jq -r '.[0].argument' "$tmp/out")" "$tmp/names/$file" \
		"in JSON, too" ;;
	esac
	if [ -n "$recovers" ]; then
		kill -KILL "$(server_of $n)" "$(worker_of $n)"
		ok "it is found again" ublk recover $n
	fi
	stopped "stop it" "$dev"
done
[ ! -e PWNED ] && [ ! -e /PWNED ] && pass "no name was run" ||
	fail "no name was run"
cd /
truncate -s 64K "$tmp/names/two
lines"
ln -s "$tmp/names/two
lines" "$tmp/names/link"
fails 1 "a link to a name of two lines" ublk file "$tmp/names/link"
like "$err" "newline" "is refused"

# Everybody can read a record, and nobody can write it.
for mask in 000 077 777; do
	rm -rf "$tmp/saved"
	cp -a /run/ublk "$tmp/saved"
	rm -r /run/ublk
	umask $mask
	serve null 1M -n 99
	umask 022
	is "$(stat -c %a /run/ublk /run/ublk/99 | tr '\n' ' ')" "755 644 " \
		"umask $mask changes nothing of it"
	stopped "stop it" "$dev"
	cp -a "$tmp/saved/." /run/ublk
done

# Errors in /run/ublk.
mkdir /run/ublk/7
echo x >/run/ublk/x
echo x >/run/ublk/-1
printf 'id=9\npid=1\nstarted=1\ntarget=ram\nargument=1M\nsize=1048576\n' \
	>/run/ublk/9
printf '\0\377\n=\n\nsize' >/run/ublk/10
ok "list with strange records" ublk list
like "$out" "^9 +/dev/ublkb9 +gone +ram +1M +0 +- +no +1M" "a stale one is gone"
unlike "$out" "^(x|-1) " "other files are none"
ok "and in JSON" ublk list --json
ok "is JSON" jq -e . "$tmp/out"
rm -r /run/ublk/7 /run/ublk/x /run/ublk/-1
ok "a stale record can be stopped" ublk stop 9 10
is "$(ls -A /run/ublk | sort -n | tr '\n' ' ')" "2 5 12 " "and is gone"

# A device whose record is gone.
server=$(server_of 5)
pid=$(worker_of 5)
rm /run/ublk/5
ok "list without a record" ublk list
like "$out" "^5 +/dev/ublkb5 +live +- +64M +1 +${pid:-$server} +no +-\$" \
	"is all that is known"
ok "stop it" ublk stop 5
ended() {
	! runs "$server"
}
wait_until 5 ended && pass "its server is gone" || fail "its server is gone"
rm -r /run/ublk
ok "list without the folder" ublk list
is "$(awk 'NR > 1 { print $1, $4 }' "$tmp/out" | tr '\n' ' ')" "2 - 12 - " \
	"shows what the driver has"
ok "stop them" ublk stop --all
is "$(what_is)" "" "nothing is left"

done_testing
