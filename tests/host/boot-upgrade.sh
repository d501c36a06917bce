# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools cpio
#
# A board of 32 MiB: the server of its root is upgraded to a program on that
# root while all of it is read, keeps the old program if the new one does not
# start, and loses its worker. Meanwhile, every file is read correctly.
. "${0%/*}/../lib.sh"
. "${0%/*}/board.lib"

new_root root <<'INIT'
# Files are read from the disk, not from the page cache.
check() {
	echo 3 >/proc/sys/vm/drop_caches
	md5sum -c /sums >/run/sums 2>&1 && echo right || {
		echo wrong
		cat /run/sums
	}
}
program() {
	cmp -s /proc/$1/exe /usr/other && echo other || echo first
}
# served NAME: which program serves the root, and that it can be read.
served() {
	. /run/ublk/0
	echo "$1: $(ublk list 0 | awk 'NR == 2 { print $3 }')" \
		"$(program $pid) $(program $worker)"
}
# refused WHEN: programs that do not start.
refused() {
	for bad in /bin/busybox /usr/half /sums; do
		ublk upgrade 0 $bad 2>/dev/null
		served "$1, $bad, status $?"
	done
}

(until [ -e /run/end ]; do check; done) >/run/checks &
reader=$!
refused first
for round in 1 2 3; do
	ublk upgrade --all /usr/other
	served "upgrade $round, status $?"
done
killed=$worker
kill -KILL $killed
until . /run/ublk/0 && [ $worker != $killed ]; do sleep 0.1; done
served killed
refused then
touch /run/end
wait $reader
echo "meanwhile: $(sort -u /run/checks | tr '\n' ' ')"
echo "afterwards: $(check)"
off
INIT
cp "$O/ublk" "$tmp/root/usr/other"
printf x >>"$tmp/root/usr/other"
head -c 2000 "$O/ublk" >"$tmp/root/usr/half"
head -c 4M /dev/urandom >"$tmp/root/usr/data"
(cd "$tmp/root" && find bin sbin usr -type f -exec md5sum {} + >sums)
squashfs root
pack "$tmp/root.squashfs"
initramfs "$tmp/root.squashfs.gz"

memory=32M boot ublk.cache=256K
went_off "board of 32 MiB"
for bad in /bin/busybox /usr/half /sums; do
	shows "^first, $bad, status 1: live first first" \
		"${bad##*/} in its place: the old program stays"
	shows "^then, $bad, status 1: live other other" \
		"${bad##*/} in the place of the other: that one stays"
done
for round in 1 2 3; do
	shows "^upgrade $round, status 0: live other other" "upgrade $round"
done
shows '^killed: live other other' "the worker is killed: there is another one"
shows '^meanwhile: right $' "all files were right all the time"
shows '^afterwards: right$' "and are so at the end"

done_testing
