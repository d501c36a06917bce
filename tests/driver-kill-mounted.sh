# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --mem 512M
# board: --tool mkfs.ext4 --tool e2fsck --timeout 300
#
# The server is killed under a mounted ext4 that is being written: the writers
# end; sync, umount and the deletion return; and the server's file has a
# filesystem that its journal repairs.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

mkdir "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'

# writer NUMBER: writes files until it sees an error.
writer() {
	n=0
	while head -c 100000 /dev/zero >"$tmp/mnt/$1.$n" &&
		sync "$tmp/mnt/$1.$n"; do
		n=$(((n + 1) % 50))
	done 2>/dev/null
}
written() {
	[ "$(find "$tmp/mnt" -name '[12].*' | wc -l)" -ge 20 ]
}
returned() {
	[ -e "$tmp/$1" ]
}

for options in "--queues 1" "--queues 4" "--queues 2 --need-get-data" \
	"--queues 2 --recovery fail"; do
	! lacks "$options" || continue
	rm -f "$tmp/file" "$tmp/synced" "$tmp/unmounted"
	truncate -s 64M "$tmp/file"
	# shellcheck disable=SC2086 # words are meant to be split
	launch --id 10 --file "$tmp/file" $spare $options ||
		{ fail "serve $options" "$(cat "$tmp/server")"; continue; }
	must "no filesystem" mkfs.ext4 -q -F "$dev"
	must "no mount" mount "$dev" "$tmp/mnt"
	writer 1 &
	one=$!
	writer 2 &
	two=$!
	loads="$loads $one $two"
	must "nothing is written" wait_until 20 written
	kill -KILL "$pid"
	must "the server does not end" wait_until $notice ended "$pid"
	(sync; : >"$tmp/synced") &
	must "sync does not return" wait_until 5 returned synced
	must "the first writer goes on" wait_until 5 ended $one
	must "the second writer goes on" wait_until 5 ended $two
	kill $one $two 2>/dev/null
	(umount "$tmp/mnt" && : >"$tmp/unmounted") 2>/dev/null &
	must "umount does not return" wait_until 10 returned unmounted
	not_stuck
	must "no deletion" "$server" --delete 10
	must "something is left" gone 10
	e2fsck -fy "$tmp/file" >"$tmp/fsck" 2>&1
	[ $? -le 1 ] || problem="$problem, fsck: $(cat "$tmp/fsck")"
	must "not clean after that" e2fsck -fn "$tmp/file" >"$tmp/fsck" 2>&1
	answer "killed with $options"
done

done_testing
