# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool fio --mem 1G
#
# Forced stop under load: requests in flight succeed or fail, and when the
# command returns nothing is left. That takes less than ten seconds or, on a
# board too busy for that, less than twice as long as the start of the load.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

before
truncate -s 64M "$tmp/file"

# under_load RW ARGUMENT...: serves, starts fio, and stops the device under it.
under_load() {
	rw=$1
	shift
	served "$rw on ublk $*" "$@" -n 5
	server=$(server_of "$id")
	fio --name=load --filename="$dev" --size=64M --ioengine=libaio \
		--direct=1 --iodepth=32 --numjobs=2 --rw="$rw" --bs=4k \
		--time_based --runtime=60 --thread >"$tmp/fio" 2>&1 &
	load=$!
	# The load runs when the disk has got requests.
	start=$(seconds)
	wait_until 20 seen_requests || fail "fio runs"
	good=$((2 * ($(seconds) - start)))
	[ $good -gt 10 ] || good=10
	sleep "$wait"
	start=$(seconds)
	run ublk stop --force "$dev"
	took=$(($(seconds) - start))
	if [ $status -eq 0 ] && nothing_of "$id" "$server"; then
		pass "stopped, and nothing is left"
	else
		fail "stopped, and nothing is left" "$(what_is)"
		seen
	fi
	[ $took -lt $good ] && pass "in good time" ||
		fail "in good time" "$took seconds of $good"
	# For a reader, a disk that is gone is an empty one, which is no error.
	[ "$rw" != randread ] || kill $load
	wait $load
	[ "$rw" = randread ] || like "$(cat "$tmp/fio")" "error=|err= *[1-9]" \
		"fio got an error and ended"
}
seconds() {
	cut -d . -f 1 /proc/uptime
}
seen_requests() {
	[ "$(awk '{ print ($1 + $5 > 100) }' "/sys/block/ublkb$id/stat")" = 1 ]
}

wait=0
for rw in randread randwrite; do
	for queues in 1 2; do
		under_load $rw null 64M -q $queues
		under_load $rw ram 64M -q $queues
		under_load $rw file "$tmp/file" -q $queues
	done
done
wait=0.7
under_load randrw ram 64M -q 2
under_load randrw file "$tmp/file" --buffered
leaves_nothing "nothing is left of all"

done_testing
