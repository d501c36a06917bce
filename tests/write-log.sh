# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# kernel: tests
# board: --add tests/devices.lib --add $O/driver/writer
# board: --add $O/driver/replay --tool dmsetup --tool mkfs.ext4
# board: --tool e2fsck --disk 16M --disk 128M --disk 16M --disk 16M
# board: --mem 512M --timeout 900
#
# Below a disk of `ublk file`, the device mapper's log-writes records what
# reaches the storage, in which order, and where a FLUSH, a write with O_DSYNC
# or an fsync above had returned. Replayed up to any of these points, the
# storage has everything that was acknowledged before. ROUNDS=4 sets how much is
# written.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

programs=${0%/*}
[ -x "$programs/writer" ] || programs=build/$(uname -m)/driver
writer=$programs/writer
replay=$programs/replay
ROUNDS=${ROUNDS:-4}

# The storage, its log, the replayed storage, and a copy of that, which may be
# repaired.
storage=/dev/vda log=/dev/vdb replayed=/dev/vdc copy=/dev/vdd
[ -b $copy ] || skip_all "no disks"
mkdir "$tmp/below" "$tmp/above"
# Nothing else creates the node.
export DM_DISABLE_UDEV=1
at_exit 'dmsetup remove log 2>/dev/null'
at_exit 'umount "$tmp/above" "$tmp/below" 2>/dev/null'
at_exit 'stop_started'

# begin: creates /dev/mapper/log, which is logged from its first write on.
begin() {
	for disk in $storage $log $replayed; do
		dd if=/dev/zero of=$disk bs=1M 2>/dev/null
	done
	: >"$tmp/acked"
	ok "a log" dmsetup create log --table \
		"0 $(blockdev --getsz $storage) log-writes $storage $log"
}

# write_to STEPS REGION...: fills the regions, then writes to all of them at the
# same time.
write_to() {
	steps=$1
	shift
	ok "fill" "$writer" fill "$@"
	sync
	dmsetup message log 0 mark filled
	writers=''
	for region; do
		"$writer" mark log "$steps" "$region" &
		writers="$writers $!"
	done
	problem=''
	for process in $writers; do
		wait "$process" || problem="a writer failed"
	done
	is "$problem" '' "write"
}

# promises NAME POINTS LOOK: replays the log, and calls LOOK at each of the
# POINTS, which are kinds of entries, after the regions were filled.
promises() {
	at=0 text='' filled='' points=0 problem=''
	until [ "$text" = dm-log-writes-end ] || [ "$problem" ]; do
		step=$("$replay" $log "$at" $replayed 2>&1) || {
			problem=$step
			break
		}
		at=${step%% *}
		point=${step#* }
		text=${point#mark }
		case $text in
		filled) filled=1 ;;
		ack*) echo "$text" >>"$tmp/acked" ;;
		esac
		case " $2 " in *" ${point%% *} "*) ;; *) continue ;; esac
		[ "$filled" ] || continue
		points=$((points + 1))
		$3 >"$tmp/seen" 2>&1 || problem="$step: $(cat "$tmp/seen")"
	done
	is "$problem" '' "$1"
	note "$points points, $(wc -l <"$tmp/acked") promises"
}

# copied MOUNTPOINT: mounts a checked copy of the replayed storage: nothing but
# the journal needed a replay.
copied() {
	dd if=$replayed of=$copy bs=1M 2>/dev/null &&
		e2fsck -y -E journal_only $copy &&
		e2fsck -fn $copy &&
		mount -t ext4 $copy "$1"
}

begin
served "a disk of it" file /dev/mapper/log
device_regions() {
	echo "first:flush:$1:0:262144 second:flush:$1:1048576:262144"
	echo "third:dsync:$1:2097152:262144"
}
# shellcheck disable=SC2046 # words are meant to be split
write_to $((ROUNDS * 15)) $(device_regions "$dev")
stopped "stop it" "$dev"
ok "end the log" dmsetup remove log
look() {
	# shellcheck disable=SC2046 # words are meant to be split
	"$writer" check "$tmp/acked" $(device_regions $replayed)
}
promises "at each FLUSH, FUA and mark all that was acknowledged is on the device" \
	"flush fua mark" look

begin
served "a disk of it" file /dev/mapper/log
mkfs.ext4 -q -b 4096 -J size=4 -E nodiscard "$dev"
mount -t ext4 "$dev" "$tmp/above"
above="fua:dsync:$tmp/above/fua:0:262144 files:files:$tmp/above/files"
# shellcheck disable=SC2086 # words are meant to be split
write_to $((ROUNDS * 3)) $above
umount "$tmp/above"
stopped "stop it" "$dev"
ok "end the log" dmsetup remove log
look() {
	# shellcheck disable=SC2086 # words are meant to be split
	copied "$tmp/above" && "$writer" check "$tmp/acked" $above &&
		umount "$tmp/above"
}
promises "at each mark all that was acknowledged is in the filesystem" mark look

begin
mkfs.ext4 -q -b 4096 -J size=4 -E nodiscard /dev/mapper/log
mount -t ext4 /dev/mapper/log "$tmp/below"
truncate -s 4M "$tmp/below/file"
served "a disk of a file on it" file "$tmp/below/file"
# shellcheck disable=SC2046 # words are meant to be split
write_to $((ROUNDS * 3)) $(device_regions "$dev")
stopped "stop it" "$dev"
umount "$tmp/below"
ok "end the log" dmsetup remove log
look() {
	# shellcheck disable=SC2046 # words are meant to be split
	copied "$tmp/below" && "$writer" check "$tmp/acked" \
		$(device_regions "$tmp/below/file") && umount "$tmp/below"
}
promises "at each mark all that was acknowledged is in the file" mark look

done_testing
