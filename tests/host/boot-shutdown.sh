# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools e2fsprogs fdisk cpio
# kernel: tests
#
# The demo's own BusyBox system: a user types at its console, kills all
# processes, and powers it off. The root stays until the end, and what was
# written to it is there afterwards.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

new_root demo </dev/null
ln -sf /bin/busybox "$tmp/demo/sbin/init"
mkdir "$tmp/demo/root"
cp -R initramfs/demo/busybox/. initramfs/demo/common/. "$tmp/demo"
mkdir -p "$tmp/demo/usr/share/demo"
: >"$tmp/demo/usr/share/demo/sha256sums"
head -c 4M /dev/urandom >"$tmp/demo/root/data"
wanted=$(sum "$tmp/demo/root/data")
ext4 demo 24M
initramfs none

# prompt N: the shell waits for the Nth command.
prompt() {
	wait_until 60 prompts "$1" || :
}
prompts() {
	[ "$(grep -c "$(printf '\033')"'\[6n\|board:.*# ' "$tmp/serial")" -ge "$1" ] ||
		! kill -0 "$board"
}
answer() {
	prompt 1
	echo 'kill -15 -1; sleep 1; echo 3 >/proc/sys/vm/drop_caches; echo alive'
	wait_until 30 said '^alive' || :
	echo 'md5sum data; head -c 2000000 data >half; echo "$((1 + 1))nd file" >two'
	echo 'sleep 1000 & exec 5>kept-open; echo text >&5; trap "" TERM; echo rea$((1))y'
	wait_until 30 said 'rea1y' || :
	echo poweroff
}
# shellcheck disable=SC2046 # options are meant to be split
typing 'ublk.overlay=none ublk.root=/dev/vda' answer $(disk "$tmp/demo.ext4")
shows_not 'Kernel panic|Oops|BUG:|WARNING:' "the kernel has nothing to report"
shows 'reboot: Power down' "the board goes off by itself"
# When init kills all processes, the disk goes, and jbd2 reports an I/O error:
# it cannot mark its journal as clean. The effect is that of a power cut with
# nothing left to write.
unlike "$(printf '%s\n' "$console" | sed '/SIGKILL/q')" 'I/O error' \
	"no I/O error before init has killed everybody"
shows '/dev/ublkb0 / ext4 rw,' "its root is the disk"
shows "^$wanted  data" "after a kill of everybody the root can be read"
ok "the filesystem is clean and whole" e2fsck -fn "$tmp/demo.ext4"
like "$(dumpe2fs -h "$tmp/demo.ext4" 2>/dev/null | grep '^Filesystem features')" \
	'has_journal' "it has a journal"
unlike "$(dumpe2fs -h "$tmp/demo.ext4" 2>/dev/null)" needs_recovery \
	"with nothing in it: it was read-only before the server died"
is "$(debugfs -R 'cat /root/two' "$tmp/demo.ext4" 2>/dev/null)" "2nd file" \
	"a small file was kept"
is "$(debugfs -R 'cat /root/half' "$tmp/demo.ext4" 2>/dev/null | sum -)" \
	"$(head -c 2000000 "$tmp/demo/root/data" | sum -)" "a large one too"
is "$(debugfs -R 'cat /root/kept-open' "$tmp/demo.ext4" 2>/dev/null)" text \
	"and one that was open when the board went down"

# systemd stops everything and, when all that can be unmounted is unmounted,
# makes /run/initramfs its root and executes /shutdown there. This init does the
# same.
new_root systemd <<'INIT'
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
case $1 in
'')
	echo "kept $(cat /kept)"
	echo "written by boot" >/kept
	sleep 1000 4>/held &
	sed 's/^\([^ ]*\) \([^ ]*\) .*/mount \2/' /proc/mounts
	kill -STOP -1
	kill -TERM -1
	kill -CONT -1
	mount --bind /run/initramfs /run/initramfs
	mount --make-private /run/initramfs
	cd /run/initramfs || off
	mkdir -p oldroot proc sys dev run
	for folder in proc sys dev run; do
		mount --bind /$folder $folder
	done
	pivot_root . oldroot || off
	exec /shutdown ${how:-poweroff} --log-level 6 </dev/console >/dev/console 2>&1
	;;
esac
INIT
mkdir -p "$tmp/systemd/usr/lib/systemd"
cp "$tmp/systemd/sbin/init" "$tmp/systemd/usr/lib/systemd/systemd-shutdown"
echo image >"$tmp/systemd/kept"
ext4 systemd 24M
pack "$tmp/systemd.ext4"
initramfs "$tmp/systemd.ext4.gz"
truncate -s 30M "$tmp/empty"
gpt "$tmp/empty" kept
for round in image 'written by boot'; do
	# shellcheck disable=SC2046 # options are meant to be split
	boot 'ublk.cow=PARTLABEL=kept loglevel=7' $(disk "$tmp/disk")
	went_off "systemd's way, kept $round"
	shows "^kept $round$" 'it is as the last boot left it'
	shows 'ublk: init: shutdown: the root is unmounted and its disk stopped' \
		'the end is a clean one'
done
dd if="$tmp/disk" of="$tmp/over" bs=1M skip=2 count=30 status=none
ok 'what was written, over the image' ./ublk pack --cow "$tmp/over" \
	"$tmp/systemd.ext4.gz" "$tmp/merged.gz"
zcat "$tmp/merged.gz" >"$tmp/merged"
unlike "$(dumpe2fs -h "$tmp/merged" 2>/dev/null)" needs_recovery \
	'its filesystem was unmounted'
like "$(dumpe2fs -h "$tmp/merged" 2>/dev/null)" 'Filesystem state: *clean$' \
	'and is clean'
is "$(debugfs -R 'cat /kept' "$tmp/merged" 2>/dev/null)" 'written by boot' \
	'with what was written last'
# shellcheck disable=SC2046 # options are meant to be split
boot 'loglevel=7 how=reboot' $(disk "$tmp/disk")
shows 'reboot: Restarting system' 'a reboot is one, below an overlay'
shows 'the root is unmounted and its disk stopped' 'and clean as well'

# The disk of a verified root is in use until dm-verity is removed.
TESTS_KERNEL=${TESTS_KERNEL:-$(linux/default-kernel)}
TESTS_KERNEL=${TESTS_KERNEL%-tests}-tests
if [ -f "$TESTS_KERNEL" ]; then
	squashfs systemd
	hash=$(./ublk pack --verity "$tmp/systemd.squashfs" "$tmp/verified.gz")
	initramfs "$tmp/verified.gz"
	boot "loglevel=7 ublk.roothash=$hash"
	went_off "systemd's way, a verified root"
	shows '^mount /run/root/lower' 'it was mounted'
	shows 'the root is unmounted and its disk stopped' 'the end is a clean one'
	shows_not 'is not stopped' 'and its disk was in use no more'
else
	skip "systemd's way, a verified root" "no $TESTS_KERNEL: make kernel CONFIG=tests"
fi

done_testing
