# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: qemu-system-x86 e2fsprogs dpkg-dev debhelper dh-dkms git
#
# A real Debian 13 whose root is our image on another disk, with a partition for what
# is written, served from the initramfs of initramfs-tools: the packages are installed
# by apt; the root is written, over reboots and power cuts; e2fsck in the initramfs
# looks at all of it before each mount; the server's worker is killed, and nothing of
# the initramfs is needed. `make test-distro` runs it.
#
# REBOOTS=N (20) is how many times the machine is booted again; every second time it is
# cut off its power before that. VM_LOG=FOLDER keeps what the consoles showed.
. "${0%/*}/../lib.sh"
. "${0%/*}/machine.lib"

make_machine
reboots=${REBOOTS:-20}
version=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
later=$version+test1
program=build/deb/ublk_${version}_amd64.deb
initramfs=build/deb/ublk-initramfs_${version}_all.deb
[ -f "$program" ] && [ -f "$initramfs" ] || skip_all "no $initramfs: run make deb"
ok "packages, version $later" packaging/make-deb --binary amd64 build/x86_64/ublk \
	"$tmp/later" "$later"

# in_tree COMMAND...: runs a command with the Debian as its root. What it mounts is in
# a mount namespace of its own.
tree=$tmp/tree
in_tree() {
	unshare --mount --propagation private sh -c '
		tree=$1
		shift
		mount --rbind /dev "$tree/dev"
		mount --rbind /proc "$tree/proc"
		DEBIAN_FRONTEND=noninteractive exec chroot "$tree" "$@"' \
		in_tree "$tree" "$@"
}

mkdir "$tree"
debugfs -R "rdump / $tree" $folder/root.ext4 >/dev/null 2>"$tmp/rdump"
[ -x "$tree/usr/bin/apt-get" ] || {
	fail "take the files of the Debian" "$(cat "$tmp/rdump")"
	done_testing
}
rm -rf "$tree/lost+found"
mkdir -p "$tree/packages" "$tree/data"
cp "$program" "$initramfs" "$tree/packages"
# The root's node does not exist while the initramfs is made, so nobody could see its
# type: this is what puts e2fsck there.
echo FSTYPE=ext4 >>"$tree/etc/initramfs-tools/conf.d/machine"
echo '/dev/ublkb0 / ext4 errors=remount-ro 0 1' >"$tree/etc/fstab"
ok "apt installs the packages" in_tree sh -c 'PATH=/usr/sbin:/usr/bin:/sbin:/bin
	apt-get -q -y -o Dpkg::Use-Pty=0 install /packages/*.deb'
like "$out" 'Generating /boot/initrd.img' "which makes the initramfs again"
initrd=$tmp/initrd
own=$(basename "$tree"/boot/initrd.img-*)
cp "$tree/boot/$own" "$initrd"
# shellcheck disable=SC2016 # for that shell
run in_tree sh -c 'PATH=/usr/sbin:/usr/bin lsinitramfs /boot/initrd.img-*'
for file in usr/sbin/ublk usr/sbin/blkid scripts/local-top/ublk usr/sbin/fsck.ext4 \
	'usr/lib/modules/.*/ublk_drv.ko.*'; do
	like "$out" "^$file\$" "the initramfs has $file"
done
rm -rf "$tree/packages"

# The image is a file on the filesystem of one disk; writes go to another disk.
mke2fs -q -t ext4 -d "$tree" "$tmp/root.ext4" 1G
mkdir -p "$tmp/images/debian"
ok "pack it" ./ublk pack "$tmp/root.ext4" "$tmp/images/debian/root.img.gz"
mke2fs -q -t ext4 -L images -d "$tmp/images" "$tmp/images.ext4" 512M
truncate -s 1100M "$tmp/cow"
rm -rf "$tree" "$tmp/root.ext4"
sum=$(sha256sum <"$tmp/images.ext4")
disk images "$tmp/images.ext4" cache=unsafe
disk cow "$tmp/cow" cache=unsafe
words='root=ublk:LABEL=images:/debian/root.img.gz'
words="$words ublk.cow=/dev/disk/by-id/virtio-cow ro fsck.mode=force loglevel=7"

# begin_step: what each boot begins with.
begin_step() {
	cat <<'STEP'
check "the system is up" booted
check "the root is ours" same "$(findmnt -n -o SOURCE /)" /dev/ublkb0
check "it is written" same "$(findmnt -n -o OPTIONS / | cut -d , -f 1)" rw
check "e2fsck has found it whole" test -e /run/initramfs/fsck-root
check_not "and has corrected nothing" grep -qiE 'fixed|inconsisten' \
	/run/initramfs/fsck.log
STEP
}

# What only the first boot looks at.
first_step() {
	cat <<'STEP'
pid=$(sed -n 's/^pid=//p' /run/ublk/0)
worker=$(sed -n 's/^worker=//p' /run/ublk/0)
check "its server has two processes" test "$pid" -gt 1 -a "$worker" -gt 1
for process in $pid $worker; do
	check "shutdowns spare it" same "$(head -c 1 /proc/$process/cmdline)" @
	check "it has a root of its own" same "$(ls /proc/$process/root | tr '\n' ' ')" \
		'dev proc run sys '
	check "where the control device is" test -c /proc/$process/root/dev/ublk-control
	check "and processes are" test -e /proc/$process/root/proc/1/stat
	check "its program is what the shutdown runs" \
		test /proc/$process/exe -ef /run/initramfs/shutdown
done
check "nothing else of the initramfs is left" same "$(ls -A /run/initramfs | tr '\n' ' ')" \
	'disk fsck-root fsck.log shutdown ublk '
check "the image cannot be written" same "$(findmnt -n -o OPTIONS /run/initramfs/disk |
	cut -d , -f 1)" ro
libraries() {
	cat /usr/lib/x86_64-linux-gnu/lib[a-m]*.so.* | sha256sum
}
before=$(libraries)
kill -KILL $worker
echo 3 >/proc/sys/vm/drop_caches
check "another worker takes over when it is killed" until_so sh -c \
	"test \$(sed -n 's/^worker=//p' /run/ublk/0) -ne $worker"
check "and what it serves is the same" same "$(libraries)" "$before"
check "stop --all spares it" ublk stop --all
check "it goes on" test -b /dev/ublkb0
STEP
}

# While the root is served, the program below it is replaced, and the initramfs made
# again: with e2fsck for the root that is mounted, and, with MODULES=dep, with the
# drivers of what the root's disk lies on.
upgrade_step() {
	cat <<STEP
pid=\$(sed -n 's/^pid=//p' /run/ublk/0)
sed -i '/^FSTYPE=/d' /etc/initramfs-tools/conf.d/machine
sed -i '/virtio/d' /usr/share/initramfs-tools/modules.d/machine
sed -i 's/^MODULES=.*/MODULES=dep/' /etc/initramfs-tools/conf.d/machine
check "apt upgrades the packages" apt_install \$step/ublk_${later}_amd64.deb \
	\$step/ublk-initramfs_${later}_all.deb
check "the root's server is the same process" \
	same "\$(sed -n 's/^pid=//p' /run/ublk/0)" "\$pid"
check "and has the new program" sh -c "readlink /proc/\$pid/exe | grep -q memfd"
check "which is spared at shutdown, too" sh -c "head -c 1 /proc/\$pid/cmdline | grep -q @"
lsinitramfs /boot/initrd.img-* >/root/initrd
for file in usr/sbin/ublk usr/sbin/fsck.ext4 'usr/lib/modules/.*/virtio_blk.ko.*' \
	'usr/lib/modules/.*/virtio_pci.ko.*'; do
	check "the initramfs that it makes has \$file" grep -qx "\$file" /root/initrd
done
STEP
}

removal_step() {
	cat <<'STEP'
check_not "packages that the root needs are not removed" apt-get -q -y purge ublk
check "neither of them" dpkg -s ublk ublk-initramfs
check "the root is served" ublk list 0
STEP
}

# What each boot does in the end.
write_step() {
	cat <<STEP
check "write files" write_files boot$number 5
check "they are there" files_kept
STEP
}

# step HOW: prints the commands of a boot. HOW the machine ended before that is
# none, reboot or cut.
step() {
	begin_step
	case $1 in
	none)
		echo ': >/root/sums'
		first_step
		;;
	reboot)
		cat <<'STEP'
check_not "the root was unmounted: there was no journal to replay" \
	grep -qi 'recovering journal' /run/initramfs/fsck.log
STEP
		;;
	esac
	[ "$1" = none ] ||
		echo 'check "all that was synced is there" files_kept'
	rm -rf "$tmp/deb"
	case $number in
	3)
		mkdir "$tmp/deb"
		cp "$tmp/later"/ublk_*.deb "$tmp/later"/ublk-initramfs_*.deb "$tmp/deb"
		upgrade_step
		;;
	5) removal_step ;;
	esac
	write_step
}

# unmounted NAME: the shutdown has unmounted the root.
unmounted() {
	like "$(tr -d '\r' <"$logs/console-$boots")" \
		'shutdown: the root is unmounted and its disk stopped' \
		"$1: the shutdown stops the root's disk"
}

number=0 ended=none
while [ $number -lt "$reboots" ]; do
	number=$((number + 1))
	step $ended >"$tmp/commands"
	if [ $((number % 2)) -eq 1 ]; then
		printf 'echo end\nsystemctl reboot\n' >>"$tmp/commands"
		boot "boot $number, reboot" <"$tmp/commands"
		unmounted "boot $number"
		ended=reboot
		continue
	fi
	cat >>"$tmp/commands" <<'STEP'
(while :; do cp -R /data /unsynced; rm -r /unsynced; done) &
sleep 1
echo cut
sleep 600
STEP
	# shellcheck disable=SC2034 # for boot
	cut='cut'
	boot "boot $number, power cut" <"$tmp/commands"
	cut='' ended=cut
done
number=$((number + 1))
{
	step $ended
	printf 'echo end\nsystemctl poweroff\n'
} >"$tmp/commands"
boot 'the last boot' <"$tmp/commands"
unmounted 'the last boot'
is "$(sha256sum <"$tmp/images.ext4")" "$sum" "the image's disk was never written"

# What the last shutdown has left.
ok "image and writes are one image" ./ublk pack --cow "$tmp/cow" \
	"$tmp/images/debian/root.img.gz" "$tmp/merged.img.gz"
ok "unpack it" ./ublk unpack "$tmp/merged.img.gz" "$tmp/merged"
unlike "$(dumpe2fs -h "$tmp/merged" 2>/dev/null)" needs_recovery "the root was unmounted"
ok "its filesystem is whole" e2fsck -fn "$tmp/merged"

# The same root as it is, as a file that is written itself, from the initramfs that it
# has made for itself.
debugfs -R "dump /boot/$own $initrd" "$tmp/merged" >/dev/null 2>&1
mkdir "$tmp/plain"
mv "$tmp/merged" "$tmp/plain/root.img"
rm "$tmp/images.ext4" "$tmp/cow" "$tmp/merged.img.gz"
mke2fs -q -t ext4 -L plain -d "$tmp/plain" "$tmp/plain.ext4" 1500M
rm "$tmp/plain/root.img"
disks=''
disk plain "$tmp/plain.ext4" cache=unsafe
words='ublk.root=LABEL=plain:/root.img ro fsck.mode=force loglevel=7'
number=$((number + 1))
{
	step reboot
	cat <<'STEP'
check "its disk can be written" same "$(findmnt -n -o OPTIONS /run/initramfs/disk |
	cut -d , -f 1)" rw
echo end
systemctl poweroff
STEP
} >"$tmp/commands"
boot 'a plain file' <"$tmp/commands"
unmounted 'a plain file'
unlike "$(dumpe2fs -h "$tmp/plain.ext4" 2>/dev/null)" needs_recovery \
	"the disk that the root's file is on was unmounted"
ok "its filesystem is whole" e2fsck -fn "$tmp/plain.ext4"
debugfs -R "dump /root.img $tmp/plain/root.img" "$tmp/plain.ext4" >/dev/null 2>&1
unlike "$(dumpe2fs -h "$tmp/plain/root.img" 2>/dev/null)" needs_recovery \
	"the root in it, too"
ok "and is whole" e2fsck -fn "$tmp/plain/root.img"
debugfs -R "cat /data/boot$number-5" "$tmp/plain/root.img" 2>/dev/null >"$tmp/last"
is "$(wc -c <"$tmp/last")" 250000 "the last file that was written is there"

done_testing
