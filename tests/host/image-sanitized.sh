# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: tabix gzip pigz xz-utils zopfli p7zip-full python3 bsdutils
#
# Runs the tests of pack, unpack, check and info again, with a ublk that is
# built with ASan and UBSan.
. "${0%/*}/../lib.sh"
[ -x build/asan/ublk ] || skip_all 'no build/asan/ublk'

for test in image-format image-bgzip image-gzip image-check \
	pack-input pack-output pack-progress unpack-output; do
	ok "$test" env UBLK=build/asan/ublk sh "tests/host/$test.sh"
done

done_testing
