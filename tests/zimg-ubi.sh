# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool ubiattach --tool ubidetach --tool ubimkvol
# board: --tool ubiupdatevol --tool ubiblock
# kernel: tests
#
# An image in a volume of UBI, on a chip of flash memory that the kernel simulates.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

at_exit 'stop_started; ubiblock --remove /dev/ubi0_0 2>/dev/null; ubidetach -m "$mtd"'
mtd=$(sed -n 's/^mtd\([0-9]*\): .*"NAND simulator.*/\1/p' /proc/mtd | head -n 1)
[ -n "$mtd" ] || skip_all "no simulated flash: $(cat /proc/mtd 2>&1)"
pattern disk 2000000 >"$tmp/disk"
ublk pack "$tmp/disk" "$tmp/image.gz"
gzip -c "$tmp/disk" >"$tmp/gzip.gz"

ok "UBI on it" ubiattach -m "$mtd"
ok "a volume" ubimkvol /dev/ubi0 -N root -s 4MiB
for image in image gzip; do
	ok "$image: is written" ubiupdatevol /dev/ubi0_0 "$tmp/$image.gz"
	ok "$image: a block device" ubiblock --create /dev/ubi0_0
	served "$image: serve" zimg /dev/ubiblock0_0
	is "$(head -c 2000000 "$dev" | sum -)" "$(sum "$tmp/disk")" "$image: the disk"
	fails 255 "$image: the volume is in use" ubiblock --remove /dev/ubi0_0
	stopped "$image: stop" "$dev"
	ok "$image: remove the block device" ubiblock --remove /dev/ubi0_0
done

done_testing
