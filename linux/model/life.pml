/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a device: servers come and fetch; START, STOP and DEL come at any
 * time from different processes; and with RESIZE, so does UPDATE_SIZE.
 */
#include "driver.pml"
#include "actors.pml"

proctype start()
{
	LOCALS;

	start_dev(START);
	ret = 0;
	control_done++
}

proctype stop()
{
	LOCALS;

	stop_dev();
	control_done++
}

#ifdef RESIZE
#define CONTROLS	3

proctype resize()
{
	update_size();
	control_done++
}
#else
#define CONTROLS	2
#endif

init {
	LOCALS;

	atomic {
		run_actors();
		run start();
		run stop();
#ifdef RESIZE
		run resize();
#endif
	}
	when_to_delete(CONTROLS);
	del_dev();
	control_done == CONTROLS;
	assert_over()
}
