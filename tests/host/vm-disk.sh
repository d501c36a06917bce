# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Disks of tests/vm: files that keep what is written, and scratch disks.
. "${0%/*}/../lib.sh"

mkdir "$tmp/scratch"
TMPDIR=$tmp/scratch
export TMPDIR
pattern disk 1048576 >"$tmp/with,comma"
cat >"$tmp/disks.sh" <<'SCRIPT'
blockdev --getsize64 /dev/vda
blockdev --getsize64 /dev/vdb
head -c 512 /dev/vda
head -c 8 /dev/vdb | od -An -tx1
echo written | dd of=/dev/vda bs=512 seek=1 conv=notrunc 2>/dev/null
echo written >/dev/vdb
SCRIPT
run tests/vm --disk "$tmp/with,comma" --disk 3M "$tmp/disks.sh"
is "$out" "1048576
3145728
$(pattern disk 512)
 00 00 00 00 00 00 00 00" "disks come in order: a file, and an empty one"
is "$(dd if="$tmp/with,comma" bs=512 skip=1 2>/dev/null | head -n 1)" written \
	"what the script wrote is in the file"
is "$(wc -c <"$tmp/with,comma")" 1048576 "which keeps its size"
is "$(ls "$tmp/scratch")" "" "nothing else is left"
fails 125 "a missing disk is said" tests/vm --disk "$tmp/missing" "$tmp/disks.sh"

done_testing
