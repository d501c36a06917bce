# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools cpio
#
# Memory: that of the initramfs is freed, and a board with hardly any memory
# left still reads its whole root, again and again.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"
case ${TESTS_KERNEL:-} in *-pages64)
	skip_all "a kernel with pages of 64 KiB does not start in 48 MiB" ;;
esac

new_root root <<'INIT'
server=$(sed -n s/^worker=//p /run/ublk/0)
# Pages of this kernel, as a tmpfs has them.
page_kib=$(($(stat -f -c %S /run) / 1024))
# In KiB, with the free pages that each CPU keeps for itself.
free() {
	awk -v page_kib=$page_kib '
		$1 == "nr_free_pages" || $1 == "count:" { sum += $2 }
		END { print sum * page_kib }' /proc/zoneinfo
}
memory() { sed -n "s/^$1:[^0-9]*\\([0-9]*\\) kB/\\1/p" /proc/$server/status; }
locked=$(memory VmLck) resident=$(memory VmRSS)
echo "server: $(cat /proc/$server/comm), locked $locked, resident $resident kB"
[ $resident -ge $((locked * 9 / 10)) ] && echo "server: all there"
echo "initramfs: $(cd /proc/$server/root && find . -xdev | sort | tr '\n' ' ')"
# The highest of several values: sometimes other processes are active.
for moment in 1 2 3 4 5 6; do
	echo 3 >/proc/sys/vm/drop_caches
	free
	sleep 0.3
done >/run/free
echo "free: $(sort -n /run/free | tail -n 1)"
rm /run/free
echo "boost: $(cat /proc/sys/vm/watermark_boost_factor)"
available() { sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo; }
data() { find /usr/data -type f | sort | xargs cat | md5sum; }
sectors() { awk '{ print $3 }' /sys/block/ublkb0/stat; }

if grep -q scarce /proc/cmdline; then
	mount -o remount,size=90% /run
	while [ $(available) -gt 4500 ]; do
		dd if=/dev/zero bs=128k count=4 status=none >>/run/hog || break
	done
	echo "left: $(available)"
	before=$(sectors)
	for round in 1 2 3 4; do
		echo "round $round: $(data)"
		echo 3 >/proc/sys/vm/drop_caches
	done
	echo "read: $((($(sectors) - before) / 2048)) MiB"
	dmesg | grep -iE 'oom|out of memory|allocation failure'
	ublk list | sed 1d
fi
off
INIT
mkdir "$tmp/root/usr/data"
i=0
while [ $i -lt 12 ]; do
	i=$((i + 1))
	pattern data$i 700000 | od -An -tx4 -v | tr -d ' ' |
		head -c 1000000 >"$tmp/root/usr/data/$i"
done
squashfs root
pack "$tmp/root.squashfs"

initramfs "$tmp/root.squashfs.gz"
memory=48M boot scarce
went_off "board of 48 MiB"
shows '^initramfs: \. \./dev \./proc \./run \./sys $' \
	"nothing of the initramfs is left but the server's mount points"
shows '^server: ublk, locked [1-9]' "the server goes by its name"
shows '^server: all there' "what it has locked it has already"
shows '^boost: 0' "the kernel keeps no more memory free than it must"
shows '^left: [0-4][0-9]{3}$' "memory is scarce"
shows '^read: (4[0-9]|[5-9][0-9]|[1-9][0-9]{2}) MiB' "the root was read four times"
want=$(find "$tmp/root/usr/data" -type f | sed "s|$tmp/root||" | LC_ALL=C sort |
	sed "s|^|$tmp/root|" | xargs cat | sum -)
for round in 1 2 3 4; do
	shows "^round $round: $want" "round $round: all is as it was made"
done
shows_not '(oom-kill|Out of memory|allocation failure)' "nobody had to die for it"
shows '/dev/ublkb0 +live' "the server serves"

# What the initramfs contains besides the image must not take memory later. The
# cache is small, as its contents differ from boot to boot.
boot ublk.cache=256K
without=$(printf '%s\n' "$console" | sed -n 's/^free: //p')
mkdir "$tmp/more"
head -c 12M /dev/urandom >"$tmp/more/filler"
initramfs "$tmp/root.squashfs.gz" "$tmp/more"
boot ublk.cache=256K
with=$(printf '%s\n' "$console" | sed -n 's/^free: //p')
note "free with 12 MiB more in the initramfs: $with kB, without: $without kB"
ok "12 MiB more in the initramfs cost less than 256 KiB later" \
	[ "$with" -gt $((without - 256)) ]

done_testing
