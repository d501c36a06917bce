# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --tool fio
# board: --mem 512M --timeout 1800
#
# The device is deleted under load without being stopped. When the command
# returns, the number is free, and is used again at once.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

death() {
	must "cannot be deleted" "$server" --delete 5
	must "something is left" gone 5
}
ends_of_load death

# free: the number 5 is free, which it is a moment after the rest of the device is gone:
# when the last one who held it lets go. A server that adds a device can tell; this one
# dies after that, and the device is deleted again.
free() {
	gone 5 || return 1
	"$server" --null --id 5 --die-at added >/dev/null 2>&1
	"$server" --delete 5 2>/dev/null
}

# The asynchronous command returns before that. (Linux 6.8.)
ok "a device to try it on" launch --null --id 5
if "$server" --delete-async 5 2>&1 | grep -q "Not supported"; then
	ok "is deleted" "$server" --delete 5
	skip "asynchronously" "not offered"
	done_testing
fi
ok "is deleted" wait_until 5 free
death() {
	must "cannot be deleted" "$server" --delete-async 5
	must "something is left" wait_until 5 free
}
: "${ROUNDS:=2}"
ends_of_load death

done_testing
