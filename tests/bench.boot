#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The part of tests/bench that boots whole appliances. Prints
#   value demo MiB N          the smallest board that checks the demo's root
#   value zimg_root 10ms N    kernel start to the root's own init, in hundredths
#   value loop_root 10ms N    of a second, that is 10 million instructions each
# or `missing DEVICE REASON`. The two roots are the same folder, once as our image
# in our initramfs, once as a squashfs with gzip that a shell script puts on a loop
# device, both below an overlay. $ARCH is the board; this machine packs the images.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
out=$here/build/${ARCH:-x86_64}
PATH=$PATH:/usr/sbin:/sbin
"$here/deps/packages" squashfs-tools cpio >&2

tmp=$(mktemp -d "${TMPDIR:-/tmp}/boot.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# board INITRAMFS MEMORY WORDS: prints what the console said, of a board that
# counts its instructions.
board() {
	"$here/linux/emulate" --icount --seconds 60 \
		"$("$here/linux/default-kernel")" "quiet ublk.rescue=reboot $3" \
		-m "$2" -initrd "$1" -serial stdio </dev/null 2>&1 |
		tr -d '\r\0'
}

# busybox FOLDER: puts it there with its applets.
busybox_in() {
	for folder in bin sbin usr/bin usr/sbin proc sys dev run tmp mnt; do
		mkdir -p "$1/$folder"
	done
	cp "$out/busybox" "$1/bin/busybox"
	while read -r applet; do
		[ "$applet" = bin/busybox ] || ln -s /bin/busybox "$1/$applet"
	done <"$out/busybox.links"
}

# until_init DEVICE INITRAMFS
until_init() {
	time=$(board "$2" 64M '' | tee "$tmp/console" |
		sed -n 's/^up: \([0-9]*\)\.\([0-9]*\) .*/\1\2/p')
	if [ -n "$time" ]; then
		echo "value $1 10ms ${time#0}"
	else
		echo "missing $1 $(tail -n 1 "$tmp/console")"
	fi
}

memory() {
	for size in 20 22 24 26 28 30 32 36 40 48 56 64; do
		if board "$out/initramfs.cpio" ${size}M demo=check |
		   grep -q '^ *[1-9][0-9]* files, 0 differ$'; then
			echo "value demo MiB $size"
			return
		fi
	done
	echo "missing demo it does not boot in 64 MiB"
}

busybox_in "$tmp/root"
rm -f "$tmp/root/sbin/init"
cat >"$tmp/root/sbin/init" <<'INIT'
#!/bin/sh
[ -e /proc/uptime ] || mount -t proc proc /proc
echo "up: $(cat /proc/uptime)"
poweroff -f
INIT
chmod 755 "$tmp/root/sbin/init"
mksquashfs "$tmp/root" "$tmp/plain" -all-root -noI -noD -noF -noX -no-xattrs \
	-no-progress -quiet >&2
"$here/ublk" pack "$tmp/plain" "$tmp/root.img.gz"
"$here/initramfs/make-cpio" "$out/gen_init_cpio" "$out/ublk" \
	"$tmp/root.img.gz" "$tmp/zimg.cpio"
until_init zimg_root "$tmp/zimg.cpio"

busybox_in "$tmp/loop"
rm -f "$tmp/loop/init"
cat >"$tmp/loop/init" <<'INIT'
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/root /run/rw /newroot
mount -t squashfs -o ro,loop /root.squashfs /run/root
mount -t tmpfs rw /run/rw
mkdir /run/rw/upper /run/rw/work
mount -t overlay -o lowerdir=/run/root,upperdir=/run/rw/upper,workdir=/run/rw/work \
	root /newroot
mount --move /proc /newroot/proc
mount --move /sys /newroot/sys
mount --move /dev /newroot/dev
exec switch_root /newroot /sbin/init
INIT
chmod 755 "$tmp/loop/init"
mksquashfs "$tmp/root" "$tmp/loop/root.squashfs" -comp gzip -all-root \
	-no-xattrs -no-progress -quiet >&2
(cd "$tmp/loop" && find . | cpio -o -H newc -R 0:0 --quiet) >"$tmp/loop.cpio"
until_init loop_root "$tmp/loop.cpio"
memory
