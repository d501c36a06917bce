# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools e2fsprogs cpio
#
# What is in the initramfs and in the demo's root, and that the same input
# always results in the same bytes.
. "${0%/*}/../lib.sh"

O=build/${ARCH:-x86_64}
docs=$(echo build/linux-*/Documentation | cut -d ' ' -f 1)

echo image >"$tmp/image"
make_cpio() {
	initramfs/make-cpio "$O/gen_init_cpio" "$O/ublk" "$1" "$tmp/$2"
}
make_cpio "$tmp/image" first
touch -d 2001-01-01 "$tmp/image"
chmod 600 "$tmp/image"
make_cpio "$tmp/image" second
same "$tmp/first" "$tmp/second" "an initramfs made again is the same"
is "$(cpio -itv --quiet <"$tmp/first" 2>/dev/null |
	awk '{ print $1, $3, $4, $NF }')" 'drwxr-xr-x root root dev
crw------- root root dev/console
drwxr-xr-x root root proc
drwxr-xr-x root root sys
drwxr-xr-x root root run
drwxr-xr-x root root newroot
-rwxr-xr-x root root init
-rw-r--r-- root root root.img.gz' "it has one program, the image and nothing else"
make_cpio none bare
unlike "$(cpio -it --quiet <"$tmp/bare")" image "or no image"
(cd "$tmp" && cpio -i --quiet init) <"$tmp/first"
same "$tmp/init" "$O/ublk" "the program is ublk"

# The second time as another user would, who has a copy that is nobody else's.
cp "$O/ublk" "$tmp/ublk"
mkdir "$tmp/tree"
cp -R initramfs LICENSE "$tmp/tree"
chmod -R go-rwx "$tmp/tree"
ln -s "$PWD/build" "$PWD/ublk" "$PWD/deps" "$tmp/tree"
for fs in squashfs ext4; do
	ok "the root is made as $fs" initramfs/demo/make-root busybox $fs \
		"$tmp/ublk" "$docs" "$tmp/root-$fs.gz"
	touch -d 2001-01-01 "$tmp/ublk"
	(umask 077 && "$tmp/tree/initramfs/demo/make-root" busybox $fs "$tmp/ublk" "$docs" \
		"$tmp/again-$fs.gz")
	same "$tmp/root-$fs.gz" "$tmp/again-$fs.gz" "made again it is the same"
	gzip -dc "$tmp/root-$fs.gz" >"$tmp/$fs"
done
ok "the ext4 is clean and whole" e2fsck -fn "$tmp/ext4"
run unsquashfs -lln "$tmp/squashfs"
is "$(printf '%s\n' "$out" | awk '/squashfs-root/ && $2 != "0/0"')" "" \
	"everything in it is root's"
files=$(printf '%s\n' "$out" | grep -c '^-')
sums=$(unsquashfs -cat "$tmp/squashfs" usr/share/demo/sha256sums | wc -l)
is "$sums" $((files - 1)) "the list has all files but itself"
ok "which are enough to be worth it" [ "$sums" -ge 200 ]
unlike "$(printf '%s\n' "$out" | awk '{ print $4 }')" '^20[0-9][0-9]-' \
	"nothing in it tells when it was made"

done_testing
