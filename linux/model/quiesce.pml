/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QUIESCE_DEV without a timeout, at any time. The server leaves after it, and
 * another one takes over. Two processes end the recovery, one of them possibly
 * late. A server's buffer may have no memory when a request is delivered.
 */
#include "driver.pml"
#include "actors.pml"

proctype quiesce_dev()
{
	LOCALS;

	quiesce();
	control_done++
}

proctype succeed()
{
	LOCALS;

	start_dev(START);
	if
	:: ret == OK ->
		info == DEAD || (info != LIVE && !in_use);
		recovery_start();
		if
		:: ret == OK -> recovery_end(START)
		:: else
		fi
	:: else
	fi;
	ret = 0;
	control_done++
}

#ifdef TWICE
proctype recover_again()
{
	LOCALS;

	recovery_end(END);
	ret = 0;
	control_done++
}
#endif

#ifdef TWICE
#define CONTROLS	3
#else
#define CONTROLS	2
#endif

init {
	LOCALS;

	atomic {
		run_actors();
		run succeed();
		run quiesce_dev();
#ifdef TWICE
		run recover_again();
#endif
	}
	when_to_delete(CONTROLS);
	del_dev();
	control_done == CONTROLS;
	assert_over()
}
