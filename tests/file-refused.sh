# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool mkfs.ext4 --tool chattr --disk 16M --timeout 600
#
# A file that cannot be a disk, or that is in use, is refused with a reason, and
# nothing is left behind. A file that cannot be written becomes a read-only
# disk.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# refused REGEX NAME ARGUMENT...
refused() {
	regex=$1
	fails 1 "$2" ublk file "$3" ${4+"$4"} ${5+"$5"}
	like "$err" "^ublk: $regex" "and says so"
	is "$(wc -l <"$tmp/err")" 1 "in one line"
	leaves_nothing "and leaves nothing"
}

before
refused "$tmp/no: No such file" "no such file" "$tmp/no"
refused "$tmp: .*directory" "a directory" "$tmp"
: >"$tmp/empty"
refused "$tmp/empty: .*empty" "an empty file" "$tmp/empty"
mkfifo "$tmp/pipe"
refused "$tmp/pipe: .*special" "a pipe" "$tmp/pipe"
refused "/dev/null: .*special" "a character device" /dev/null
refused ".*No such file" "an empty name" ""
head -c 511 /dev/zero >"$tmp/small"
refused "$tmp/small: .*block" "a file of less than a sector" "$tmp/small"
fails 2 "a name of two lines" ublk file "two
lines"
leaves_nothing "leaves nothing"

head -c 1048576 /dev/zero >"$tmp/file"
refused "$tmp/file: .*--offset" "an offset at the end" "$tmp/file" --offset=1M
refused "$tmp/file: .*--offset" "an offset behind it" "$tmp/file" --offset=15E
refused "$tmp/file: .*--size" "a size beyond" "$tmp/file" --size=1048577
refused "$tmp/file: .*--size" "a size beyond, from an offset" "$tmp/file" \
	--size=1M --offset=512
refused "$tmp/file: .*--size" "a size that wraps around" "$tmp/file" \
	--size=18446744073709551615 --offset=512
refused "$tmp/file: .*block" "a size of less than a sector" "$tmp/file" --size=5
refused ".*block" "a size of no whole number of blocks" "$tmp/file" \
	--block-size=4096 --size=1047552

# Another server.
served "a file" file "$tmp/file"
before
refused "$tmp/file: in use" "a second server of a file" "$tmp/file"
refused "$tmp/file: in use" "a second one that only reads" "$tmp/file" -r
ln "$tmp/file" "$tmp/other"
refused "$tmp/other: in use" "one by another name" "$tmp/other"
stopped "stop it" "$dev"
served "a file to read" file "$tmp/file" -r
first=$dev
served "may be served twice" file "$tmp/file" -r
before
refused "$tmp/file: in use" "but not to write" "$tmp/file"
stopped "stop one" "$first"
stopped "stop the other" "$dev"

# Parts of one file, and of one device.
# parts_of PATH: two parts of 1 MiB that do not overlap can be served by two
# servers.
parts_of() {
	served "$1: a part" file "$1" --offset=64K --size=128K
	first=$dev
	served "$1: the part before" file "$1" --size=64K
	second=$dev
	served "$1: all behind" file "$1" --offset=192K
	third=$dev
	before
	for range in "" "--offset=64K" "--size=65K" "--offset=191K --size=1K" \
		"--offset=65024 --size=1K" "--offset=1047552" "-r" \
		"--offset=100K --size=4K -r" "--cow=1M"; do
		# shellcheck disable=SC2086 # words are meant to be split
		fails 1 "$1: but not ${range:-all}" ublk file "$1" $range
		like "$err" "^ublk: $1: in use by another server" "and says so"
		leaves_nothing "and leaves nothing"
	done
	n=0
	for part in $first $second $third; do
		n=$((n + 1))
		pattern "part $n" 65536 | put "$part" 0
	done
	stopped "$1: stop the first" "$first"
	is "$(head -c 65536 "$1" | sum -)" "$(pattern "part 2" 65536 | sum -)" \
		"$1: one part is the one's"
	is "$(dd if="$1" bs=64k skip=1 count=1 2>/dev/null | sum -)" \
		"$(pattern "part 1" 65536 | sum -)" "$1: one the other's"
	is "$(dd if="$1" bs=64k skip=3 count=1 2>/dev/null | sum -)" \
		"$(pattern "part 3" 65536 | sum -)" "$1: one the third's"
	served "$1: what is free is taken again" file "$1" --offset=64K --size=128K
	stopped "$1: stop that" "$dev"
	served "$1: or read" file "$1" --offset=64K --size=128K -r
	stopped "$1: stop that" "$dev"
	stopped "$1: stop the second" "$second"
	stopped "$1: stop the third" "$third"
}
parts_of "$tmp/file"
parts_of /dev/vda
# Nobody may write an image while it is served.
ublk pack "$tmp/file" "$tmp/image"
served "an image in a file" zimg "$tmp/image"
image=$dev
before
refused "$tmp/image: in use" "its file" "$tmp/image"
served "may be read" file "$tmp/image" -r
stopped "stop that" "$dev"
served "and served once more" zimg "$tmp/image" --cow 1M
stopped "stop that" "$dev"
stopped "stop it" "$image"
served "the file" file "$tmp/image"
before
fails 1 "while it is written it is no image" ublk zimg "$tmp/image"
stopped "stop that" "$dev"
put /dev/vda 0 <"$tmp/image"
served "an image on a device" zimg /dev/vda
image=$dev
before
refused "/dev/vda: in use" "its device" /dev/vda
run mkfs.ext4 -q /dev/vda
like "$status $err" "^[1-9].*(in use|Device or resource busy)" \
	"nor does mkfs take it"
is "$(head -c "$(wc -c <"$tmp/image")" /dev/vda | sum -)" "$(sum "$tmp/image")" \
	"it is as it was"
served "it is served once more" zimg /dev/vda
second=$dev
stopped "stop the one" "$image"
before
refused "/dev/vda: in use" "its device is the other's" /dev/vda
if [ -n "$recovers" ]; then
	id=${second#/dev/ublkb}
	kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
	ok "recover it" ublk recover "$id"
fi
stopped "stop the other" "$second"

# A block device.
before
mkfs.ext4 -q /dev/vda
mkdir "$tmp/mnt"
at_exit 'umount "$tmp/mnt" 2>/dev/null'
mount /dev/vda "$tmp/mnt"
refused "/dev/vda: in use" "a mounted device" /dev/vda
served "a mounted device to read" file /dev/vda -r
is "$(blockdev --getro "$dev")" 1 "is read only"
stopped "stop it" "$dev"
umount "$tmp/mnt"
served "an unmounted device" file /dev/vda
before
refused "/dev/vda: in use" "a second server of a device" /dev/vda
fails 255 "and mounting it" mount /dev/vda "$tmp/mnt"
stopped "stop it" "$dev"
ok "now it can be mounted" mount /dev/vda "$tmp/mnt"

# read_only NAME PATH: is served, and cannot be written.
read_only() {
	served "$1" file "$2"
	is "$(blockdev --getro "$dev")" 1 "is read only"
	is "$(read_back "$dev" 1048576 | sum -)" "$(sum "$2")" "and readable"
	dd if=/dev/zero of="$dev" bs=4096 count=1 conv=fsync 2>/dev/null
	is "$(sum "$2")" "$(sum "$tmp/data")" "and stays as it is"
	stopped "stop it" "$dev"
}
pattern data 1048576 >"$tmp/data"
cp "$tmp/data" "$tmp/mnt/file"
chattr +i "$tmp/mnt/file"
read_only "a file that may not be changed" "$tmp/mnt/file"
chattr -i "$tmp/mnt/file"
mount -o remount,ro "$tmp/mnt"
read_only "a file on a filesystem mounted to read" "$tmp/mnt/file"
umount "$tmp/mnt"
cp "$tmp/data" "$tmp/file"
loop=$(losetup -f)
losetup -r "$loop" "$tmp/file"
at_exit 'losetup -d "$loop" 2>/dev/null'
read_only "a loop device to read" "$loop"
losetup -d "$loop"
losetup "$loop" "$tmp/file"
blockdev --setro "$loop"
read_only "a device set to be read" "$loop"
blockdev --setrw "$loop"
served "set back" file "$loop"
is "$(blockdev --getro "$dev")" 0 "it can be written"
stopped "stop it" "$dev"
losetup -d "$loop"
cp "$(command -v ublk)" "$tmp/program"
"$tmp/program" ram 1M -n 77 >/dev/null
started="$started 77"
served "a program that runs" file "$tmp/program"
is "$(blockdev --getro "$dev")" 1 "is read only"
stopped "stop it" "$dev"
ok "and still runs" ublk stop 77

done_testing
