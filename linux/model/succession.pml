/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server without recovery is started and killed, and the next one opens
 * /dev/ublkcN as soon as it can. It must be started, too, whatever is left to
 * clean up of the first.
 */
#include "driver.pml"
#include "actors.pml"

init {
	LOCALS;

	run_actors();
	do
	:: session == 2 && threads -> break
	:: start_dev(START);
		if
		:: ret == OK -> session == 2 && threads
		:: else
		fi
	od;
	do
	:: start_dev(START);
		if
		:: ret == OK -> break
		:: else
		fi
	od;
	del_dev();
	assert_over()
}
