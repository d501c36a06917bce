# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: cryptsetup-bin tabix
#
# The hash tree of `pack --verity` is veritysetup's, byte for byte: veritysetup
# verifies ours, and `check --roothash` its. `info` tells of it. A bit that is
# changed anywhere is found. A packing host needs little memory for it.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}
PATH=$PATH:/usr/sbin:/sbin
mkdir "$tmp/dir"
image=$tmp/dir/image

# uuid FILE OFFSET: prints the UUID in a superblock.
uuid() {
	od -An -tx1 -j $(($2 + 16)) -N 16 "$1" | tr -d ' \n' |
		sed 's/\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/'
}

# formatted FILE OFFSET OPTION...: what veritysetup says when it makes a hash tree
# at that place, for the data before it.
formatted() {
	file=$1 offset=$2
	shift 2
	veritysetup format --hash-offset="$offset" \
		--data-blocks=$((offset / 4096)) "$@" "$file" "$file"
}

# is_theirs DISK SALT OPTION...: packs the disk, and makes the same with
# veritysetup. $hash is the root hash, $data the size of the data.
is_theirs() {
	disk=$1 with=$2
	shift 2
	bytes=$(wc -c <"$disk")
	what="$bytes bytes, salt of $((${#with} / 2))${*:+, $*}"
	data=$(((bytes + 4095) / 4096 * 4096))
	ok "$what: it is packed" "$ublk" pack --force --verity --salt "$with" "$@" \
		"$disk" "$image"
	hash=$out
	like "$hash" '^[0-9a-f]{64}$' "$what: the root hash, and nothing else"
	zcat "$image" >"$tmp/ours"
	cp "$disk" "$tmp/theirs"
	truncate -s $data "$tmp/theirs"
	ok "$what: veritysetup verifies it" \
		veritysetup verify --hash-offset=$data "$tmp/ours" "$tmp/ours" "$hash"
	run formatted "$tmp/theirs" $data --salt="${with:--}" \
		--uuid="$(uuid "$tmp/ours" $data)"
	is "$(echo "$out" | sed -n 's/^Root hash:[[:space:]]*//p')" "$hash" \
		"$what: veritysetup has the same root hash"
	same "$tmp/ours" "$tmp/theirs" "$what: and makes the same disk"
	ok "$what: check agrees" "$ublk" check --roothash "$hash" "$image"
	is "$out$err" '' "$what: without a word"
	# shellcheck disable=SC2012 # our own names
	is "$(ls "$tmp/dir")" image "$what: and nothing is beside the image"
}

pattern small 3000 >"$tmp/disk0"
pattern two 8192 >"$tmp/disk1"
pattern block 524288 >"$tmp/disk2"
pattern more 700001 >"$tmp/disk3"
# Three levels need more than 64 MiB. Most of it is zeroes and holes.
pattern large 3000000 >"$tmp/disk4"
truncate -s 40M "$tmp/disk4"
head -c 5000000 /dev/zero | dd of="$tmp/disk4" bs=1M seek=40 status=none
pattern end 1000000 | dd of="$tmp/disk4" bs=1M seek=90 status=none
salt=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
is_theirs "$tmp/disk0" ''
is_theirs "$tmp/disk0" $salt
is_theirs "$tmp/disk1" ''
is_theirs "$tmp/disk2" ff
is_theirs "$tmp/disk2" '' --chunk 1M
is_theirs "$tmp/disk3" $salt
is_theirs "$tmp/disk3" $salt$salt$salt$salt$salt$salt$salt$salt --chunk 4K
is_theirs "$tmp/disk4" ''
is_theirs "$tmp/disk4" $salt --chunk 256K --verify

# The salt is that of the last one.
run "$ublk" info "$image"
like "$out" "^disk size: $(wc -c <"$tmp/ours") " 'the disk has the hash tree as well'
like "$out" "^verity data size: $data " 'info tells the size of the data'
like "$out" "^verity salt: $salt\$" 'and the salt'
like "$out" "^verity root hash: $hash\$" 'and the root hash'
ok 'without --salt' "$ublk" pack --force --verity "$tmp/disk3" "$image"
first=$out
like "$("$ublk" info "$image")" '^verity salt: none$' 'there is none'
cp "$image" "$tmp/first"
ok 'with one thread' "$ublk" pack --force --verity -j 1 "$tmp/disk3" "$image"
is "$out" "$first" 'it is the same root hash'
same "$image" "$tmp/first" 'and the same image, to its UUID'
run sh -c "cat '$tmp/disk3' | '$ublk' pack --verity - - >'$tmp/piped'"
same "$tmp/piped" "$tmp/first" 'and the same by way of pipes'
is "$err" "ublk: root hash: $first" 'which tells the root hash beside the image'
is "$out" '' 'and not in it'
ok 'without --verity' "$ublk" pack --force "$tmp/disk3" "$image"
is "$out" '' 'nothing is printed'
unlike "$("$ublk" info "$image")" verity 'and info has nothing to tell'
fails 1 'and no hash tree can be checked' "$ublk" check --roothash "$first" "$image"
like "$err" 'does not end with a hash tree' 'it says why'

fails 2 'a salt without a hash tree' "$ublk" pack --salt ff "$tmp/disk0" "$image"
for wrong in f xx "${salt}0" 0x00; do
	fails 2 "salt $wrong" "$ublk" pack --verity --salt $wrong "$tmp/disk0" "$image"
done
fails 2 'a salt of 257 bytes' "$ublk" pack --verity \
	--salt "$(printf '%0514d' 0)" "$tmp/disk0" "$image"
: >"$tmp/empty"
fails 1 'an empty disk' "$ublk" pack --force --verity "$tmp/empty" "$image"
like "$err" 'empty' 'is said to be empty'
for wrong in ff "${first}0" "x$first"; do
	fails 2 "root hash $wrong" "$ublk" check --roothash "$wrong" "$image"
done

# A hash tree that veritysetup made, with its own salt and UUID.
cp "$tmp/disk4" "$tmp/theirs"
data=$(wc -c <"$tmp/theirs")
data=$(((data + 4095) / 4096 * 4096))
truncate -s $data "$tmp/theirs"
run formatted "$tmp/theirs" $data
hash=$(echo "$out" | sed -n 's/^Root hash:[[:space:]]*//p')
ok 'a disk of veritysetup' "$ublk" pack --force "$tmp/theirs" "$image"
ok 'is checked' "$ublk" check --roothash "$hash" "$image"
like "$("$ublk" info "$image")" "^verity root hash: $hash\$" 'and told of'
gzip -1 -c "$tmp/theirs" >"$tmp/gzip"
ok 'also as gzip makes it' "$ublk" check --roothash "$hash" "$tmp/gzip"
bgzip -c "$tmp/theirs" >"$tmp/bgzip"
ok 'and bgzip' "$ublk" check --roothash "$hash" "$tmp/bgzip"
fails 1 'another root hash' "$ublk" check --roothash "$first" "$image"
like "$err" 'image: whole, but with another root hash' 'is told from damage'

# changed PLACE REGEX NAME: changes a bit of the disk, and packs it again.
changed() {
	cp "$tmp/theirs" "$tmp/bad"
	byte=$(od -An -tu1 -j "$1" -N 1 "$tmp/bad" | tr -d ' ')
	# shellcheck disable=SC2059 # the format is the data
	printf "\\$(printf '%o' $((byte ^ 16)))" |
		dd of="$tmp/bad" bs=1 seek="$1" conv=notrunc status=none
	"$ublk" pack --force -l 1 "$tmp/bad" "$image"
	fails 1 "$3" "$ublk" check --roothash "$hash" "$image"
	like "$err" "$2" "$3: it says what"
	ok "$3: the image itself is whole" "$ublk" check "$image"
}
all=$(wc -c <"$tmp/theirs")
changed 1234567 'the data is damaged; the hash tree has' 'a bit of the data'
changed $((data - 1)) 'the data is damaged' 'the last one'
changed $((data + 88)) 'neither' 'a bit of the salt'
changed $((data + 3)) 'does not end with a hash tree' 'a bit of the signature'
changed $((data + 4096)) 'the hash tree is damaged; the data has' \
	'a bit of the highest level'
changed $((data + 8192)) 'the hash tree is damaged' 'a bit of the next one'
changed $((all - 4000)) 'the hash tree is damaged' 'a bit of the lowest level'
zcat "$image" >"$tmp/bad"
run veritysetup verify --hash-offset="$data" "$tmp/bad" "$tmp/bad" "$hash"
is "$(test $status -ne 0 && echo refused)" refused 'which veritysetup finds, too'

# 4 GiB have 32 MiB of hashes. One thread has 16 MiB for everything.
truncate -s 4G "$tmp/disk"
pattern scattered 100000 | dd of="$tmp/disk" bs=1M seek=3000 conv=notrunc status=none
ok 'little memory for 32 MiB of hashes' sh -c "ulimit -v 16384; exec '$ublk' \
	pack --force --verity -l 1 -j 1 --chunk 1M '$tmp/disk' '$image'"
ok 'and to check them' sh -c "ulimit -v 16384; exec '$ublk' \
	check -j 1 --roothash $out '$image'"

done_testing
