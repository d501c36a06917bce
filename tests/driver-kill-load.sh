# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --tool fio
# board: --mem 512M --timeout 1800
#
# The server is killed under load: every request gets an error, the load ends,
# nobody is stuck, and the number is free at once for the next round.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

death() {
	kill -KILL "$pid"
	dead
}
ends_of_load death

done_testing
