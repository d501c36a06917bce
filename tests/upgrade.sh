# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/slow
# board: --add $O/driver/strike --tool fio --mem 512M --timeout 900
#
# `ublk upgrade`: another program takes over a running device under load,
# without an error. If it does not start, the old one stays.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"

program_of() {
	readlink "/proc/$1/exe"
}
truncate -s 16M "$tmp/file"
pattern data 1048576 >"$tmp/data"
ublk pack "$tmp/data" "$tmp/image.gz"
cp "$(command -v ublk)" "$tmp/new"
# Another program of the same size that can be told from the first.
printf x >>"$tmp/new"

for target in "ram 8M" "file $tmp/file -q 2" "zimg $tmp/image.gz" \
	"file $tmp/file --cow 4M -q 2" "file $tmp/file --cow $tmp/kept"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$target" $target
	case $target in zimg*) ;; *) put "$dev" 0 <"$tmp/data" ;; esac
	cp "/run/ublk/$id" "$tmp/record"
	server=$(server_of "$id")
	worker=$(worker_of "$id")
	for round in 1 2 3; do
		ok "$target: upgrade it" ublk upgrade "$id" "$tmp/new"
		is "$out$err" "" "$target: in silence"
	done
	is "$(server_of "$id")" "$server" "$target: the server's number stays"
	runs "$worker" && fail "$target: the old worker is gone" ||
		pass "$target: the old worker is gone"
	like "$(program_of "$server")" "^/memfd:ublk" \
		"$target: the supervisor is the new program"
	is "$(wc -c <"/proc/$(worker_of "$id")/exe")" "$(wc -c <"$tmp/new")" \
		"$target: and so is the worker"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"$target: all is there"
	is "$(grep -v '^worker' "/run/ublk/$id")" \
		"$(grep -v '^worker' "$tmp/record")" \
		"$target: the record says the same"
	# Afterwards, the device is supervised as before.
	kill -KILL "$(worker_of "$id")"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"$target: a worker of the new program is replaced"
	stopped "$target: stop it" "$dev"
done
[ ! -e /run/ublk.memory ] && pass "its memory goes back" ||
	fail "its memory goes back"

# Programs that do not start.
served "a disk" ram 8M
put "$dev" 0 <"$tmp/data"
server=$(server_of "$id")
printf '#!/bin/sh\nexit 1\n' >"$tmp/script"
head -c 2000 "$tmp/new" >"$tmp/half"
chmod +x "$tmp/script" "$tmp/half"
fails 1 "a script is refused" ublk upgrade "$id" "$tmp/script"
fails 1 "a program that is not there" ublk upgrade "$id" "$tmp/none"
for bad in /bin/busybox "$tmp/half"; do
	fails 1 "${bad##*/} in its place" ublk upgrade "$id" "$bad"
	like "$err" "device $id: goes on with the old program" "and that is said"
	is "$(server_of "$id")" "$server" "the supervisor is the same"
	is "$(program_of "$(worker_of "$id")")" "$(command -v ublk)" \
		"and its program"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" \
		"all is there"
done
ok "then a good one" ublk upgrade "/dev/ublkb$id"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"

# One that starts slowly, such as one that reads a large gzip file.
cp "${0%/*}/slow" "$tmp/slow"
ln -s "$tmp/new" /tmp/slow.program
at_exit 'rm -f /tmp/slow /tmp/slow.program'
echo 40 >/tmp/slow
ok "one that takes 40 seconds" ublk upgrade "$id" "$tmp/slow"
is "$err" "" "is waited for"
is "$(server_of "$id")" "$server" "the supervisor is the same"
is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$tmp/data")" "all is there"

# The request goes to no stranger that has the pid by then.
run "${0%/*}/strike" 1 -a -c rt_sigqueueinfo -e EPERM -o "$tmp/call" \
	ublk upgrade "$id"
is $status 3 "it is not sent to a number"

# A device without a supervisor, and --all.
other=$dev
served "one that nobody supervises" ram 1M --no-supervise
fails 1 "is not upgraded" ublk upgrade "$id"
like "$err" "is not supervised" "and that is said"
ok "all others are" ublk upgrade --all
kill -35 "$(server_of "$id")" "$server"
sleep 0.2
like "$(ublk list)" "^$id .* live" "a signal that asks for nothing does nothing"
like "$(ublk list)" "^${other#/dev/ublkb} .* live .* yes " \
	"to the other one neither"
stopped "stop it" "$dev"
stopped "stop the other one" "$other"
fails 1 "no such device" ublk upgrade 77
fails 2 "no device named" ublk upgrade
fails 2 "neither with a program" ublk upgrade "$tmp/new"

# The messages of the new supervisor are shown.
served "a disk" ram 1M
ok "upgrade it" ublk upgrade "$id"
dmesg -c >/dev/null
worker=$(worker_of "$id")
kill -KILL "$worker"
wait_until 10 sh -c "dmesg | grep -q 'device $id: the server was killed'"
like "$(dmesg | grep ublk:)" "ublk: device $id: the server was killed by signal 9; process" \
	"the kernel's log has what the new supervisor says"
stopped "stop it" "$dev"

# Several upgrades at the same time are done one after another.
served "a disk" ram 1M
for round in 1 2 3 4; do
	ublk upgrade "$id" &
	eval "upgrade$round=$!"
done
for round in 1 2 3 4; do
	ok "upgrade $round of four at once" eval "wait \$upgrade$round"
done
stopped "stop it" "$dev"

# Under load.
for target in "ram 16M -q 2" "file $tmp/file"; do
	# shellcheck disable=SC2086 # words are meant to be split
	served "$target under load" $target
	fio --name=load --filename="$dev" --size=12M --ioengine=libaio \
		--direct=1 --iodepth=16 --rw=randwrite --bs=4k-64k \
		--verify=crc32c --verify_backlog=32 --verify_fatal=1 \
		--time_based --runtime=100000 --randrepeat=0 --thread \
		--output="$tmp/fio" --output-format=terse --terse-version=3 \
		2>"$tmp/fio.err" &
	load=$!
	sleep 1
	for round in 1 2 3 4 5 6; do
		ok "$target: upgrade $round" ublk upgrade "$id" "$tmp/new"
		sleep 0.3
	done
	kill -0 $load && pass "$target: the load goes on" ||
		fail "$target: the load goes on"
	kill -INT $load
	wait $load
	is "$(sed -n 's/^3;[^;]*;[^;]*;[^;]*;\([^;]*\);.*/\1/p' "$tmp/fio")$(cat \
		"$tmp/fio.err")" 0 \
		"$target: it saw no error and no difference"
	stopped "$target: stop it" "$dev"
done

done_testing
