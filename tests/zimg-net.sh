# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add tests/nbd.lib --add $O/driver/exporter
# board: --add tests/nginx.lib --tool mkfs.ext4 --tool nginx --disk 80M --timeout 900
# kernel: tests
#
# An image on a server of NBD or HTTP as a disk: read by one queue and by several,
# while the server is killed and started again, and while the processes of the disk
# are. While the server is away, reads wait, or with --timeout fail after that time.
# A file that changes on a web server is an error.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"
. "${0%/*}/nbd.lib"
. "${0%/*}/nginx.lib"
uri=nbd://127.0.0.1:$port/any
web=http://127.0.0.1:20080

# A disk with zeroes in it, and what does not compress, so that little of its image
# is in memory; and its image.
disk=$tmp/below/disk
n=0
while [ $n -lt 6 ]; do
	dd if=/dev/urandom bs=65536 count=16 2>/dev/null
	dd if=/dev/zero bs=65536 count=$((n % 3)) 2>/dev/null
	n=$((n + 1))
done >"$disk"
ublk pack "$disk" "$tmp/below/image.gz" 2>/dev/null
ok "an image" ublk pack --force "$disk" "$tmp/below/export"
size=$(wc -c <"$disk")
# An export has whole blocks.
length=$(wc -c <"$tmp/below/export")
truncate -s $(((length + 4095) / 4096 * 4096)) "$tmp/below/export"
note "$size bytes, and $(wc -c <"$tmp/below/export") of the image"

# the_disk NAME: a check that all of it is read.
the_disk() {
	is "$(read_back "$dev" "$size" | sum -)" "$(sum "$disk")" "$1"
}
# drop: nothing is read from memory.
drop() {
	echo 3 >/proc/sys/vm/drop_caches
}

mkdir -p /etc /var/log/nginx /var/lib/nginx
grep -q ^nobody: /etc/passwd 2>/dev/null || echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
grep -q ^nogroup: /etc/group 2>/dev/null || echo 'nogroup:x:65534:' >>/etc/group
nginx_conf 20080 "$tmp/below"
serves() {
	nginx -e stderr -c "$tmp/nginx.conf" 2>"$tmp/nginx.err" &
	exporter=$!
	wait_until 20 grep -q ':4E70 00000000:0000 0A' /proc/net/tcp
}

# works START URI OPTION...
works() {
	start=$1
	shift
	title="$start $*"
	$start
	served "$title" zimg "$@"
	the_disk "$title: it is read"
	drop
	is "$(read_back "$dev" 65536 | sum -)" "$(head -c 65536 "$disk" | sum -)" \
		"$title: and again"
	fails 1 "$title: it cannot be written" dd if=/dev/zero of="$dev" bs=4096 count=1
	stopped "$title: stop it" "$dev"
	ends
}
works exports "$uri"
works exports "$uri" -q 2 --cache 0
works serves "$web/image.gz"
works serves "$web/image.gz" -q 2

# It cannot be written at all, also with copy on write.
exports
fails 1 "below copy on write" ublk zimg --cow 1M "$uri"
like "$err" 'file or device of this machine' "it says so"
ends
fails 1 "nobody is there" ublk zimg "$uri"
like "$err" 'cannot connect' "it says so"
fails 1 "a timeout of a file" ublk zimg --timeout 1 "$tmp/below/image.gz"
like "$err" 'on a server' "it says so"

# load: reads the disk five times, until there is $tmp/enough.
load() {
	for round in 1 2 3 4 5; do
		drop
		[ "$(read_back "$dev" "$size" | sum -)" = "$(sum "$disk")" ] || return 1
	done
}
# killed NAME START URI: the server and the disk's processes are killed while it is
# read.
killed() {
	$2
	served "$1" zimg --cache 0 -q 2 "$3"
	load &
	loader=$!
	kills=0
	while runs $loader; do
		done_some
		ends
		kills=$((kills + 1))
		[ $((kills % 3)) -ne 0 ] || sleep 0.5
		$2
	done
	wait $loader
	is $? 0 "$1: the server is killed: nobody notices"
	note "$kills kills"
	[ $kills -ge 3 ] && pass "$1: it was killed" || fail "$1: it was killed" "$kills times"
	load &
	loader=$!
	kills=0
	while runs $loader; do
		worker=$(worker_of "$id")
		victim=$worker
		# One of those that read for it; that is noticed when it is needed next.
		[ $((kills % 3)) -ne 2 ] || victim=$(connector_of "$worker" | tail -n 1)
		kill -KILL "$victim"
		wait_until 30 eval '! runs $loader || another_worker'
		kills=$((kills + 1))
		done_some
	done
	wait $loader
	is $? 0 "$1: processes of the disk are killed: nobody notices"
	note "$kills kills"
	ok "$1: the program is replaced" ublk upgrade "$id"
	drop
	the_disk "$1: it is the same"
	kill -KILL "$(server_of "$id")" "$(worker_of "$id")"
	ok "$1: all are killed: recover" ublk recover "$id"
	the_disk "$1: it is the same"
	stopped "$1: stop it" "$dev"
	ends
}
killed NBD exports "$uri"
killed HTTP serves "$web/image.gz"

# Who serves has no right to make connections, and who makes them has few others.
exports
served "rights" zimg "$uri"
worker=$(worker_of "$id")
of_tasks() {
	cat /proc/"$1"/task/*/status | awk -v "field=$2:" '$1 == field { print $2 }' | sort -u
}
for process in "$worker" "$(connector_of "$worker")"; do
	is "$(of_tasks "$process" Seccomp)" 2 "all threads are behind a filter of calls"
	is "$(of_tasks "$process" CapEff)" 0000000000000000 "without capabilities"
done

# The server is away: reads wait, and the list says so. What is cached is read.
reads() {
	dd if="$dev" bs=4096 skip="$1" count=1 iflag=direct 2>"$tmp/error" | sum - >"$tmp/sum" &
	reader=$!
}
# block N: what is there.
block() {
	dd if="$disk" bs=4096 skip="$1" count=1 2>/dev/null | sum -
}
lists() {
	ublk list "$id" | grep -q "$1"
}
reads 0
wait $reader
ends
reads 500
wait_until 20 lists "waiting for $uri" && pass "the server is away: the list says so" ||
	fail "the server is away: the list says so" "$(ublk list "$id")"
is "$(dd if="$dev" bs=4096 count=1 iflag=direct 2>/dev/null | sum -)" "$(block 0)" \
	"what is in the cache is read"
runs $reader && pass "the other read waits" || fail "the other read waits"
exports
wait $reader
is "$(cat "$tmp/sum")" "$(block 500)" "it is back: the read is answered"
lists waiting && fail "the list is as before" || pass "the list is as before"

# By force, and not without, a disk is stopped whose reads wait.
ends
reads 1000
wait_until 20 lists "waiting for"
fails 1 "it is in use" ublk stop "$dev"
ok "it is stopped by force" ublk stop --force "$dev"
wait $reader
like "$(cat "$tmp/error")" error "who waited has an error"
is "$(ls -d /sys/block/ublkb* /dev/ublk[bc]* 2>/dev/null)" '' "nothing is left"
unlike "$(said)" damaged "and no chunk is called damaged"

# With a timeout reads fail after that.
exports
served "with a timeout" zimg --timeout 2 --cache 0 "$uri"
the_disk "it is read"
ends
drop
fails 1 "the server stays away: it cannot be read" \
	dd if="$dev" of=/dev/null bs=4096 skip=1000 count=1 iflag=direct
like "$(said)" 'no answer for 2 seconds' "the log says why"
exports
the_disk "it is back: so is the disk"
ends
stopped "the server is away, and nobody waits: stop it" "$dev"

# What is only read ahead keeps nobody from stopping the disk.
exports
served "a disk that is read ahead" zimg "$uri"
reads 0
wait $reader
ends
ok "it is read in order, out of the cache" \
	dd if="$dev" of=/dev/null bs=4096 count=3 iflag=direct
wait_until 20 lists "waiting for" && pass "the next chunk is waited for" ||
	fail "the next chunk is waited for"
stopped "it can be stopped" "$dev"

# A file that has changed is an error, and not damage.
serves
served "a file that changes" zimg --cache 0 "$web/image.gz"
the_disk "it is read"
cp -p "$tmp/below/image.gz" "$tmp/below/kept.gz"
printf 'more' >>"$tmp/below/image.gz"
drop
fails 1 "it has changed: it cannot be read" \
	dd if="$dev" of=/dev/null bs=4096 skip=1000 count=1 iflag=direct
like "$(said)" 'has changed' "the log says why"
unlike "$(said)" damaged "no chunk is called damaged"
mv "$tmp/below/kept.gz" "$tmp/below/image.gz"
drop
the_disk "it is again what it was: so is the disk"
stopped "stop it" "$dev"
ends

done_testing
