# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --tool fio
# board: --mem 512M --timeout 1800
#
# The server ends by itself under load: it exits without closing anything,
# crashes, or executes another program, from its main thread or that of a queue,
# and that program runs on. The effect is the same as if it had been killed.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"

executes() {
	[ "$(cat "/proc/$pid/comm")" = "$1" ]
}
death() {
	kill -USR2 "$pid"
	case $way in
	exit) ends_with 0 ;;
	crash) ends_with 139 ;;
	*) must "nothing is executed" wait_until 2 executes sleep ;;
	esac
	dead
	case $way in
	exec*)
		must "what it executes has ended" runs "$pid"
		kill -KILL "$pid"
		;;
	esac
}

# A task that executes another program does not end.
ways="exit crash exec exec-thread"
[ -z "$old" ] || ways="exit crash"
# shellcheck disable=SC2086 # words are meant to be split
ends_of_load death $ways

done_testing
