/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that take the driver's steps, in any order: the threads of
 * servers that follow one another, users of the disk, the workers, the timer,
 * and one that kills servers.
 */

#ifndef SESSIONS
#define SESSIONS	1	/* servers, one after the other */
#endif
#ifndef KILLS
#define KILLS		0	/* how many servers may be killed */
#endif
#ifndef QUITS
#define QUITS		0	/* how many threads may end alone */
#endif
#ifndef REQUESTS
#define REQUESTS	1	/* with each tag */
#endif

byte kills = KILLS;
byte quits = QUITS;
byte servers_done;		/* threads that will not return */
byte control_done;		/* control processes that have ended */

/*
 * A server opens /dev/ublkcN as soon as it can. LATE_DEL reduces the number of
 * states: a server opens it when it may fetch, and DEL comes when nothing else
 * can happen any more.
 */
#ifdef LATE_DEL
#define may_open	((!in_use && fetchable) || deleted)
#else
#define may_open	(!in_use || deleted)
#endif

#ifdef LAST_CLOSE
/*
 * The last close of the disk writes back dirty data, and waits for that. It is
 * due when a request ends that had the last reference to a file. It runs in the
 * task that ended the request, if bottom halves are enabled there, and else in
 * a worker.
 */
inline last_close(t)
{
	close_due = 0;
	if
	:: d_step { rq[t] == FREE && disk == DISK -> rq[t] = QUEUED; seen[t] = 0 };
		rq[t] == FREE;
		close_due = 0
	:: disk != DISK
	fi
}

proctype closer()
{
end:	do
	:: close_due -> last_close(0)
	od
}
#endif

/*
 * A thread of the server, in all sessions. It fetches its slot, serves, and
 * ends when a command completes with anything but a request: no signal is
 * needed. The last one to end closes /dev/ublkcN.
 */
proctype server(byte t)
{
	LOCALS;
	byte n = 0;

	do
	:: n == SESSIONS -> break
	:: n < SESSIONS ->
		/* ublk_chardev_open(), by the first thread */
		atomic {
			if
			:: t == 0 && threads == 0 && may_open ->
				if
				:: deleted -> session = SESSIONS + 1; break
				:: else
				fi;
				in_use = 1;
				killed = 0;
				threads = SLOTS;
				i = 0;
				do
				:: i < SLOTS ->
					exiting[i] = 0;
					cqe[i] = NO_CQE;
					i++
				:: else -> break
				od;
				i = 0;
				session++
			:: t > 0 && session > n ->
				if
				:: session > SESSIONS -> break
				:: else
				fi
			fi;
			n++
		}

		/* a command that must wait for its turn is repeated */
		do
		:: killed -> ret = 0; break
		:: fetchable || broken || deleted ->
			fetch(t);
			if
			:: ret != EBUSY -> break
			:: else
			fi
		od;

		do
		:: ret != OK || killed -> break
		:: atomic { quits -> quits--; break }
		:: atomic { task_work[t] -> task_work[t] = 0 };
			deliver_slot(t)
		:: atomic { cqe[t] == DELIVERED -> cqe[t] = NO_CQE };
			slot_commit(t)
#ifdef FAULT_D1
			;
			if
			:: close_due -> last_close(t)
			:: else
			fi
#endif
		:: cqe[t] == ABORTED -> break
		od;
		ret = 0;

		/* do_exit(), io_uring_cancel_generic(), the last fput() */
		exiting[t] = 1;
		if
		:: held[t] -> cancel(t)
		:: else
		fi;
		do
		:: atomic { task_work[t] -> task_work[t] = 0 };
			deliver_slot(t)
		:: !held[t] && !task_work[t] -> break
		od;
		if
		:: atomic { threads > 1 -> threads-- }
		:: atomic { threads == 1 -> threads = SLOTS + 1 };
			server_closed();
			threads = 0
		fi
	od;
	servers_done++
}

/* The users of the disk, and the block layer, which runs its queue. */
proctype block(byte t)
{
	LOCALS;
	byte n = 0;

end:	do
	:: d_step { rq[t] == FREE && disk == DISK && n < REQUESTS ->
			rq[t] = QUEUED;
			n++
		}
	:: d_step { rq[t] == QUEUED && !mq_quiesced ->
			rq[t] = INFLIGHT;
			dispatching[t] = 1
		}
		queue_rq(t);
		d_step { dispatching[t] = 0; grace[t] = 0 }
	od
}

/* blk_mq_timeout_work(): checks requests that take long */
proctype timer()
{
	LOCALS;
	byte t = 0;

end:	do
	:: d_step { rq[0] == INFLIGHT && exiting[0] -> timer_runs = 1; t = 0 };
		timeout_rq(t);
		timer_runs = 0
#if SLOTS > 1
	:: d_step { rq[1] == INFLIGHT && exiting[1] -> timer_runs = 1; t = 1 };
		timeout_rq(t);
		d_step { timer_runs = 0; t = 0 }
#endif
	od
}

/* ublk_abort_work() */
proctype abort_worker()
{
	LOCALS;

end:	do
	:: d_step { abort_queued -> abort_queued = 0; abort_runs = 1 };
		device_abort(1);
		abort_runs = 0
	od
}

/* ublk_remove_work() */
proctype remove_worker()
{
	LOCALS;

end:	do
	:: d_step { remove_queued -> remove_queued = 0; remove_runs = 1 };
		remove_disk();
		remove_runs = 0
	od
}

proctype killer()
{
end:	do
	:: d_step { kills && threads && !killed -> kills--; killed = 1 }
	od
}

inline run_actors()
{
	atomic {
		run abort_worker();
#if RECOVERY == NO_RECOVERY
		run remove_worker();
#endif
#if defined(LAST_CLOSE) && !defined(FAULT_D1)
		run closer();
#endif
#if KILLS
		run killer();
#endif
#if KILLS || QUITS
		run timer();
#endif
		run server(0);
		run block(0);
#if SLOTS > 1
		run server(1);
		run block(1);
#endif
	}
}

/* DEL_DEV comes at any time; with LATE_DEL, at the end. */
inline when_to_delete(controls)
{
#ifdef LATE_DEL
	control_done == controls || servers_done == SLOTS
#else
	skip
#endif
}

/*
 * At the end: nobody waits, every request was ended, no command is held, and no
 * slot has anything that nobody will reclaim.
 */
inline assert_over()
{
	byte s = 0;

	servers_done == SLOTS;
	assert(threads == 0);
	do
	:: s < SLOTS ->
		assert(state[s] == IDLE && !held[s] && !task[s]);
		assert(rq[s] == FREE && !task_work[s]);
		s++
	:: else -> break
	od;
	assert(disk == NO_DISK && service == NOT_STARTED && !mutex)
}
