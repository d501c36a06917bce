/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server dies during the partition scan, which continues when the next server
 * has taken over. TRY_STOP_DEV comes at any time and waits for the scan. With
 * RESIZE, UPDATE_SIZE comes instead, and does not wait.
 */
#include "driver.pml"
#include "actors.pml"

#define CONTROLS	2

/*
 * ublk_scan_work(), or the first open of the disk: a read under the open_mutex
 */
proctype scan()
{
	if
#ifdef UNTRUSTED
	:: suppressed
#endif
	:: atomic { disk == DISK && !open_mutex && rq[0] == FREE ->
#ifdef UNTRUSTED
			if
			:: suppressed -> goto over
			:: else
			fi;
#endif
			open_mutex = 1;
			rq[0] = QUEUED;
			seen[0] = 0
		}
		rq[0] == FREE;
		open_mutex = 0
	:: servers_done == SLOTS
	fi;
over:	skip
}

proctype succeed()
{
	LOCALS;

	start_dev(START);
	if
	:: ret == OK ->
		if
		:: info == DEAD || (info != LIVE && !in_use) ->
			recovery_start();
			if
			:: ret == OK -> recovery_end(START)
			:: else
			fi
#ifdef LATE_DEL
		/* No server dies, and DEL_DEV waits for the end of this. */
		:: timeout
#endif
		fi
	:: else
	fi;
	ret = 0;
	control_done++
}

/* A command that must not wait for the scan while it has the mutex. */
proctype another()
{
	LOCALS;

#ifdef RESIZE
	update_size();
#else
	try_stop_dev();
#endif
	control_done++
}

init {
	LOCALS;

	atomic {
		run_actors();
		run scan();
		run succeed();
		run another()
	}
	when_to_delete(CONTROLS);
	del_dev();
	control_done == CONTROLS;
	assert_over();
	assert(!open_mutex)
}
