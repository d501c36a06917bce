/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server dies, and another one takes over what it left: all requests and,
 * with RECOVERY=REISSUE, also those that it was serving. STOP and DEL come at
 * any time. After a STOP, the new server may be started like a first one.
 */
#include "driver.pml"
#include "actors.pml"

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
		fi;
#ifdef STOP
		if
		:: ret != OK && session > 1 -> start_dev(START)
		:: else
		fi
#endif
	:: else
	fi;
	ret = 0;
	control_done++
}

#ifdef STOP
#define CONTROLS	2

proctype stop()
{
	LOCALS;

	stop_dev();
	control_done++
}
#else
#define CONTROLS	1
#endif

init {
	LOCALS;

	atomic {
		run_actors();
		run succeed();
#ifdef STOP
		run stop();
#endif
	}
	when_to_delete(CONTROLS);
	del_dev();
	control_done == CONTROLS;
	assert_over()
}
