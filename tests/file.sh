# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool blkdiscard --tool fallocate --tool mkfs.ext4
# board: --disk 64M
#
# A regular file as a disk: what is written to the disk is at the same place in
# the file, and the rest of the file is unchanged.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

mkdir "$tmp/tmpfs" "$tmp/ext4"
mkfs.ext4 -q /dev/vda
mount -t tmpfs -o size=32M tmpfs "$tmp/tmpfs"
mount -t ext4 /dev/vda "$tmp/ext4"
at_exit 'umount "$tmp/tmpfs" "$tmp/ext4"'
at_exit 'stop_started'
page_kib=$(($(stat -f -c %S "$tmp/tmpfs") / 1024))

zeroes() {
	head -c "$1" /dev/zero | sum -
}

# used FILE: prints its allocated size in KiB.
used() {
	sync
	du -k "$1" | cut -f 1
}

pattern old 2097152 >"$tmp/old"
pattern new 2097152 >"$tmp/new"
for fs in tmpfs ext4; do
	file=$tmp/$fs/file
	cp "$tmp/old" "$file"
	served "a file on $fs" file "$file"
	is "$(cat /sys/block/ublkb$id/size)" 4096 "has the size of the file"
	same "$dev" "$tmp/old" "has the contents of the file"
	cp "$tmp/old" "$tmp/mirror"
	for sector in 1 6 8 1021 4095; do
		pattern direct 512 $sector >"$tmp/sector"
		put_direct "$dev" $sector <"$tmp/sector"
		put_direct "$tmp/mirror" $sector <"$tmp/sector"
	done
	same "$file" "$tmp/mirror" "single sectors get into the file"
	put "$dev" 0 <"$tmp/new"
	same "$file" "$tmp/new" "so does all of it"

	ok "discard 1 MiB" blkdiscard -o 524288 -l 1048576 "$dev"
	is "$(used "$file")" 1024 "its blocks are given back"
	is "$(read_back "$dev" 1048576 524288 | sum -)" "$(zeroes 1048576)" \
		"it is zeroes"
	is "$(read_back "$dev" 524288 | sum -)" \
		"$(head -c 524288 "$tmp/new" | sum -)" "what is before stays"
	is "$(read_back "$dev" 524288 1572864 | sum -)" \
		"$(tail -c 524288 "$tmp/new" | sum -)" "what is behind stays"
	is "$(stat -c %s "$file")" 2097152 "and the file is as long as it was"

	put "$dev" 0 <"$tmp/new"
	cp "$tmp/new" "$tmp/mirror"
	dd if=/dev/zero of="$tmp/mirror" bs=512 seek=3 count=2001 conv=notrunc \
		2>/dev/null
	ok "write zeroes" blkdiscard -z -o 1536 -l 1024512 "$dev"
	same "$dev" "$tmp/mirror" "they are where they belong"
	same "$file" "$tmp/mirror" "and nowhere else in the file"
	# tmpfs cannot keep blocks allocated that it zeroes.
	[ $fs = tmpfs ] ||
		is "$(used "$file")" 2048 "and the file keeps its blocks"
	ok "write zeroes for good" fallocate -p -o 4096 -l 1015808 "$dev"
	# A filesystem may count a block of its own to the file, and tmpfs keeps
	# the pages at both ends of the range, where they are larger than 4 KiB.
	ok "they are given back" [ "$(used "$file")" -lt $((1100 + 2 * page_kib)) ]
	same "$file" "$tmp/mirror" "and the same is in the file"
	stopped "stop it" "$dev"
	same "$file" "$tmp/mirror" "the file stays as it is"

	# Ranges; the last is not aligned to sectors.
	for range in "1048576 524288" "1536 512" "1000 2048"; do
		from=${range% *} size=${range#* }
		cp "$tmp/old" "$file"
		served "$size bytes from $from" file "$file" --offset "$from" \
			--size "$size"
		is "$(read_back "$dev" 2097152 | sum -)" \
			"$(tail -c +$((from + 1)) "$tmp/old" | head -c "$size" |
				sum -)" "show just that"
		pattern range "$size" >"$tmp/range"
		put "$dev" 0 <"$tmp/range"
		head -c "$from" "$tmp/old" >"$tmp/mirror"
		cat "$tmp/range" >>"$tmp/mirror"
		tail -c +$((from + size + 1)) "$tmp/old" >>"$tmp/mirror"
		same "$file" "$tmp/mirror" "change just that"
		blkdiscard -z "$dev"
		blkdiscard "$dev"
		is "$(tail -c +$((from + 1)) "$file" | head -c "$size" | sum -)" \
			"$(zeroes "$size")" "discard that"
		head -c "$from" "$tmp/old" >"$tmp/mirror"
		head -c "$size" /dev/zero >>"$tmp/mirror"
		tail -c +$((from + size + 1)) "$tmp/old" >>"$tmp/mirror"
		same "$file" "$tmp/mirror" "and just that"
		stopped "stop it" "$dev"
	done
	cp "$tmp/old" "$file"
	served "from 1M to the end" file "$file" --offset 1M
	is "$(read_back "$dev" 2097152 | sum -)" \
		"$(tail -c 1048576 "$tmp/old" | sum -)" "is the second half"
	stopped "stop it" "$dev"

	# A size that is not a multiple of the sector size.
	pattern odd 1049276 >"$file"
	cp "$file" "$tmp/mirror"
	served "a file of 2049 sectors and 700 - 512 bytes" file "$file"
	like "$err" "the last 188 bytes" "says what is left out"
	is "$(cat /sys/block/ublkb$id/size)" 2049 "has 2049 sectors"
	pattern end 512 | put_direct "$dev" 2048
	pattern end 512 | put_direct "$tmp/mirror" 2048
	same "$file" "$tmp/mirror" "the bytes behind stay"
	stopped "stop it" "$dev"

	for options in "-q 2 --block-size 4096" "-d 1" "--buffered -q 2"; do
		cp "$tmp/old" "$file"
		# shellcheck disable=SC2086 # words are meant to be split
		served "$options" file "$file" $options
		same "$dev" "$tmp/old" "gives the file"
		put "$dev" 0 <"$tmp/new"
		same "$file" "$tmp/new" "changes the file"
		stopped "stop it" "$dev"
	done
done

cd "$tmp/ext4" || exit
cp "$tmp/old" "a name with 'quotes' \"two\" and \$(spaces)"
served "a name of many words, from here" file \
	"a name with 'quotes' \"two\" and \$(spaces)"
same "$dev" "$tmp/old" "gives the file"
is "$(. "/run/ublk/$id"; echo "$argument")" \
	"$tmp/ext4/a name with 'quotes' \"two\" and \$(spaces)" \
	"its record has the absolute path"
stopped "stop it" "$dev"
ln -s file link
served "a symbolic link" file link
like "$(cat /run/ublk/$id)" "^argument=$tmp/ext4/file\$" \
	"its record has the file it points to"
stopped "stop it" "$dev"
cd /

truncate -s 3G "$tmp/ext4/file"
served "a sparse file of 3G, larger than its disk" file "$tmp/ext4/file"
pattern far 4096 >"$tmp/far"
put "$dev" 3221221376 <"$tmp/far"
is "$(tail -c 4096 "$tmp/ext4/file" | sum -)" "$(sum "$tmp/far")" \
	"can be written at its end"
stopped "stop it" "$dev"

done_testing
