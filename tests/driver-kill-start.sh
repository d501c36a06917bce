# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --mem 512M
# board: --timeout 600
#
# The server is killed between any two steps of its start, with and without
# recovery: the device can be deleted at once, and its number used again.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

truncate -s 16M "$tmp/file"

# usable: a server takes the number, is read, and stops.
usable() {
	devices="$devices 7"
	launch --id 7 --file "$tmp/file" ||
		{ problem="$problem, $(cat "$tmp/server")"; return; }
	must "cannot be read" dd if="$dev" of=/dev/null bs=64k 2>/dev/null
	must "cannot be deleted afterwards" "$server" --delete 7
	must "something is left" gone 7
}

for queues in 1 3; do
	for step in opened added params $late_steps; do
		case $spare$old$step in
		--*serving | --*fetched-one | --*fetched-half | --*starting | \
		*oldfetched | *oldstarted)
			skip "$queues queues, killed at $step" \
				"Linux's driver warns or hangs"
			continue ;;
		esac
		killed_at "$step" --id 7 --queues $queues --file "$tmp/file"
		not_stuck
		[ "$step" = opened ] ||
			must "it cannot be deleted" "$server" --delete 7
		usable
		answer "$queues queues, killed at $step"
	done
done
for step in added fetched-half fetched started; do
	[ $step != fetched-half ] || [ -z "$spare" ] || continue
	for recovery in wait reissue; do
		! lacks --user-copy "recovery $recovery, killed at $step" ||
			continue
		killed_at "$step" --id 7 --recovery $recovery --user-copy \
			--file "$tmp/file"
		not_stuck
		must "it cannot be deleted" "$server" --delete 7
		usable
		answer "recovery $recovery, killed at $step"
	done
done

done_testing
