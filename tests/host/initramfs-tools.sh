# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The boot script of packaging/initramfs-tools: what it takes from the kernel's line,
# what it mounts, how it calls the server, and which root it tells init; and its hook:
# which drivers the devices below a root that is served need. The functions
# of initramfs-tools, commands and devices are stand-ins here; tests/distro/root.sh
# runs it where it belongs.
. "${0%/*}/../lib.sh"

hook=packaging/initramfs-tools/hooks/ublk
script=packaging/initramfs-tools/local-top/ublk
stub=$tmp/stub
# here FILE: prints it with paths of this test.
here() {
	sed "s|/scripts/functions|$tmp/functions|; s|/proc/cmdline|$stub/cmdline|
		s|/usr/share/ublk/root|$tmp/library|
		s|/run/initramfs|$stub/kept|; s|/conf/param.conf|$stub/param|
		s|/dev/ublk-control|$stub/control|; s|-b \"|-f \"|
		s#/dev/?\*#$stub&#" "$1"
}
here $script >"$tmp/script"
here packaging/initramfs/root >"$tmp/library"

# Devices are files in $stub/dev, named in $stub/names; a filesystem's type is what
# such a file has. Calls are lines of $stub/calls.
cat >"$tmp/functions" <<STUB
stub=$stub
STUB
cat >>"$tmp/functions" <<'STUB'
call() {
	echo "$*" >>"$stub/calls"
}
resolve_device() {
	case $1 in
	/*) found=$1 ;;
	*) found=$(sed -n "s|^$1 ||p" "$stub/names") ;;
	esac
	[ -n "$found" ] && [ -e "$found" ] && echo "$found"
}
get_fstype() {
	[ ! -s "$1" ] || cat "$1"
}
blkid() {
	[ $# -gt 0 ] || { echo "all devices"; return; }
	sed -n "s|^$6 $3=||p" "$stub/names"
}
run_scripts() {
	call "run_scripts $*"
	[ ! -e "$stub/appears" ] || mv "$stub/appears" "$stub/dev/vdb"
}
wait_for_udev() { :; }
sleep() { :; }
modprobe() {
	[ -e "$stub/nodriver" ] || : >"$stub/control"
}
mount() {
	call "mount $*"
	eval "dir=\${$#}"
	[ "$dir" != "$stub/kept/disk" ] || cp -R "$stub/files/." "$dir"
}
umount() {
	rm -rf "$1"/*
}
# The server, and the copy of the program that the script starts it from.
ublk() {
	call "ublk $*"
	cat >"$stub/kept/ublk" <<SERVER
#!/bin/sh
stub=$stub
echo "server \$*" >>"\$stub/calls"
[ ! -e "\$stub/refuse" ] || exit 1
echo "\$stub/dev/ublkb0"
SERVER
	chmod 755 "$stub/kept/ublk"
}
panic() {
	call "panic"
	[ -e "$stub/repair" ] || exit 77
	sh "$stub/repair"
	rm "$stub/repair"
}
STUB

# booted LINE [COMMAND]: runs the script with that kernel line, after COMMAND. What was
# called is in $calls, and what init is told in $told.
booted() {
	rm -rf "$stub"
	mkdir -p "$stub/dev" "$stub/kept" "$stub/files/dir"
	printf '\037\213\010image' >"$stub/files/dir/root.img.gz"
	echo image >"$stub/files/root.img"
	for name in vda vdb ublkb0; do
		echo ext4 >"$stub/dev/$name"
	done
	printf '%s\n' "UUID=1-2 $stub/dev/vda" "PARTUUID=3-4 $stub/dev/vdb" >"$stub/names"
	printf '%s\n' "quiet $1 panic=5" | sed "s|/dev/v|$stub&|g" >"$stub/cmdline"
	: >"$stub/calls"
	: >"$stub/param"
	eval "${2:-}"
	run sh "$tmp/script"
	calls=$(sed "s|$stub||g" "$stub/calls")
	told=$(sed "s|$stub||g" "$stub/param")
}

# The hook, with a record of a root's disk.
cat >"$tmp/hook-functions" <<STUB
stub=$stub
STUB
cat >>"$tmp/hook-functions" <<'STUB'
copy_exec() { :; }
copy_file() { :; }
manual_add_modules() {
	echo "modules $*" >>"$stub/calls"
}
block_dev_mod_add() {
	false
	echo "device $*" >>"$stub/calls"
}
findmnt() {
	[ "$2 $3 $4" = '-o SOURCE -T' ] && echo "$stub/dev/vda" || echo vfat
}
STUB
sed "s|/usr/share/initramfs-tools/hook-functions|$tmp/hook-functions|
	s|/run/ublk/|$stub/records/|
	s|-b \"\$path\"|\"\${path#$stub/dev/}\" != \"\$path\"|" $hook >"$tmp/hook"

# made MODULES [LINE...]: runs the hook, with such a record. $calls: the drivers that
# an initramfs gets beyond those that it always gets.
made() {
	modules=$1
	shift
	rm -rf "$stub"
	mkdir -p "$stub/dev" "$stub/records"
	: >"$stub/dev/vdb"
	: >"$stub/root.img.gz"
	: >"$stub/calls"
	[ $# -eq 0 ] || printf '%s\n' "$@" >"$stub/records/0"
	MODULES=$modules run sh "$tmp/hook"
	calls=$(sed "1d; s|$stub||g" "$stub/calls")
}
made most rootfs=1 "argument=$stub/root.img.gz" "cow=$stub/dev/vdb"
is "$status $calls" '0 ' "an initramfs with most drivers has those of the root's disks"
made dep rootfs=1 "argument=$stub/root.img.gz" "cow=$stub/dev/vdb"
is "$status $calls" "0 device /dev/vda
modules vfat
device /dev/vdb" "one with some gets them, and the filesystem that the file is on"
made dep rootfs=1 "argument=$stub/dev/vdb" cow=32M
is "$status $calls" "0 device /dev/vdb" "also of a device"
made dep "argument=$stub/dev/vdb"
is "$status $calls" '0 ' "but not of a disk that is no root"
made dep
is "$status $calls" '0 ' "nor without any"

for file in $hook $script; do
	ok "$file says what comes before it" sh $file prereqs
done

booted 'root=/dev/vda ro'
is "$status $calls$told" '0 ' "another root is not its business"
booted 'root=/dev/vda ublk.cow=32M -- root=ublk:/dev/vdb'
is "$status $calls$told" '0 ' "nor what follows --"
booted 'root=ublk:/dev/vdb root=/dev/vda'
is "$status $calls$told" '0 ' "the last root= counts"

booted 'root=ublk:/dev/vdb'
is "$calls" "mount -t tmpfs -o nodev,nosuid,mode=0700 tmpfs /kept
ublk serve-root --copy /kept
server serve-root /dev/vdb" "a disk is served by a copy that stays"
is "$status $told" '0 ROOT=/dev/ublkb0' "and its node is the root"
booted 'root=/dev/vda ublk.root=PARTUUID=3-4 ublk.cache=4M ublk.block-size=512'
is "$(echo "$calls" | tail -n 1)" \
	'server serve-root --cache=4M --block-size=512 /dev/vdb' "ublk.root= does the same"
booted 'ublk.root=/dev/vdb root=ublk:/dev/vda'
is "$(echo "$calls" | tail -n 1)" 'server serve-root /dev/vdb' "and comes before it"
booted 'root=ublk:/dev/vdb ublk.cow=32M'
is "$(echo "$calls" | tail -n 1)" 'server serve-root --cow=32M /dev/vdb' "writes in memory"
booted 'root=ublk:UUID=1-2:/dir/root.img.gz ublk.cow=PARTUUID=3-4'
is "$(echo "$calls" | tail -n 2)" "mount -r -t ext4 /dev/vda /kept/disk
server serve-root --cow=/dev/vdb /kept/disk/dir/root.img.gz" \
	"a file on another disk, and writes on a device"
booted 'root=ublk:/dev/vda:/dir/root.img.gz'
is "$(echo "$calls" | grep -c 'mount -w')" 0 "the disk of an image is only read"
booted 'root=ublk:/dev/vda:/root.img'
is "$(echo "$calls" | tail -n 2)" "mount -w -t ext4 /dev/vda /kept/disk
server serve-root /kept/disk/root.img" "that of another file is written"
booted 'root=ublk:/dev/vda:/root.img ublk.cow=1G'
is "$(echo "$calls" | grep -c 'mount -w')" 0 "unless writes go elsewhere"

partitions='for part in 1 2; do : >"$stub/dev/ublkb0p$part"; done
: >"$stub/dev/ublkb0"
echo "$stub/dev/ublkb0p2 PART_ENTRY_NAME=system" >>"$stub/names"
echo "$stub/dev/ublkb0p1 PART_ENTRY_UUID=5-6" >>"$stub/names"'
booted 'root=ublk:/dev/vdb,part=2' "$partitions"
is "$told" ROOT=/dev/ublkb0p2 "a partition by number"
booted 'root=ublk:/dev/vdb,part=PARTLABEL=system' "$partitions"
is "$told" ROOT=/dev/ublkb0p2 "by label"
booted 'root=ublk:/dev/vda:/root.img,part=PARTUUID=5-6' "$partitions"
is "$told" ROOT=/dev/ublkb0p1 "by identifier"
booted 'root=ublk:/dev/vdb' "$partitions"'
echo squashfs >"$stub/dev/ublkb0p2"'
is "$told" ROOT=/dev/ublkb0p2 "or the only one with a filesystem"
booted 'root=ublk:/dev/vdb' "$partitions"'
for part in 1 2; do echo squashfs >"$stub/dev/ublkb0p$part"; done'
is "$status $told" '77 ' "none of two is taken"
like "$err" 'choose one, as in ublk.root=.*/dev/vdb,part=2' "it says how to choose"
booted 'root=ublk:/dev/vdb,part=7' "$partitions"
like "$err" '/dev/ublkb0: has no partition part=7' "a partition that there is not"

booted 'root=ublk:/dev/vdb ublk.wait=1' 'mv "$stub/dev/vdb" "$stub/appears"'
is "$told" ROOT=/dev/ublkb0 "a disk that comes late is waited for"
like "$calls" '^run_scripts /scripts/local-block /dev/vdb$' \
	"while scripts may bring it"
for words in ublk.cow=LABEL=nonesuch root=ublk:UUID=9-9; do
	booted "root=ublk:/dev/vdb ublk.wait=2 $words"
	is "$status $(echo "$calls" | grep -c run_scripts)" '77 2' \
		"$words: it is not waited for longer than ublk.wait="
	like "$err" 'there is no such device' "it says so"
	like "$err" 'all devices' "and what there is"
done
booted 'root=ublk:/dev/vda:/nonesuch'
like "$err" '/nonesuch: there is no such file on .*/dev/vda' "a file that there is not"
booted 'root=ublk:/root.img.gz'
like "$err" 'ublk.root=/root.img.gz: not UUID=' "a place in the initramfs is refused"
booted 'root=ublk:/dev/vdb ublk.wait=long'
like "$err" 'distribution: ublk.wait=long' "a wait that is no number"
booted 'root=ublk:/dev/vdb ublk.roothash=00'
is "$status $(echo "$calls" | grep -c server)" '77 0' \
	"a root that should be verified is not served unverified"
like "$err" 'distribution: ublk.roothash=00' "it says which word"
booted 'root=ublk:/dev/vdb ublk.overlay=tmpfs ublk.init=/bin/sh'
like "$err" 'ignored .*: ublk.overlay=tmpfs ublk.init=/bin/sh$' "others are ignored, and named"
is "$told" ROOT=/dev/ublkb0 "which is no error"
booted 'root=ublk:/dev/vdb' ': >"$stub/nodriver"'
like "$err" 'CONFIG_BLK_DEV_UBLK' "a kernel without a driver"
booted 'root=ublk:/dev/vdb' ': >"$stub/refuse"
echo "rm $stub/refuse" >"$stub/repair"'
is "$status $told" '0 ROOT=/dev/ublkb0' "what was put right by hand is tried again"
is "$(echo "$calls" | grep -c ^server)" 2 "with a new server"
is "$(echo "$calls" | grep -c ^ublk)" 1 "and the same copy"

done_testing
