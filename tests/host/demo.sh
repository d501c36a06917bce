# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools fdisk cpio bsdutils
#
# Without a terminal, the demo checks its own boots, and notices a bad one. With
# a terminal, it ends in a shell.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

export O MEM=64M
image=$O/demo/busybox-squashfs.img.gz
run initramfs/demo/run "$image"
is "$status" 0 "the demo ends well" || seen
is "$(grep -c '/dev/ublkb0 /run/root/lower squashfs ro' "$tmp/out")" 2 \
	"it boots twice from a compressed root"
like "$out" ' zimg .*/root.img.gz' "once out of the initramfs"
like "$out" ' zimg .*/dev/vda2' "once from a partition"
like "$out" '[2-9][0-9][0-9] files, 0 differ' "all files are as they were made"
like "$out" 'MemFree: +[0-9]+ kB' "memory is shown"
like "$out" '[0-9.]+ s since the kernel started' "and time"

# Changes one letter of one file.
zcat "$image" >"$tmp/disk"
unsquashfs -q -n -d "$tmp/bad" "$tmp/disk" >/dev/null 2>&1 || :
sed -i '1s/./#/' "$tmp/bad/usr/share/doc/LICENSE"
squashfs bad
pack "$tmp/bad.squashfs"
mkdir "$tmp/O"
initramfs "$tmp/bad.squashfs.gz"
ln -s "$PWD/$O"/* "$tmp/O"
ln -sf "$tmp/initramfs" "$tmp/O/initramfs.cpio"
fails 1 "a root that differs is a failure" \
	env O="$tmp/O" initramfs/demo/run "$tmp/bad.squashfs.gz"
like "$out" 'LICENSE: FAILED' "the file is named"
like "$err" 'not every file was read as it was made' "and the verdict given"

fails 1 "no image is a failure" initramfs/demo/run none

(
	wait_until 60 grep -q 'board:.*#' "$tmp/typescript" || :
	sleep 0.5
	echo 'echo $((6 * 7)) in $HOME; poweroff'
	wait_until 60 grep -q 'Power down' "$tmp/typescript" || :
) | script -qefc "initramfs/demo/run '$image'" "$tmp/typescript" >/dev/null ||
	note "exit status $?"
typed=$(tr -d '\r' <"$tmp/typescript")
like "$typed" 'A shell follows' "with a terminal the demo says what comes"
like "$typed" '^42 in /root' "its shell can be typed at"
like "$typed" 'Power down' "and the board be switched off"

done_testing
