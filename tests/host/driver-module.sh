# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The driver as a module, ublk_drv, for a packaged kernel of the distribution:
# built with its headers in both ways that linux/README.md describes, and tested
# by tests/driver-module.board, which prints the TAP. `make test-module` fetches
# the kernel.
. "${0%/*}/../lib.sh"

root=build/packaged-kernel
kernel=$(echo $root/boot/vmlinuz-*)
[ -f "$kernel" ] || skip_all "no packaged kernel: make test-module"
server=build/${ARCH:-x86_64}/driver/server
[ -x "$server" ] || skip_all "no $server: run make driver-programs"

# build NAME COMMAND...: must succeed without a warning.
build() {
	name=$1
	shift
	run "$@"
	[ $status -eq 0 ] && [ -z "$(grep 'warning:' "$tmp/out" "$tmp/err")" ] ||
		{
			fail "$name"
			seen
			done_testing
		}
}
# Otherwise the kernel's makefiles warn about the job server of `make -j`.
unset MAKEFLAGS
version=${kernel##*/vmlinuz-}
headers=$PWD/$root/lib/modules/$version/build

deps/packages gcc-12 make dkms >&2

# The objects are beside the sources.
mkdir "$tmp/linux" "$tmp/dkms" "$tmp/src"
cp -R linux/drivers linux/include "$tmp/linux"
module=$tmp/linux/drivers/block/ublk
build "by make" make -C "$headers" M="$module" CONFIG_BLK_DEV_UBLK=m modules

dkms() {
	command dkms "$@" --dkmstree "$tmp/dkms" --sourcetree "$tmp/src"
}
build "DKMS takes it" dkms add linux
build "by DKMS" dkms build ublk/1.0 -k "$version" --kernelsourcedir "$headers"
strip -g -o "$tmp/ublk_drv.ko" \
	"$tmp/dkms/ublk/1.0/$version/$(uname -m)/module/ublk_drv.ko"

set --
[ -z "${ROUNDS:-}" ] || set -- --append "ROUNDS=$ROUNDS"
# Some boots of this kernel end in a double fault at an emulated CMPXCHG16B.
tests/vm --kernel "$kernel" --append clearcpuid=cx16 --mem 512M --timeout 600 \
	"$@" --add tests/lib.sh --add tests/devices.lib --add "$server" \
	--add "$tmp/ublk_drv.ko" tests/driver-module.board
