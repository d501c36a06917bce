# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool dmsetup --tool bgzip
# kernel: tests
#
# Flash memory: what no image uses may be erased, which reads as ones, or bad,
# which cannot be read. It does no harm behind an image, right behind it or later.
# Within an image it is told, and wrong data is never read.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

PAGE=8		# sectors: what the page cache reads at least

loop=$(losetup -f)
at_exit 'stop_started; dmsetup remove --force flash 2>/dev/null; losetup -d "$loop" 2>/dev/null'
pattern disk 1000000 >"$tmp/disk"
ublk pack "$tmp/disk" "$tmp/ours.gz"
bgzip -c "$tmp/disk" >"$tmp/bgzip.gz"
gzip -c "$tmp/disk" >"$tmp/gzip.gz"

# flash IMAGE ERASED BAD: a device with the image, so many erased pages, and then
# pages that cannot be read; a negative BAD takes pages of the image.
flash() {
	dmsetup remove --force flash 2>/dev/null
	losetup -d "$loop" 2>/dev/null
	pages=$((($(wc -c <"$1") + 4095) / 4096 + $2))
	head -c $((pages * 4096)) /dev/zero | tr '\0' '\377' >"$tmp/memory"
	dd if="$1" of="$tmp/memory" conv=notrunc 2>/dev/null
	losetup "$loop" "$tmp/memory"
	good=$((pages * PAGE)) bad=$(($3 * PAGE))
	[ $bad -gt 0 ] || good=$((good + bad)) bad=$((-bad))
	printf '0 %d linear %s 0\n%d %d error\n' $good "$loop" $good $bad |
		dmsetup create --noudevsync flash
	flash=/dev/dm-$(dmsetup info -c --noheadings -o minor flash)
}

for maker in ours bgzip gzip; do
	for erased in 0 1 40; do
		what="$maker, $erased erased pages and bad ones"
		flash "$tmp/$maker.gz" $erased 16
		ok "$what: check" ublk check "$flash"
		unlike "$err" warning "$what: its end is certain"
		served "$what: serve" zimg "$flash"
		is "$(head -c 1000000 "$dev" | sum -)" "$(sum "$tmp/disk")" \
			"$what: the disk"
		stopped "$what: stop" "$dev"
	done
	flash "$tmp/$maker.gz" 0 -1
	fails 1 "$maker, its last page bad: check" ublk check "$flash"
	like "$err" "I/O error|Input/output error" "$maker: and why"
	serve zimg "$flash"
	if [ -n "$dev" ]; then
		dd if="$dev" of="$tmp/back" bs=4k conv=noerror 2>/dev/null
		ok "$maker: no wrong data" \
			cmp -n "$(wc -c <"$tmp/back")" "$tmp/back" "$tmp/disk"
		stopped "$maker: stop" "$dev"
	else
		pass "$maker: it is not served"
	fi
done

# Images whose last byte is the last one of a page: random data is stored as it is,
# so each byte more of the disk is one of the image. Ours says how long it is; of the
# others nobody knows whether a member is where the device is bad.
head -c 300000 /dev/urandom >"$tmp/random"
for maker in 'ublk pack --force' bgzip gzip; do
	length=200000
	# shellcheck disable=SC2034 # it only counts
	for try in 1 2 3 4; do
		head -c $length "$tmp/random" >"$tmp/full"
		case $maker in
		ublk*) $maker "$tmp/full" "$tmp/full.gz" ;;
		*) $maker -c "$tmp/full" >"$tmp/full.gz" ;;
		esac
		over=$(($(wc -c <"$tmp/full.gz") % 4096))
		[ $over -ne 0 ] || break
		length=$((length + 4096 - over))
	done
	is $over 0 "$maker: an image of whole pages"
	flash "$tmp/full.gz" 0 16
	ok "$maker: bad pages behind it: check" ublk check "$flash"
	case $maker in
	ublk*) is "$err" "" "$maker: in silence" ;;
	*) like "$err" "warning: cannot read behind the last member, at byte" \
		"$maker: it warns" ;;
	esac
done

# With the restart points in a file.
flash "$tmp/gzip.gz" 0 16
ok "an index of a gzip with bad pages behind it" \
	ublk index "$flash" "$tmp/index"
ok "check with it" ublk check --index "$tmp/index" "$flash"

done_testing
