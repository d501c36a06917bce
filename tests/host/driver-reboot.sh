# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A board whose server is dead still reboots: by itself and cleanly, with the
# disk mounted and dirty, even if requests wait for a server that never comes.
. "${0%/*}/../lib.sh"

arch=${ARCH:-x86_64}
kernel=${TESTS_KERNEL:-$(linux/default-kernel)}
program=build/$arch/driver/server
[ -x "$program" ] || skip_all "no $program: run make driver-programs"
deps/packages e2fsprogs >&2

# A shutdown syncs and unmounts first. With recovery, these wait for the next
# server, as they should, and here they are still waiting at the reboot. -n:
# otherwise BusyBox's reboot would itself wait for its sync.
cat >"$tmp/script" <<'SCRIPT'
. /add/lib.sh
. /add/driver.lib
mkdir "$tmp/mnt"
truncate -s 32M "$tmp/file"
launch --id 3 --file "$tmp/file" $spare $(cat /add/options) || exit 1
mkfs.ext4 -q -F "$dev"
mount "$dev" "$tmp/mnt"
(while dd if=/dev/zero of="$tmp/mnt/file" bs=64k count=100 conv=fsync; do :; done) \
	>/dev/null 2>&1 &
seen_before=$(seen_requests)
wait_until 20 loaded || exit 1
kill -KILL "$pid"
wait_until 2 ended "$pid"
echo "the server is dead"
(sync; umount "$tmp/mnt") &
sleep 1
reboot -nf
sleep 100
SCRIPT

export VM_LOG="$tmp/log"
for options in "--queues 1" "--queues 2 --recovery reissue" \
	"--queues 1 --recovery wait"; do
	printf '%s\n' "$options" >"$tmp/options"
	run tests/vm --kernel "$kernel" --timeout 60 \
		--add tests/lib.sh --add tests/driver.lib --add "$program" \
		--add "$tmp/options" --tool mkfs.ext4 "$tmp/script"
	like "$out" "the server is dead" "$options: the server dies"
	# The board must go off before the script ends.
	unlike "$err" "reported a failure|no end after" \
		"$options: no report, and the board goes off by itself"
	like "$(cat "$tmp/log")" "reboot: (Restarting system|machine restart)" \
		"$options: it was a reboot"
done

done_testing
