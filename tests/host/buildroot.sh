# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: patch
#
# The external tree for Buildroot names files, processors and versions that there are.
# With BUILDROOT=FOLDER, a source tree of Buildroot, its check-package has nothing to say,
# and it builds the program for arm64 and this machine, an image and an initramfs. Of what
# it would download for that, stand-ins hand over this machine's programs.
. "${0%/*}/../lib.sh"
. "${0%/*}/../sources.lib"

tree=packaging/buildroot
mk=$tree/package/ublk/ublk.mk

# value FILE NAME: prints what FILE gives to the variable.
value() {
	sed -n "s/^$2 = //p" "$1"
}

for library in musl zlib libdeflate liburing; do
	name=UBLK_$(echo "$library" | tr '[:lower:]' '[:upper:]')
	file=$tree/package/ublk-$library/ublk-$library
	version=$(value "$file.mk" "${name}_VERSION")
	is "$version" "$(awk -v p=$library '$1 == "bookworm" && $3 == p { print $4 }' \
		deps/versions | sed 's/^[0-9]*://; s/-[^-]*$//; s/\.dfsg$//')" \
		"$library: the version is the one that the tests have"
	like "$(cat "$file.hash")" "^sha256  [0-9a-f]{64}  $library-$version\.tar\.gz\$" \
		"its checksum is known"
	for licence in $(value "$file.mk" "${name}_LICENSE_FILES"); do
		[ -f "build/src/$library/$licence" ] || {
			skip "licence $licence" "no source in build/src"
			continue
		}
		is "$(sed -n "s/^sha256  \([0-9a-f]*\)  $licence\$/\1/p" "$file.hash")" \
			"$(sha256sum <"build/src/$library/$licence" | cut -d ' ' -f 1)" \
			"and that of its licence, $licence"
	done
done

# shellcheck disable=SC2016 # the variables are make's
for file in $(grep -o '\$(@D)/packaging/[^ ]*' "$mk" | sed 's|.*(@D)/||'); do
	[ -f "$file" ] && pass "$file" || fail "$file is installed, but is not there"
done
arches=$(sed -n 's/^UBLK_ARCH = //p' "$mk" | sort | paste -s -d ' ')
is "$arches" "$(linux/board | sort | paste -s -d ' ')" "it knows all processors of linux/boards"
is "$(grep -c '^	default y if' $tree/package/ublk/Config.in)" 5 \
	"and so do its menus, MIPS in one line"
# Every option of ours that is asked for can be chosen.
for option in $(grep -rho 'BR2_[A-Z_]*UBLK[A-Z0-9_]*' $tree | sort -u); do
	case $option in BR2_EXTERNAL_UBLK_PATH) continue ;; esac
	grep -rqx "config $option" $tree && pass "$option" || fail "nothing defines $option"
done

[ -n "${BUILDROOT:-}" ] || {
	note "BUILDROOT= is not given: check-package and a build were left out"
	done_testing
	exit
}
BUILDROOT=$(realpath "$BUILDROOT")
sources=$tmp/sources
published "$sources"
cross=aarch64-linux-gnu
ok "packages for this" deps/packages rsync cpio bc unzip wget file perl fakeroot \
	squashfs-tools g++ gcc-$cross libc6-dev-arm64-cross python3-magic flake8
# shellcheck disable=SC2046 # file names without spaces
run /usr/bin/python3 "$BUILDROOT/utils/check-package" -b -q $(find $tree -type f)
is "$status$out" 0 "check-package is silent"

# Buildroot refuses compilers of distributions, which have their C library in many
# places. This is Debian's, with a folder that has nothing but the C library.
toolchain=$tmp/toolchain
sysroot=$toolchain/sysroot
mkdir -p "$toolchain/bin" "$sysroot/usr"
cp -R /usr/$cross/include /usr/$cross/lib "$sysroot/usr"
sed -i "s|/usr/$cross/lib/|/usr/lib/|g" "$sysroot/usr/lib/libc.so"
ln -s usr/lib "$sysroot/lib"
for program in ar as ld nm objcopy objdump ranlib readelf strip gcc-ar gcc-nm gcc-ranlib; do
	ln -s "$(command -v $cross-$program)" "$toolchain/bin"
done
for program in gcc cpp; do
	cat >"$toolchain/bin/$cross-$program" <<SCRIPT
#!/bin/sh
[ "\$*" != -v ] || { $cross-$program -v 2>&1 | sed 's/--with-sysroot=[^ ]*//' >&2; exit; }
exec $(command -v $cross-$program) --sysroot=$sysroot -B$sysroot/usr/lib "\$@"
SCRIPT
	chmod 755 "$toolchain/bin/$cross-$program"
done

# standin NAME PROGRAM: a source that installs this machine's PROGRAM.
standin() {
	mkdir -p "$tmp/standins/$1"
	cat >"$tmp/standins/$1/configure" <<SCRIPT
#!/bin/sh
for word; do
	case \$word in --prefix=*) prefix=\${word#*=} ;; esac
done
printf 'all:\ninstall:\n\tmkdir -p %s/bin\n\tln -sf %s %s/bin\n' \
	"\$prefix" "$(command -v "$2")" "\$prefix" >Makefile
SCRIPT
	chmod 755 "$tmp/standins/$1/configure"
}
standin fakeroot fakeroot
standin cpio cpio
mkdir -p "$tmp/standins/squashfs/squashfs-tools"
printf 'all:\ninstall:\n\tmkdir -p $(INSTALL_DIR)\n\tln -sf %s $(INSTALL_DIR)\n' \
	"$(command -v mksquashfs)" >"$tmp/standins/squashfs/squashfs-tools/Makefile"
# Buildroot wants a tar of 1.35, which writes devices' numbers otherwise; there are none.
cat >"$tmp/standins/tar" <<'SCRIPT'
#!/bin/sh
[ "$*" != --version ] || { echo 'tar (GNU tar) 1.35'; exit; }
exec /usr/bin/tar "$@"
SCRIPT
chmod 755 "$tmp/standins/tar"

output=${BUILDROOT_OUTPUT:-$tmp/output}
mkdir -p "$output"
for library in musl zlib libdeflate liburing; do
	printf 'UBLK_%s_OVERRIDE_SRCDIR = %s\n' \
		"$(echo $library | tr '[:lower:]' '[:upper:]')" "$sources/$library"
done >"$output/local.mk"
for name in fakeroot cpio squashfs; do
	printf '%s_OVERRIDE_SRCDIR = %s\n' "$(echo $name | tr '[:lower:]' '[:upper:]')" \
		"$tmp/standins/$name"
done >>"$output/local.mk"
cat >"$tmp/defconfig" <<CONFIG
BR2_aarch64=y
BR2_TOOLCHAIN_EXTERNAL=y
BR2_TOOLCHAIN_EXTERNAL_CUSTOM=y
BR2_TOOLCHAIN_EXTERNAL_PATH="$toolchain"
BR2_TOOLCHAIN_EXTERNAL_CUSTOM_PREFIX="$cross"
BR2_TOOLCHAIN_EXTERNAL_GCC_12=y
BR2_TOOLCHAIN_EXTERNAL_HEADERS_6_1=y
BR2_TOOLCHAIN_EXTERNAL_CUSTOM_GLIBC=y
BR2_TOOLCHAIN_EXTERNAL_OPENMP=y
# BR2_TOOLCHAIN_EXTERNAL_INET_RPC is not set
BR2_INIT_NONE=y
BR2_SYSTEM_BIN_SH_NONE=y
# BR2_PACKAGE_BUSYBOX is not set
# BR2_TARGET_ROOTFS_TAR is not set
BR2_TARGET_ROOTFS_UBLK=y
BR2_TARGET_ROOTFS_UBLK_VERITY=y
BR2_TARGET_ROOTFS_UBLK_INITRAMFS=y
BR2_TARGET_ROOTFS_UBLK_INITRAMFS_IMAGE=y
CONFIG
# buildroot TARGET...
buildroot() {
	env -u MAKEFLAGS PATH=/usr/sbin:/usr/bin:/sbin:/bin make -C "$BUILDROOT" \
		O="$output" BR2_EXTERNAL="$PWD/$tree" BR2_DEFCONFIG="$tmp/defconfig" \
		FAKEROOT_AUTORECONF=NO HOST_FAKEROOT_DEPENDENCIES= HOST_CPIO_DEPENDENCIES= \
		HOST_SQUASHFS_DEPENDENCIES= TAR="$tmp/standins/tar" "$@"
}
ok "Buildroot takes the configuration" buildroot defconfig
for option in BR2_PACKAGE_UBLK BR2_TARGET_ROOTFS_UBLK_SQUASHFS \
	BR2_TARGET_ROOTFS_UBLK_INITRAMFS_IMAGE; do
	like "$(cat "$output/.config")" "^$option=y\$" "$option"
done
buildroot all BR_FORCE_CHECK_DEPENDENCIES=YES >"$output/build.log" 2>&1 && pass "and builds it" ||
	fail "and builds it" "$(tail -n 40 "$output/build.log")"
program=$output/target/usr/sbin/ublk
run file "$program"
like "$out" 'ARM aarch64.*statically linked.*stripped' "the target's program is static"
like "$("$output/host/bin/ublk" --version)" '^ublk [0-9]' "this machine's program runs"
image=$output/images/rootfs.img.gz
ok "the image is whole" "$output/host/bin/ublk" check \
	--roothash "$(cat "$image.roothash")" "$image"
zcat "$image" >"$tmp/disk"
run unsquashfs -n -d "$tmp/root" "$tmp/disk"
same "$tmp/root/usr/sbin/ublk" "$program" "the target's program is in it"
mkdir "$tmp/initramfs"
(cd "$tmp/initramfs" && cpio --quiet -i --no-absolute-filenames \
	init root.img.gz) <"$output/images/ublk-initramfs.cpio"
same "$tmp/initramfs/init" "$program" "the program is the initramfs' init"
same "$tmp/initramfs/root.img.gz" "$image" "and the image is in it"
like "$(cpio --quiet -tv <"$output/images/ublk-initramfs.cpio")" \
	'^crw-------.* root .* 5, +1 .* dev/console$' "and a console"

# Of a kernel only what its configuration is made with, and Linux's own driver.
kernel=$(realpath build/linux-6.12)
[ -f "$kernel/Kbuild" ] || {
	skip "the kernel's configuration" "no build/linux-6.12: make kernel"
	done_testing
	exit
}
(cd "$kernel" && find . \( -path './scripts/*' -o -name 'Kconfig*' -o -name 'Makefile*' -o \
	-name 'Kbuild*' \) -type f ! -path './drivers/block/ublk/*' -print0) |
	tar -C "$kernel" --null --files-from - --transform 's|^\.|linux-6.12|' \
		-czf "$tmp/linux-6.12.tar.gz"
printf 'CONFIG_BLK_DEV_UBLK=m\nCONFIG_MODULES=y\nCONFIG_IO_URING=y\n' >"$tmp/linux.config"
cat >>"$tmp/defconfig" <<CONFIG
BR2_LINUX_KERNEL=y
BR2_LINUX_KERNEL_CUSTOM_TARBALL=y
BR2_LINUX_KERNEL_CUSTOM_TARBALL_LOCATION="file://$tmp/linux-6.12.tar.gz"
BR2_LINUX_KERNEL_USE_CUSTOM_CONFIG=y
BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE="$tmp/linux.config"
BR2_LINUX_KERNEL_EXT_UBLK=y
CONFIG
ok "Buildroot takes a kernel" buildroot defconfig
buildroot linux-configure BR2_DL_DIR="$tmp/dl" LINUX_DEPENDENCIES= >"$output/linux.log" 2>&1 &&
	pass "and configures it" || fail "and configures it" "$(tail -n 40 "$output/linux.log")"
linux=$(echo "$output"/build/linux-custom)
for option in BLK_DEV_UBLK IO_URING SQUASHFS OVERLAY_FS BLK_DEV_INITRD DEVTMPFS TMPFS \
	DM_VERITY CRYPTO_SHA256; do
	like "$(cat "$linux/.config")" "^CONFIG_$option=y\$" "$option is built in"
done
run diff -r linux/drivers/block/ublk "$linux/drivers/block/ublk"
is "$status$err" 1 "our driver is there"
is "$out" "Only in $linux/drivers/block/ublk: ublk_cmd.h" "and its header beside it"
done_testing
