# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool fio --mem 512M --timeout 3600
#
# Workers are killed again and again while fio writes and verifies, or while an
# image is read and compared: no errors, no lost data, nothing done twice.
# $ROUNDS is how often, for each kind of device.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

[ -n "$recovers" ] || skip_all "the driver has no recovery"
kills=${ROUNDS:-10}

truncate -s 16M "$tmp/file"
pattern image 8388608 >"$tmp/disk"
ublk pack "$tmp/disk" "$tmp/image.gz"
pattern large 16777216 | ublk pack - "$tmp/large.gz"

# verified: fio writes data that it recognizes, at random places, and reads it
# back, until it is told to end. It stops at the first error or difference.
verified() {
	exec fio --name=verified --filename="$dev" --size=12M --ioengine=libaio \
		--direct=1 --iodepth=16 --rw=randwrite --bs=4k-64k \
		--bsrange=4k-64k --verify=crc32c --verify_backlog=32 \
		--verify_fatal=1 --time_based --runtime=100000 \
		--randrepeat=0 --thread --output="$tmp/fio" \
		--output-format=terse --terse-version=3 2>"$tmp/fio.err"
}
# compared: the image is read with direct I/O and compared, until $tmp/end
# exists.
compared() {
	while [ ! -e "$tmp/end" ]; do
		dd if="$dev" bs=64k iflag=direct 2>"$tmp/dd" |
			cmp -s - "$tmp/disk" || return 1
		rounds=$((rounds + 1))
		echo $rounds >"$tmp/rounds"
	done
}
rounds=0

for device in "ram 16M" "ram 16M -q 2" "file $tmp/file" \
	"file $tmp/file -q 2" "file $tmp/file -q 2 --buffered -d 4" \
	"zimg $tmp/image.gz" "zimg $tmp/image.gz -q 2 --cache 256K" \
	"zimg $tmp/large.gz --cow 16M -q 2" \
	"file $tmp/file --cow $tmp/kept -q 2"; do
	# shellcheck disable=SC2086 # words are meant to be split
	serve $device
	server=$(server_of "$id")
	rm -f "$tmp/end" "$tmp/fio" "$tmp/rounds"
	case $device in
	*--cow* | [!z]*) verified & ;;
	*) compared & ;;
	esac
	load=$!
	done=0
	problem=''
	while [ $done -lt "$kills" ] && [ -z "$problem" ]; do
		# A request must be in flight when it dies.
		seen=$(requests)
		wait_until 20 more_requests || problem="no load after $done kills"
		worker=$(worker_of "$id")
		kill -KILL "$worker" || problem="worker $worker is not there"
		wait_until 20 another_worker || problem="no new worker"
		kill -0 $load 2>/dev/null || problem="the load has ended"
		done=$((done + 1))
	done
	touch "$tmp/end"
	case $device in
	*--cow* | [!z]*) kill -INT $load 2>/dev/null ;;
	esac
	status=0
	wait $load || status=$?
	case $device in
	zimg*gz | zimg*256K)
		[ $status = 0 ] || problem="$problem read $status: $(cat "$tmp/dd")"
		note "$device: $done kills, $(cat "$tmp/rounds") times compared"
		;;
	*)
		# When interrupted, fio exits with 128 and reports no error.
		error=$(grep '^3;' "$tmp/fio" | cut -d ';' -f 5)
		[ "${error:-none}" = 0 ] ||
			problem="$problem fio error $error: $(cat "$tmp/fio.err")"
		[ ! -s "$tmp/fio.err" ] ||
			problem="$problem fio: $(head -n 3 "$tmp/fio.err")"
		note "$device: $done kills, $(awk -F ';' '/^3;/ { print $6 }' "$tmp/fio") KiB read back"
		;;
	esac
	[ "$(server_of "$id")" = "$server" ] || problem="$problem another supervisor"
	if [ -z "$problem" ]; then
		pass "$device: $kills kills, no error, no difference"
	else
		fail "$device: $kills kills, no error, no difference" "$problem"
	fi
	stopped "$device: stop it" "$dev"
done

done_testing
