# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: python3
#
# A kernel's image that expands itself contains the kernel that was linked, and not
# one that the compiler's cache had kept.
. "${0%/*}/../lib.sh"

arch=${ARCH:-x86_64}
image=$(linux/default-kernel)
built=build/$arch/linux-6.12
[ -f "$image" ] && [ -f "$built/vmlinux" ] || skip_all "no $image: make kernel"

# What the image is made of: on ARM piggy_data, elsewhere named for the compression.
packed=''
for file in "$built"/arch/*/boot/compressed/piggy_data \
	"$built"/arch/*/boot/compressed/vmlinux.bin.?*; do
	[ ! -f "$file" ] || packed=$file
done
[ -n "$packed" ] || skip_all "the image of $arch is not compressed"

ok "the image has ${packed##*/}" python3 -c 'import sys
image, packed = (open(name, "rb").read() for name in sys.argv[1:])
sys.exit(packed not in image)' "$image" "$packed"

done_testing
