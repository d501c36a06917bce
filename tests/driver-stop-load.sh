# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --tool fio
# board: --mem 512M --timeout 1800
#
# The device is stopped under load: requests succeed or fail, the server's
# commands are aborted, and a dead device remains that can be deleted.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

death() {
	must "cannot be stopped" "$server" --stop 5
	must "it is $(state_of 5)" state_is 5 dead
	must "there is still a disk" test ! -e "/dev/ublkb5"
	ends_with 0
	must "cannot be deleted" "$server" --delete 5
}
ends_of_load death

done_testing
