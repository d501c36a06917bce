# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: qemu-system-x86 e2fsprogs dpkg-dev debhelper dh-dkms git
#
# A real Debian 13, with its own kernel and systemd: our package installed by apt; a
# disk of a unit and /etc/fstab that is written, over reboots, a power cut, servers
# that are killed, and a shutdown with somebody in it to the end; an upgrade while it
# is served; a removal that leaves nothing. `make test-distro` runs it.
#
# VM_LOG=FOLDER keeps what the consoles showed.
. "${0%/*}/../lib.sh"
. "${0%/*}/machine.lib"

make_machine
root=$tmp/root.ext4
cp --sparse=always $folder/root.ext4 "$root"
initrd=$folder/initrd
words='root=/dev/vda ro'
disk root "$root" cache=unsafe

# The packages of `make deb`, and the same again as a later version.
first=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
second=$first+test1
deb=build/deb/ublk_${first}_amd64.deb
[ -f "$deb" ] || skip_all "no $deb: run make deb"
mkdir "$tmp/deb"
cp "$deb" "$tmp/deb"
ok "packages, version $second" packaging/make-deb --binary amd64 build/x86_64/ublk \
	"$tmp/deb" "$second"

# taken NAME: the image of the data disk, out of the root of the machine that is off.
taken() {
	rm -f "$tmp/data.img"
	debugfs -R "dump /srv/$1 $tmp/data.img" "$root" >/dev/null 2>&1
}

# clean_after NAME: root and data disk were unmounted, or could be made read-only.
clean_after() {
	unlike "$(dumpe2fs -h "$root" 2>/dev/null)" needs_recovery "$1: the root is clean"
	taken data.img
	unlike "$(dumpe2fs -h "$tmp/data.img" 2>/dev/null)" needs_recovery \
		"$1: the data disk was unmounted"
	ok "$1: its filesystem is whole" e2fsck -fn "$tmp/data.img"
}

boot install <<STEP
check "the system is up" booted
check "apt installs the package" apt_install \$step/ublk_${first}_amd64.deb
same "\$(command -v ublk)" /usr/sbin/ublk || echo 'not ok the program is in its place'
truncate -s 64M /srv/data.img
echo 'file /srv/data.img --id 7' >/etc/ublk/data.conf
systemctl daemon-reload
check "the unit knows what its disk lies on" sh -c \
	'systemctl show -p RequiresMountsFor ublk@data | grep -q /srv/data.img'
check "start the unit" systemctl start ublk@data
check "its node is there" test -b /dev/ublkb7
check "all its processes are spared at shutdown" sh -c \
	'for pid in \$(sed -n "s/^pid=//p; s/^worker=//p" /run/ublk/7); do
		head -c 1 /proc/\$pid/cmdline | grep -q @ || exit 1; done'
check "make a filesystem" mkfs.ext4 -q -L data /dev/ublkb7
check "it has a name of its file" until_so test /dev/disk/by-id/ublk-srv-data.img -ef /dev/ublkb7
check "and one of its label" until_so test /dev/disk/by-label/data -ef /dev/ublkb7
mkdir /data
echo '/dev/ublkb7 /data ext4 x-systemd.requires=ublk@data.service 0 2' >>/etc/fstab
systemctl daemon-reload
check "stop it" systemctl stop ublk@data
check_not "it is gone" test -e /dev/ublkb7
check "mounting it starts it" systemctl start data.mount
check "it is mounted" findmnt /data
: >/root/sums
check "write files" write_files first 20
echo end
systemctl reboot
STEP
clean_after install

boot reboot <<'STEP'
check "the system is up" booted
check "the disk is mounted from /etc/fstab" same "$(findmnt -n -o SOURCE /data)" /dev/ublkb7
check "its files are there" files_kept
before=$(systemctl show -p MainPID --value ublk@data)
systemctl kill -s KILL --kill-whom=all ublk@data
check "killed, the unit fails" until_so systemctl is-failed ublk@data
check "the disk stays mounted" findmnt /data
check "start it again" systemctl start ublk@data
check "it comes back" until_so sh -c \
	"test \"\$(systemctl show -p MainPID --value ublk@data)\" != $before &&
	systemctl is-active ublk@data && ublk list 7 | grep -q ' live '"
echo 3 >/proc/sys/vm/drop_caches
check "its files are there after that" files_kept
check "and more can be written" write_files second 10
check "stopping the unit unmounts the disk" systemctl stop ublk@data
check_not "it is not mounted any more" findmnt /data
check "mounting it starts it again" systemctl start data.mount
check "with its files" files_kept
echo end
systemctl reboot
STEP
clean_after reboot

cut='cut'
boot 'power cut' <<'STEP'
check "the system is up" booted
check "its files are there" files_kept
check "write files" write_files third 10
(while :; do cp /data/third-10 /data/unsynced; rm /data/unsynced; done) &
sleep 1
echo cut
sleep 600
STEP
cut=''

# The holder is in no unit, and nothing but the end of the shutdown ends it.
boot 'somebody in it' <<'STEP'
check "the system is up" booted
check "what was synced is there" files_kept
mkdir -p /etc/systemd/system/ublk@.service.d
printf '[Service]\nTimeoutStopSec=5s\n' >/etc/systemd/system/ublk@.service.d/short.conf
systemctl daemon-reload
check "write files" write_files fourth 10
truncate -s 32M /srv/hand.img
check "a disk by hand" ublk file /srv/hand.img --id 9
check "with a filesystem" mkfs.ext4 -q /dev/ublkb9
mkdir -p /mnt/hand
check "mounted by hand" mount /dev/ublkb9 /mnt/hand
cat >/root/hold <<'HOLD'
trap '' TERM HUP INT
echo $$ >/sys/fs/cgroup/cgroup.procs
cd /data
exec 5>/data/held
i=0
while :; do
	i=$((i + 1))
	echo "$i" >&5
	sleep 0.2
done
HOLD
setsid sh /root/hold </dev/null >/dev/null 2>&1 &
check "somebody writes there" until_so test -s /data/held
check "root too" sync /root/sums
kill -STOP -1
kill -CONT -1
check "all were stopped for a moment" files_kept
echo end
systemctl poweroff
STEP
clean_after 'somebody in it'
like "$(tr -d '\r' <"$logs/console-$boots")" 'reboot: Power down' \
	"somebody in it: the machine goes off"
like "$(debugfs -R 'cat /held' "$tmp/data.img" 2>/dev/null | tail -n 1)" '^[0-9]+$' \
	"somebody in it: what he wrote is there"
taken hand.img
[ -s "$tmp/data.img" ] || fail "the disk by hand is there"
unlike "$(dumpe2fs -h "$tmp/data.img" 2>/dev/null)" needs_recovery \
	"a disk that was mounted by hand was unmounted"

boot upgrade <<STEP
check "the system is up" booted
check "all files are there" files_kept
pid=\$(systemctl show -p MainPID --value ublk@data)
(while [ -e /root/reading ] || [ ! -e /root/started ]; do
	echo 3 >/proc/sys/vm/drop_caches
	files_kept || echo bad >>/root/bad
	touch /root/started
done) &
reader=\$!
touch /root/reading
until_so test -e /root/started
check "apt upgrades the package" apt_install \$step/ublk_${second}_amd64.deb
rm /root/reading
wait \$reader
check_not "nobody who reads meanwhile sees an error" test -e /root/bad
check "the unit goes on" systemctl is-active ublk@data
check "with the same process" same "\$(systemctl show -p MainPID --value ublk@data)" "\$pid"
check "and the new program" sh -c "readlink /proc/\$pid/exe | grep -q memfd"
check "which is spared at shutdown, too" sh -c "head -c 1 /proc/\$pid/cmdline | grep -q @"
check "write files" write_files fifth 5
echo end
systemctl reboot
STEP
clean_after upgrade

boot removal <<'STEP'
check "the system is up" booted
check "all files are there" files_kept
dpkg -L ublk >/root/list
truncate -s 32M /srv/hand.img
check "a disk by hand" ublk file /srv/hand.img --id 9
check "with a filesystem" mkfs.ext4 -q -F /dev/ublkb9
mkdir -p /mnt/hand
mount /dev/ublkb9 /mnt/hand
check_not "the package of a disk in use is not removed" \
	apt-get -q -y remove ublk
check "which goes on" touch /mnt/hand/file
check "unmount it" umount /mnt/hand
systemctl start data.mount
systemctl enable ublk@data
check "purge the package" apt-get -q -y purge ublk
check_not "the disk of the unit is unmounted" findmnt /data
check "no disk is left" same "$(echo /dev/ublkb* /dev/ublkc*)" '/dev/ublkb* /dev/ublkc*'
check "no process" same "$(servers)" ''
check "no file of the package" same "$(while read -r file; do
	[ -d "$file" ] || [ ! -e "$file" ] && [ ! -L "$file" ] || echo "$file"; done </root/list)" ''
check "nothing in /run" same "$(echo /run/ublk*)" '/run/ublk*'
check "no unit" same "$(find /etc/systemd -name '*ublk*')" \
	'/etc/systemd/system/ublk@.service.d'
check "but what the administrator wrote" same "$(echo /etc/ublk/*)" /etc/ublk/data.conf
echo end
systemctl poweroff
STEP
clean_after removal

done_testing
