# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools e2fsprogs cpio
#
# A boot that fails says why, on the console and in the kernel log, and then
# does what ublk.rescue= says: a shell, a reboot, or nothing.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

new_root root <<'INIT'
echo "came up"
off
INIT
squashfs root
pack "$tmp/root.squashfs"

# hangs_with REGEX NAME WORDS [OPTION...]: the boot hangs after a message, which
# the console shows as a line of the log, with the time.
hangs_with() {
	regex=$1 name=$2 words=$3
	shift 3
	boot_until 'nothing more happens|came up|rebooting' \
		"$words ublk.rescue=hang" "$@"
	shows "^\[ .*ublk: init: $regex" "$name"
	shows 'nothing more happens here \(ublk.rescue=hang\)' "and the board hangs"
}

initramfs none
hangs_with '/root.img.gz: not in the initramfs; set ublk.root=' \
	"no words and no image" ''
# shellcheck disable=SC2046 # options are meant to be split
hangs_with 'ublk.root=PARTLABEL=none: there is no such device; block devices here: vda$' \
	"a partition that never comes" 'ublk.root=PARTLABEL=none ublk.wait=1' \
	$(disk "$tmp/root.squashfs")
shows 'waiting for PARTLABEL=none, up to 1 s' "it was waited for"
hangs_with 'ublk.root=LABEL=x: not PARTUUID=, PARTLABEL=, mtd:, a device' \
	"a root of a kind that there is not" ublk.root=LABEL=x
hangs_with 'ublk.cache=much: not a size' "a bad value" \
	'ublk.cache=much ublk.overlay=ramfs ublk.init=init'
shows 'ublk.overlay=ramfs: neither tmpfs' "another bad value of the same boot"
shows 'ublk.init=init: not an absolute path' "and one more"

# damage FILE OFFSET: inverts some bytes.
damage() {
	head -c $(($2 + 16)) "$1" | tail -c 16 |
		tr '\000-\377' '\200-\377\000-\177' |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

cp "$tmp/root.squashfs.gz" "$tmp/image"
damage "$tmp/image" 16
initramfs "$tmp/image"
hangs_with '/root.img.gz: ' "an image with a damaged header" ''
shows '/root.img.gz: cannot be served' "the server's refusal is passed on"

head -c 300000 "$tmp/root.squashfs.gz" >"$tmp/image"
initramfs "$tmp/image"
hangs_with '/root.img.gz: ' "an image that was cut off" ''

pattern noise 1048576 >"$tmp/image"
initramfs "$tmp/image"
hangs_with '/dev/ublkb0: no filesystem known to this kernel \(tried .*squashfs' \
	"something that holds no filesystem" ''

initramfs "$tmp/root.squashfs.gz"
hangs_with 'ublk.rootfstype=reiserfs: this kernel does not support it' \
	"a filesystem that the kernel does not know" ublk.rootfstype=reiserfs
hangs_with '/dev/ublkb0: holds no ext4; without ublk.rootfstype=' \
	"a filesystem that it is not" ublk.rootfstype=ext4
hangs_with 'ublk.init=/sbin/nonesuch: the root has no such program' \
	"an init that there is not" ublk.init=/sbin/nonesuch
hangs_with 'ublk.init=/etc: the root has no such program' \
	"an init that is a folder" ublk.init=/etc

hash=$(./ublk pack --verity "$tmp/root.squashfs" "$tmp/verified.gz")
initramfs "$tmp/verified.gz"
hangs_with 'ublk.roothash: this kernel has no device mapper \(CONFIG_BLK_DEV_DM\)' \
	"a root hash on a kernel that cannot verify it" "ublk.roothash=$hash"
shows_not 'came up' "the root is not booted without that"
hangs_with "ublk.roothash=$hash,offset=1: offset= is not a multiple of 4096" \
	"a hash tree where none can be" "ublk.roothash=$hash,offset=1"
initramfs "$tmp/root.squashfs.gz"

# First an empty root, then a program that cannot be started.
rm -rf "$tmp/root/sbin/init" "$tmp/root/bin"
again() {
	squashfs root
	initramfs "$tmp/root.squashfs"
}
again
hangs_with 'the root has no init \(/sbin/init, .*\); say ublk.init=' \
	"a root without an init" ''
boot_until 'nothing more happens|rebooting' ublk.rescue=shell
shows 'no /bin/sh in the initramfs or the root for a rescue: nothing more' \
	"no shell for the rescue is said"
printf '#!/nonesuch\n' >"$tmp/root/sbin/init"
chmod 755 "$tmp/root/sbin/init"
again
hangs_with '/sbin/init: cannot be executed: No such file' \
	"an init whose interpreter there is not" ''

boot ublk.root=LABEL=x
shows 'rebooting in 5 s \(ublk.rescue=reboot\)' "a reboot is announced"
shows 'reboot: Restarting system' "and done"

# A shell in the root, if the initramfs has none. Its console is a terminal.
new_root shell <<'INIT'
INIT
rm "$tmp/shell/sbin/init"
squashfs shell
initramfs "$tmp/shell.squashfs"
said_twice() {
	[ "$(grep -c "$1" "$tmp/serial")" -ge 2 ]
}
answer() {
	wait_until 60 said 'here is a shell' || :
	type_until 'in the 2nd' \
		'ls /sys/block; echo in the $((1 + 1))nd; sleep 1000'
	sleep 0.5
	printf '\003'
	type_until 'still 2' 'echo still $((1 + 1))'
	echo exit
	wait_until 20 said_twice 'here is a shell' || :
	type_until 'again 3' \
		'echo again $((2 + 1)); dmesg | grep rescue; reboot -f'
}
typing 'ublk.rescue=shell ublk.init=/x' answer
shows 'ublk.init=/x: the root has no such program' "what went wrong stands before"
shows 'here is a shell in the root; `reboot -f` starts again' "a shell follows"
shows '^in the 2nd' "it works"
shows '^ublkb0$' "and sees the board's devices"
shows '^still 2' "Ctrl-C ends its program"
shows '^again 3' "when it ends another one comes"
shows 'reboot: Restarting system' "until the board is rebooted"

mkdir -p "$tmp/more/bin"
cp "$(command -v busybox)" "$tmp/more/bin/sh"
initramfs none "$tmp/more"
answer() {
	wait_until 60 said 'here is a shell' || :
	echo 'exec busybox reboot -f || exec /bin/sh -c "echo $((1 + 1))nd"'
}
typing 'ublk.rescue=shell' answer
shows 'here is a shell in /;' "a shell of the initramfs is taken first"

done_testing
