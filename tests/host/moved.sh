# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: e2fsprogs
#
# Boards with different processors go on with each other's files: the restart index
# and the COW file of a gzip, and a file of 5 TiB, whatever byte order and pages they
# have. A disk is moved between $ARCH and this machine's architecture; what is on it is
# compared after each move. (Images of `ublk pack` are packed on this machine in every
# demo.)
. "${0%/*}/../lib.sh"

there=${ARCH:-x86_64}
here=$(linux/board --here)
[ -n "$here" ] || skip_all "linux/boards does not know this machine"
[ "$there" != "$here" ] || skip_all "a board with another processor is needed: ARCH="
[ -f "$(ARCH=$here linux/default-kernel)" ] && [ -f "build/$here/busybox" ] ||
	skip_all "no board of this machine: make ARCH=$here kernel busybox"
PATH=$PATH:/usr/sbin:/sbin

# A gzip file that another program made, and a file of 5 TiB with data at its end
# only, whose offsets need more than 32 bits.
end=5497557090304
pattern foreign 6000000 >"$tmp/foreign"
mkdir "$tmp/files"
gzip -9c "$tmp/foreign" >"$tmp/files/foreign.gz"
truncate -s 6000128 "$tmp/foreign"
pattern end 1048576 >"$tmp/end"
truncate -s $end "$tmp/files/large"
cat "$tmp/end" >>"$tmp/files/large"
mke2fs -q -t ext4 -b 4096 -d "$tmp/files" "$tmp/disk" 64M >/dev/null
rm -r "$tmp/files/large"

cat >"$tmp/turn.sh" <<'TURN'
. "${0%/*}/lib.sh"
turn=$(cat /proc/cmdline | sed 's/.*turn=\([0-9]*\).*/\1/')
mount -t ext4 /dev/vda /mnt
foreign=$(ublk zimg --index /mnt/index --cow /mnt/cow /mnt/foreign.gz) || exit 1
large=$(ublk file /mnt/large) || exit 1
echo "foreign $(md5sum <"$foreign" | cut -d ' ' -f 1)"
echo "large $(dd if="$large" bs=1M skip=5242879 iflag=direct 2>/dev/null | md5sum |
	cut -d ' ' -f 1) $(blockdev --getsize64 "$large")"
pattern "turn$turn" 70144 | dd of="$foreign" bs=512 seek=$((turn * 1003)) 2>/dev/null
pattern "turn$turn" 70144 | dd of="$large" bs=512 seek=$((10737416192 + turn * 211)) 2>/dev/null
sync
ublk stop "$foreign" && ublk stop "$large" && umount /mnt
TURN

# $tmp/foreign and $tmp/end are what both disks hold at the moment.
turn=0
for arch in "$there" "$here" "$there" "$here"; do
	run env -u TESTS_KERNEL ARCH="$arch" tests/vm --add tests/lib.sh \
		--disk "$tmp/disk" --timeout 300 --append "turn=$turn" "$tmp/turn.sh"
	is "$status" 0 "turn $turn, on $arch"
	[ $status -eq 0 ] || seen
	is "$(echo "$out" | sed -n 's/^foreign //p')" "$(sum "$tmp/foreign")" \
		"a gzip, its index and its COW file hold what was written"
	is "$(echo "$out" | sed -n 's/^large //p')" "$(sum "$tmp/end") $((end + 1048576))" \
		"so does a disk of 5 TiB, at its end"
	pattern "turn$turn" 70144 | dd of="$tmp/foreign" bs=512 \
		seek=$((turn * 1003)) conv=notrunc status=none
	pattern "turn$turn" 70144 | dd of="$tmp/end" bs=512 \
		seek=$((turn * 211)) conv=notrunc status=none
	turn=$((turn + 1))
done

# The program of this machine reads what the board has left.
e2fsck -fn "$tmp/disk" >"$tmp/fsck" 2>&1
is $? 0 "the disk's filesystem is whole"
debugfs -R "dump /cow $tmp/cow" "$tmp/disk" 2>/dev/null
ok "pack with the COW file" ./ublk pack --cow "$tmp/cow" "$tmp/files/foreign.gz" \
	"$tmp/merged.gz"
is "$(zcat "$tmp/merged.gz" | sum -)" "$(sum "$tmp/foreign")" "has all of it"
done_testing
