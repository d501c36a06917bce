# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: e2fsprogs e2fsck-static fdisk cpio
#
# The power of a board is cut (QEMU is killed) while it writes to disks that
# `ublk file` serves, from a file on ext4 and from a bare disk. Everything for
# which a FLUSH, a FUA write or an fsync had returned is there at the next boot,
# and every other sector is old or new.
#
# At the cut, the board's own disks forget what was not flushed: each is an
# image behind tests/driver/forgetful.c. Finally one of them ignores FLUSH,
# which must be found.
#
#   ROUNDS=4     cuts, half a minute for four
#   SEED=        for their moments and for what is lost; random by default
#   OPTIONS=     of `ublk file`, separated by commas: --buffered,--queues=2
#   COW=1        over a read-only file, with --cow: writes are stored in the
#                file, and on the bare disk
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

ROUNDS=${ROUNDS:-4}
SEED=${SEED:-$(date +%s)}
programs=$O/driver
for program in writer forgetful; do
	[ -x "$programs/$program" ] ||
		skip_all "no $programs/$program: run make driver-programs"
done
note "SEED=$SEED ROUNDS=$ROUNDS OPTIONS=${OPTIONS:-} COW=${COW:-}"
at_exit 'end_all'
processes=''

# A killed `timeout` would leave its QEMU running.
end_all() {
	cut_power
	# shellcheck disable=SC2086 # words are meant to be split
	[ -z "$processes" ] || kill $processes 2>/dev/null
}

# The disk that ublk serves: a partition for writers, and one with a filesystem.
mkdir "$tmp/outer" "$tmp/files"
ext4 files 24M -b 4096 -J size=4 -E nodiscard
gpt "$tmp/files.ext4" files
mv "$tmp/disk" "$tmp/bare"
cp --sparse=always "$tmp/bare" "$tmp/outer/disk"
ext4 outer 64M -b 4096 -J size=4 -E nodiscard
mv "$tmp/outer.ext4" "$tmp/file"
if [ -n "${COW:-}" ]; then
	size=$(wc -c <"$tmp/bare")
	rm "$tmp/bare"
	truncate -s $((size + 1048576)) "$tmp/bare"
fi

# What the board does. Words of the kernel command line say which round it is.
# It answers on a port that QEMU writes to a file at once, so that nothing it
# has said is lost at the cut.
new_root board <<'INIT'
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir /mnt /mnt/outer /mnt/file /mnt/bare
until [ -c /dev/vport0p1 ]; do
	usleep 2000
done
exec 3>/dev/vport0p1

word() {
	sed -n "s/.*\\bcut\\.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline
}

# regions NAME ROUND: prints the writers' regions of a disk in that round.
regions() {
	echo "$seed.$2.$1.flush1:flush:$(part "$1" 1):0:262144"
	echo "$seed.$2.$1.flush2:flush:$(part "$1" 1):262144:262144"
	echo "$seed.$2.$1.both:dsync:$(part "$1" 1):524288:262144"
	echo "$seed.$2.$1.fua:dsync:/mnt/$1/fua:0:262144"
	echo "$seed.$2.$1.files:files:/mnt/$1/files.$2"
}
part() {
	case $1 in file) echo "/dev/ublkb0p$2" ;; bare) echo "/dev/ublkb1p$2" ;; esac
}

# must WHAT COMMAND...
must() {
	what=$1
	shift
	"$@" >/run/said 2>&1 || bad="$bad; $what: $(tr '\n' ';' </run/said)"
}

# look NAME: checks the last round's promises. e2fsck finds a journal to replay,
# and no error.
look() {
	disk=$(part "$1" 2)
	bad=''
	[ "$round" = 1 ] || must replay e2fsck.static -y -E journal_only "$disk"
	must e2fsck e2fsck.static -f -n "$disk"
	must mount mount -t ext4 "$disk" "/mnt/$1"
	if [ "$round" -gt 1 ]; then
		must writer /writer check /acked $(regions "$1" $((round - 1)))
		rm -rf /mnt/$1/files.*
	fi
	if [ -z "$bad" ]; then
		echo "good $1" >&3
	else
		echo "bad $1$bad" >&3
	fi
}

seed=$(word seed)
round=$(word round)
options=$(word options | tr , ' ')
mount -t ext4 /dev/vda /mnt/outer
if [ "$(word cow)" ]; then
	ublk file /mnt/outer/disk --id 0 --cow /mnt/outer/kept $options &&
		ublk file /mnt/outer/disk --id 1 --cow /dev/vdb $options
else
	ublk file /mnt/outer/disk --id 0 $options &&
		ublk file /dev/vdb --id 1 $options
fi || echo "no disks" >&3
look file
look bare
if [ "$(word last)" ]; then
	umount /mnt/file /mnt/bare
	ublk stop --all
	umount /mnt/outer
	off
fi
/writer fill $(regions file "$round") $(regions bare "$round") || off
sync
echo "ready" >&3
for region in $(regions file "$round") $(regions bare "$round"); do
	echo "$region" | grep -q "$(word who)" || continue
	steps=1000000
	case $region in *:files:*) steps=400 ;; esac
	/writer write $steps "$region" >&3 &
done
wait
echo "the writers ended" >&3
off
INIT
cp "$programs/writer" "$tmp/board/writer"
cp "$(command -v e2fsck.static)" "$tmp/board/sbin"
(cd "$tmp/board" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet) \
	>"$tmp/system"

# start_disk NAME [OPTION]: starts the board's disk $tmp/NAME.
start_disk() {
	name=$1
	shift
	"$programs/forgetful" "$@" "$tmp/$name.socket" "$tmp/$name" \
		"$(printf %s "$SEED.$round.$name" | cksum | cut -d ' ' -f 1)" \
		>"$tmp/$name.lost" 2>&1 &
	processes="$processes $!"
	wait_until 10 test -S "$tmp/$name.socket" ||
		note "no disk: $(cat "$tmp/$name.lost")"
}

# power_on WORD [OPTION]: boots for $round; the board gets what the last round's
# board said. OPTION is for the bare disk.
power_on() {
	words="rdinit=/sbin/init cut.seed=$SEED cut.round=$round"
	words="$words cut.options=${OPTIONS:-} cut.cow=${COW:-} $1"
	shift
	processes=''
	start_disk file
	start_disk bare "$@"
	mkdir -p "$tmp/more"
	mv "$tmp/told" "$tmp/more/acked" 2>/dev/null || : >"$tmp/more/acked"
	(cd "$tmp/more" && echo acked | cpio -o -H newc -R 0:0 --quiet) |
		cat "$tmp/system" - >"$tmp/initramfs"
	: >"$tmp/told"
	rm -f "$tmp/pid"
	set -- -serial "file:$tmp/serial" -pidfile "$tmp/pid" \
		-device virtio-serial-pci,id=ports,ioeventfd=off \
		-chardev "file,id=told,path=$tmp/told" \
		-device virtserialport,chardev=told,bus=ports.0
	for name in file bare; do
		set -- "$@" -drive "if=virtio,format=raw,cache=writeback,$(:
			)file=nbd+unix:///?socket=$tmp/$name.socket"
	done
	(start_board "$words" "$@") </dev/null >"$tmp/qemu" 2>&1 &
	board=$!
}
cut_power() {
	pid=$(cat "$tmp/pid" 2>/dev/null) || return 0
	kill -KILL "$pid" 2>/dev/null
}

# told REGEX: the board has said so, or is off.
told() {
	grep -qE -- "$1" "$tmp/told" || ! kill -0 "$board"
}

# off: waits until QEMU is gone, and the programs of its disks have ended.
off() {
	# shellcheck disable=SC2086 # words are meant to be split
	wait "$board" $processes 2>/dev/null || :
	processes=''
	rm -f "$tmp/pid"
}

# after_cut: prints a moment, in seconds after the first acknowledgement.
after_cut() {
	printf '%s' "$SEED moment $round" | cksum |
		awk '{ printf "%.3f", $1 % 2000 / 1000 }'
}

# acked DISK: prints what a round had acknowledged.
acked() {
	awk -v disk="$1" '$1 == "ack" && split($2, part, ".") == 4 &&
		part[3] == disk {
			last[part[4]] = $3
		}
		END {
			for (name in last)
				text = text " " name " " last[name]
			print text ? text : " nothing"
		}' "$tmp/told"
}

# one_round WHO [OPTION]: boots, lets the board look, and cuts the power while
# the writers write whose regions' names match WHO. $looked is what the board
# saw. False if it did not start to write.
one_round() {
	who=$1
	shift
	power_on "cut.who=$who" "$@"
	wait_until "$limit" told '^(ready|no disks)' || :
	looked=$(grep -E '^(good|bad)' "$tmp/told")
	wait_until "$limit" told '^ack' || :
	moment=$(after_cut)
	sleep "$moment"
	cut_power
	off
	for name in file bare; do
		note "cut $round, $moment s: $name:$(acked $name);" \
			"$(cat "$tmp/$name.lost")"
	done
	grep -q '^ack' "$tmp/told" && ! grep -q '^the writers' "$tmp/told"
}

# seen_of NAME: prints what the board saw of a disk.
seen_of() {
	printf '%s\n' "$looked" | grep "^[a-z]* $1"
}

# judge: the checks of the cut before this boot.
judge() {
	for name in file bare; do
		is "$(seen_of $name)" "good $name" \
			"cut $((round - 1)), $name: all that was acknowledged is there"
	done
}

# A write with O_DSYNC to a device is FUA and a FLUSH. One over an allocated
# part of a file is FUA alone, and only shows if nobody else flushes.
who() {
	case $((round % 4)) in
	1) echo '\.fua:' ;;
	2) echo '\.flush[12]:' ;;
	3) echo '\.files:' ;;
	0) echo : ;;
	esac
}

limit=120
round=1
while [ "$round" -le "$ROUNDS" ] && [ $failures -eq 0 ]; do
	one_round "$(who)" ||
		fail "the board writes" "$(cat "$tmp/qemu"; tail -n 30 "$tmp/serial")"
	[ "$round" -eq 1 ] || judge
	round=$((round + 1))
done
[ $failures -eq 0 ] || done_testing

# The bare disk ignores FLUSH.
one_round '\.flush[12]:' --lie
judge
round=$((round + 1))
power_on cut.last=1
off
looked=$(grep -E '^(good|bad)' "$tmp/told")
is "$(seen_of file)" "good file" "a disk beside one that ignores FLUSH is whole"
like "$(seen_of bare)" '^bad bare.*flush[12]: sector' \
	"one that ignores FLUSH is found"

done_testing
