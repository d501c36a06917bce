/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BATCH_IO with one queue of two tags. Claimed requests wait until one of two
 * server threads has a FETCH that takes them. A FETCH may end at any time for
 * lack of buffers. The server may be killed between any two steps, and the next
 * one must get everything that was not answered. This model is self-contained:
 * it has only this part of the device, with recovery and REISSUE.
 */
#ifndef REQUESTS
#define REQUESTS	1	/* with each tag */
#endif
#ifndef KILLS
#define KILLS		0
#endif
#ifndef QUITS
#define QUITS		0	/* threads that end by themselves */
#endif
#ifndef FAILS
#define FAILS		1	/* FETCHes that cannot deliver a request */
#endif

#ifndef USED
#define USED		2	/* how many tags have requests */
#endif

#define TAGS	2
#define THREADS	2
#define SESSIONS (KILLS + QUITS + 1)

mtype:slot = { IDLE, ARMED, CLAIMED, SERVING };
mtype:service = { NOT_STARTED, DELIVER, HOLD };
mtype:rq = { FREE, OUT, REQUEUED };

mtype:slot state[TAGS] = IDLE;
mtype:service service = NOT_STARTED;
mtype:rq rq[TAGS] = FREE;	/* OUT: with the driver or the server */
bit dispatching[TAGS];		/* in queue_rq */
bit told[TAGS];			/* the server has read the tag */
byte answers;

/* struct ublk_queue and struct ublk_batch; one bit per tag */
byte pending, backlog;
bit busy;			/* batch->active */
bit listed[THREADS];		/* the FETCH of a thread is in the list */
bit held[THREADS];		/* the FETCH has not completed */
bit task_work[THREADS];		/* task work is queued, to deliver */

/* struct ublk_device */
bit broken;
bit prepared;			/* dev->fetched: all tags are fetched */
bit abort_queued, abort_runs;
bit in_use;

/* The server. */
bit killed;
byte threads;			/* that have /dev/ublkcN open */
byte session;
byte kills = KILLS;
byte quits = QUITS;
byte fails = FAILS;

#define ALL_ANSWERED	(answers == USED * REQUESTS)

/* ublk_request_unserved() */
inline unserved(t)
{
	atomic {
		assert(rq[t] == OUT);
		/* or it would return here for ever */
		assert(service != DELIVER || state[t] != IDLE);
		rq[t] = REQUEUED
	}
}

/* io_uring_cmd_done() */
inline fetch_done(f)
{
	d_step { assert(held[f]); held[f] = 0 }
}

/* ublk_slot_reclaim(), with REISSUE; step by step in driver.pml */
inline slot_reclaim(t)
{
	atomic {
		if
		:: state[t] == SERVING -> state[t] = IDLE; unserved(t)
		:: else
		fi
	}
}

/* ublk_slot_abort() */
inline slot_abort(t)
{
	d_step {
		if
		:: state[t] == ARMED -> state[t] = IDLE
		:: else
		fi
	}
}

/* ublk_batch_take() */
inline take()
{
	atomic {
		if
		:: !backlog -> backlog = pending; pending = 0
		:: else
		fi
	}
}

/* ublk_batch_unserved() */
inline batch_unserved()
{
	take();
	do
	:: atomic { backlog & 1 ->
			backlog = backlog & ~1; state[0] = IDLE; unserved(0) }
	:: atomic { !(backlog & 1) && backlog & 2 ->
			backlog = backlog & ~2; state[1] = IDLE; unserved(1) }
	:: atomic { !backlog ->
		take();
		if
		:: !backlog -> break
		:: else
		fi }
	od
}

/* ublk_batch_run() */
inline batch_run()
{
	do
	:: atomic {
		gone = 0;
		if
		:: busy || !(pending || backlog)
		:: !busy && (pending || backlog) ->
			if
			:: listed[0] -> listed[0] = 0; task_work[0] = 1;
				busy = 1
			:: listed[1] -> listed[1] = 0; task_work[1] = 1;
				busy = 1
#ifndef FAULT_BATCH_GONE
			:: !listed[0] && !listed[1] && service != DELIVER ->
				gone = 1; busy = 1
#endif
			:: !listed[0] && !listed[1] && service == DELIVER
#ifdef FAULT_BATCH_GONE
			:: !listed[0] && !listed[1] && service != DELIVER
#endif
			fi
		fi
	   }
	   if
	   :: gone -> batch_unserved(); busy = 0
	   :: else -> break
	   fi
	od;
	gone = 0
}

/* ublk_batch_abort() */
inline batch_abort()
{
	do
	:: atomic { listed[0] -> listed[0] = 0 }; fetch_done(0)
	:: atomic { !listed[0] && listed[1] -> listed[1] = 0 }; fetch_done(1)
	:: atomic { !listed[0] && !listed[1] -> break }
	od;
#ifdef FAULT_BATCH_ABORT
	skip
#else
	batch_run()
#endif
}

/* ublk_device_abort() */
inline device_abort()
{
	atomic { slot_abort(0); slot_reclaim(0) }
	atomic { slot_abort(1); slot_reclaim(1) }
	batch_abort()
}

/* ublk_server_gone() */
inline server_gone()
{
	atomic {
		broken = 1;
		if
		:: service == DELIVER -> service = HOLD; abort_queued = 1
		:: else
		fi
	}
}

/* ublk_slot_withdraw(), then ublk_slot_armed() */
inline withdraw(t)
{
	atomic {
		if
		:: state[t] == SERVING -> state[t] = ARMED; ok = 1
		:: else
		fi
	}
	if
	:: ok -> ok = 0;
		atomic {
			if
			:: service != DELIVER -> slot_abort(t)
			:: else
			fi;
			unserved(t)
		}
	:: else
	fi
}

/*
 * ublk_batch_deliver_some(), which delivers one tag: so there are several calls
 */
inline deliver_some(t)
{
	if
	:: killed ->
		server_gone();
		state[t] = IDLE;
		unserved(t);
		err = 1
	:: else ->
		state[t] = SERVING;
		if
		:: told[t] = 1;
			if
			:: service != DELIVER -> slot_reclaim(t)
			:: else
			fi
		:: atomic { fails -> fails-- };
#ifndef FAULT_BATCH_TELL
			withdraw(t);
#endif
			err = 1
		fi
	fi
}

/* ublk_batch_deliver() */
inline deliver(f)
{
	err = 0;
	if
	:: killed || exits -> server_gone(); err = 1
	:: else ->
		do
		:: err -> break
		:: else ->
			take();
			if
			:: !backlog -> break
			:: backlog && service != DELIVER -> batch_unserved()
			:: backlog && service == DELIVER ->
				if
				/* no buffer */
				:: atomic { fails -> fails-- }; err = 1
				:: atomic { backlog & 1 ->
					backlog = backlog & ~1 }
					deliver_some(0)
				:: atomic { backlog & 2 ->
					backlog = backlog & ~2 }
					deliver_some(1)
				fi
			fi
		od
	fi;
	atomic {
		busy = 0;
#ifndef FAULT_BATCH_LIST
		err = (err || broken);
#endif
		listed[f] = !err
	}
#ifndef FAULT_BATCH_LOST
	batch_run();
#endif
	if
	:: err -> err = 0; fetch_done(f)
	:: else
	fi
}

/* ublk_batch_fetch() */
inline fetch(f)
{
	atomic {
		if
		:: broken -> ok = 0
		:: else -> held[f] = 1; listed[f] = 1; ok = 1
		fi
	}
	if
	:: ok -> ok = 0; batch_run()
	:: else
	fi
}

/* ublk_batch_prep(): one step, so that the end of a session sees all of it */
inline prep()
{
	d_step {
		if
		:: !broken && !prepared ->
			assert(state[0] == IDLE && state[1] == IDLE);
			state[0] = ARMED;
			state[1] = ARMED;
			prepared = 1
		:: else
		fi
	}
}

/* ublk_batch_cancel() */
inline cancel(f)
{
	server_gone();
#ifdef FAULT_BATCH_CANCEL
	listed[f] = 0;
	fetch_done(f)
#else
	d_step {
		ok = listed[f];
		listed[f] = 0
	}
	if
	:: ok -> ok = 0; fetch_done(f)
	:: else
	fi
#endif
}

/* ublk_slot_commit_batch() */
inline commit(t)
{
	atomic {
		if
		:: state[t] == SERVING -> state[t] = ARMED; ok = 1
		:: else
		fi
	}
	if
	:: ok -> ok = 0;
		atomic {
			if
			:: service != DELIVER -> slot_abort(t)
			:: else
			fi;
			assert(rq[t] == OUT);
			rq[t] = FREE;
			answers++
		}
	:: else
	fi
}

#define LOCALS	bit ok, gone, err

proctype server(byte f)
{
	LOCALS;
	bit exits;
	byte n;

end:	do
	/* ublk_chardev_open(), by the first thread */
	:: atomic { f == 0 && !in_use && session < SESSIONS && !ALL_ANSWERED ->
			in_use = 1; killed = 0; threads = THREADS; session++;
			told[0] = 0; told[1] = 0; n = session }
		goto serves
	:: atomic { f > 0 && session > n -> n = session }
		goto serves
	od;

serves:
	do
	:: killed -> break
	:: atomic { quits && service == DELIVER -> quits--; break }
	:: !killed && f == 0 && !prepared && !broken -> prep()
	:: !killed && prepared && !held[f] && !broken -> fetch(f)
	:: atomic { task_work[f] -> task_work[f] = 0 }; deliver(f)
	:: atomic { told[0] && !killed -> told[0] = 0 }; commit(0)
	:: atomic { told[1] && !killed -> told[1] = 0 }; commit(1)
	:: broken && !held[f] -> break
	od;

	/* do_exit(), io_uring_cancel_generic(), the last fput() */
	exits = 1;
	if
	:: held[f] -> cancel(f)
	:: else
	fi;
	do
	:: atomic { task_work[f] -> task_work[f] = 0 }; deliver(f)
	:: !held[f] && !task_work[f] -> break
	od;
	exits = 0;
	if
	:: atomic { threads > 1 -> threads-- }
	:: atomic { threads == 1 -> threads = 0 };
		/* ublk_server_closed() */
		server_gone();
		!dispatching[0]; !dispatching[1];
		!abort_queued && !abort_runs;
		device_abort();
		d_step {
			assert(state[0] == IDLE && state[1] == IDLE);
			assert(!pending && !backlog && !busy);
			assert(!listed[0] && !listed[1]);
			broken = 0;
			prepared = 0;
			in_use = 0
		}
	fi;
	goto end
}

/* START_DEV, and END_USER_RECOVERY with its kick */
active proctype control()
{
end:	do
	:: atomic { service != DELIVER && prepared && !broken ->
			assert(state[0] == ARMED && state[1] == ARMED);
			service = DELIVER }
	od
}

/* The block layer: a request with a tag; ublk_queue_rq(), ublk_batch_send() */
proctype block(byte t)
{
	LOCALS;
	byte n;

	do
	:: n == REQUESTS && rq[t] == FREE -> break
	:: atomic { n < REQUESTS && rq[t] == FREE && service != NOT_STARTED ->
			rq[t] = OUT; n++; dispatching[t] = 1 }
		goto queue_rq
	:: atomic { rq[t] == REQUEUED && service == DELIVER ->
			rq[t] = OUT; dispatching[t] = 1 }
queue_rq:
		atomic {
			if
			:: service == DELIVER && state[t] == ARMED ->
				state[t] = CLAIMED;
				ok = 1
			:: else -> unserved(t)
			fi
		}
		if
		:: ok ->
			atomic {
				ok = (pending == 0);
				pending = pending | (1 << t)
			}
			if
			:: ok -> ok = 0; batch_run()
			:: else
			fi
		:: else
		fi;
		dispatching[t] = 0
	od
}

active proctype abort_worker()
{
	LOCALS;

end:	do
	:: atomic { abort_queued -> abort_queued = 0; abort_runs = 1 };
		device_abort();
		abort_runs = 0
	od
}

active proctype killer()
{
end:	do
	:: atomic { kills && threads && !killed -> kills--; killed = 1 }
	od
}

/* At the end, STOP_DEV: commands complete, and the server ends. */
init {
	LOCALS;

	atomic {
		run server(0);
		run server(1);
		run block(0);
#if USED > 1
		run block(1)
#endif
	}
	ALL_ANSWERED;
	atomic { broken = in_use; service = HOLD }
	device_abort();
	!in_use && !abort_queued && !abort_runs;
	assert(!held[0] && !held[1] && rq[0] == FREE && rq[1] == FREE)
}
