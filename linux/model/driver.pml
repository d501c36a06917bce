/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The states of the driver, and every step that changes them: one inline for
 * each function of the C code, whose name is in the comment above it.
 * actors.pml has the processes that take these steps. The scenarios say what is
 * tried. README.md explains how to read a counterexample.
 *
 * An atomic or d_step block stands for something that is never seen half done
 * in the driver either: a section under dev->lock, one atomic operation on a
 * slot, or one call of the block layer or io_uring. Everything else may be
 * interrupted anywhere. Memory is sequentially consistent here: the model shows
 * that each pair of a store and a load is sufficient, not that its barriers are
 * there.
 */

#ifndef SLOTS
#define SLOTS		1	/* each fetched by a thread of its own */
#endif

/* What the device does when its server dies: RECOVERY= */
#define NO_RECOVERY	0
#define RECOVER		1
#define REISSUE		2
#define FAILFAST	3
#ifndef RECOVERY
#define RECOVERY	NO_RECOVERY
#endif

/* enum ublk_slot_state */
mtype:slot = { IDLE, ARMED, CLAIMED, SERVING, COMMITTING };
/* enum ublk_service */
mtype:service = { NOT_STARTED, DELIVER, HOLD, FAIL };
/* UBLK_S_DEV_*, as GET_DEV_INFO returns it */
mtype:info = { DEAD, LIVE, QUIESCED, FAIL_IO };
/*
 * Where a request is: nowhere, on its way to queue_rq, in the driver or with
 * the server, or on the requeue list, which needs a kick.
 */
mtype:rq = { FREE, QUEUED, INFLIGHT, REQUEUED };
/* The result with which a command of the server was completed. */
mtype:cqe = { NO_CQE, DELIVERED, ABORTED };
mtype:disk = { NO_DISK, DISK, DYING };

/* struct ublk_slot, with its command and the server's answer */
mtype:slot state[SLOTS] = IDLE;
bit held[SLOTS];		/* slot->cmd: not completed */
bit task[SLOTS];		/* slot->task */
bit task_work[SLOTS];		/* io_uring_cmd_complete_in_task() */
mtype:cqe cqe[SLOTS] = NO_CQE;

/* The request with the tag of the slot. */
mtype:rq rq[SLOTS] = FREE;
bit seen[SLOTS];		/* delivered to a healthy server */
#ifdef LAST_CLOSE
bit close_due;			/* the request's file has no other user */
#endif

/* struct ublk_device */
mtype:service service = NOT_STARTED;
mtype:info info = DEAD;
mtype:disk disk = NO_DISK;
bit mutex;
bit open_mutex;			/* of the disk, which the block layer takes */
#ifdef RESIZE
byte sectors = 1;		/* dev->params.basic.dev_sectors */
byte capacity;			/* of the disk */
#endif
bit stopping;
bit fetchable = 1;
bit broken;
bit leaving;
bit quiescing;
bit in_use;
bit deleted;
#ifdef UNTRUSTED
bit suppressed;			/* GD_SUPPRESS_PART_SCAN */
#endif
byte deaths;
byte owned;
byte fetched;
bit abort_queued, abort_runs;	/* dev->abort_work */
bit remove_queued, remove_runs;	/* dev->remove_work */

/* The block layer's queue: blk_mq_quiesce_queue(), and who is in our calls */
bit mq_quiesced;
bit dispatching[SLOTS];
bit grace[SLOTS];
bit timer_runs;

/* The tasks of the server that has /dev/ublkcN open. */
byte session;			/* which one: 1, 2... */
byte threads;			/* that have the file open */
bit killed;			/* fatal_signal_pending() */
bit exiting[SLOTS];		/* PF_EXITING */

/* How often the memory of the server's buffer may be missing. */
#ifndef NO_MEMORY
#define NO_MEMORY	0
#endif
byte no_memory = NO_MEMORY;

/*
 * dev->wait. A waiter sleeps until somebody wakes it, even if its condition is
 * true by then: a step that forgets to wake must show as a fault.
 */
#define START		0	/* START_DEV, END_USER_RECOVERY */
#define END		1	/* another END_USER_RECOVERY */
#define QUIESCE		2
bit woken[3];

#define wake_up_all() \
	d_step { woken[START] = 1; woken[END] = 1; woken[QUIESCE] = 1; }

#define mutex_lock()	atomic { !mutex -> mutex = 1; }
#define mutex_unlock()	mutex = 0

/* Variables of the process that takes a step; 0 between any two functions. */
#define LOCALS \
	bit ok, served, dead, ended; \
	byte i, tag, ret, seen_deaths

/* Answers */
#define OK		0
#define EBUSY		1
#define ENODEV		2
#define EAGAIN		3

/* ---- the end of a request */

/* io_uring_cmd_done() */
inline cmd_done(t, answer)
{
	d_step {
		assert(held[t]);	/* completed twice */
		held[t] = 0;
		cqe[t] = answer;
	}
}

/* ublk_request_end() with success */
inline request_ok(t)
{
	d_step {
		assert(rq[t] == INFLIGHT);	/* ended twice */
		rq[t] = FREE;
#ifdef LAST_CLOSE
		close_due = seen[t]
#endif
	}
}

/*
 * ublk_request_end() with EIO. This is right if there is no server and none
 * will come, or if a healthy server got the request and it must not be done
 * twice.
 */
inline request_fail(t)
{
	d_step {
		assert(rq[t] == INFLIGHT);
		assert(RECOVERY == NO_RECOVERY || RECOVERY == FAILFAST ||
		       stopping || service == NOT_STARTED ||
		       (RECOVERY == RECOVER && seen[t]));
		rq[t] = FREE;
	}
}

/* blk_mq_kick_requeue_list() */
inline kick()
{
	d_step {
		i = 0;
		do
		:: i < SLOTS ->
			if
			:: rq[i] == REQUEUED -> rq[i] = QUEUED
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

/*
 * blk_mq_wait_quiesce_done(): waits for the calls of queue_rq that have begun,
 * not for new ones
 */
inline wait_dispatched()
{
	d_step {
		i = 0;
		do
		:: i < SLOTS -> grace[i] = dispatching[i]; i++
		:: else -> break
		od;
		i = 0
	}
	do
	:: i < SLOTS -> !grace[i]; i++
	:: else -> break
	od;
	i = 0
}

/* ublk_request_unserved() */
inline request_unserved(t)
{
	atomic {
		assert(rq[t] == INFLIGHT);
		if
		:: service == HOLD -> rq[t] = REQUEUED
		:: service == DELIVER ->
			/* or it would return here for ever */
			assert(state[t] != IDLE);
			rq[t] = REQUEUED;
			kick()
		:: else -> ok = 1
		fi
	}
	if
	:: ok -> ok = 0; request_fail(t)
	:: else
	fi
}

/* ublk_request_reclaim() */
inline request_reclaim(t)
{
	if
	:: RECOVERY == REISSUE -> request_unserved(t)
	:: else -> request_fail(t)
	fi
}

/* ---- slots */

/* ublk_slot_take() */
inline slot_take(t, from, to)
{
	d_step {
		if
		:: state[t] == from -> state[t] = to; ok = 1
		:: else -> ok = 0
		fi
	}
}

/* ublk_slot_reclaim(): SERVING -> COMMITTING -> IDLE */
inline slot_reclaim(t)
{
	slot_take(t, SERVING, COMMITTING);
	if
	:: ok -> ok = 0;
		state[t] = IDLE;
		request_reclaim(t)
	:: else
	fi
}

/* ublk_slot_abort(): ARMED -> COMMITTING -> IDLE; @ok: whether it did */
inline slot_abort(t)
{
	slot_take(t, ARMED, COMMITTING);
	if
	:: ok ->
		state[t] = IDLE;
		cmd_done(t, ABORTED)
	:: else
	fi
}

/* ublk_slot_arm(): -> ARMED */
inline slot_arm(t)
{
	held[t] = 1;
	state[t] = ARMED
}

/* ublk_slot_armed() */
inline slot_armed(t)
{
	if
	:: service != DELIVER -> slot_abort(t); ok = 0
	:: else
	fi;
#ifndef FAULT_D14
	if
	:: quiescing -> wake_up_all()
	:: else
	fi
#endif
}

/* ublk_device_abort() */
inline device_abort(reclaim)
{
	tag = 0;
	do
	:: tag < SLOTS ->
		slot_abort(tag);
		if
		:: !ok && reclaim -> slot_reclaim(tag)
		:: else -> ok = 0
		fi;
		tag++
	:: else -> break
	od;
	tag = 0
}

/* ---- the death of a server */

/* ublk_session_break(), under dev->lock */
inline session_break()
{
	if
#ifdef FAULT_D7
	:: fetched && !broken -> broken = 1; deaths++
#else
	:: owned && !broken -> broken = 1; deaths++
#endif
	:: else
	fi
}

/* ublk_leave_service(), under dev->lock */
inline leave_service()
{
	if
	:: RECOVERY == NO_RECOVERY || stopping -> service = FAIL
	:: else ->
		if
		:: RECOVERY == FAILFAST -> service = FAIL; info = FAIL_IO
		:: else -> service = HOLD; info = QUIESCED
		fi
	fi
}

/* dev->abort_work and dev->remove_work are queued */
inline queue_works()
{
	abort_queued = 1;
	if
	:: RECOVERY == NO_RECOVERY -> remove_queued = 1
	:: else
	fi
}

/*
 * The part of ublk_server_gone() under dev->lock. The close of this session
 * flushes the work queued here, so that it cannot hit the next session.
 */
inline server_leaves()
{
	served = (service == DELIVER);
	session_break();
	if
	:: served ->
		leave_service();
#ifndef FAULT_LATE
		queue_works();
		served = 0
#endif
	:: else
	fi
}

inline server_left()
{
	wake_up_all();
#ifdef FAULT_LATE
	if
	:: served -> served = 0; queue_works()
	:: else
	fi
#endif
}

/* ublk_server_gone() */
inline server_gone()
{
	atomic { server_leaves() };
	server_left()
}

/* ublk_cancel(); a CLAIMED slot comes back through its task work */
inline cancel(t)
{
	server_gone();
	slot_abort(t);
	ok = 0
}

/* ublk_server_closed() */
inline server_closed()
{
	server_gone();
#ifndef FAULT_GRACE
	/* whoever saw this server must not claim a slot of the next */
	wait_dispatched();
#endif
	!abort_queued && !abort_runs;		/* flush_work() */
	device_abort(1);
	atomic {
		i = 0;
		do
		:: i < SLOTS -> task[i] = 0; i++
		:: else -> break
		od;
		i = 0;
		owned = 0;
		fetched = 0;
		broken = 0;
		fetchable = (service == NOT_STARTED);
		if
#ifndef FAULT_D8
		:: service == FAIL && (stopping || RECOVERY == NO_RECOVERY) ->
			leaving = 1
#endif
		:: else -> in_use = 0
		fi
	}
	wake_up_all()
}

/* ---- the server's commands */

/* ublk_fetch(): IDLE -> ARMED; @ret */
inline fetch(t)
{
	atomic {
		if
		:: broken || deleted -> ret = ENODEV
		:: else ->
			if
			:: !fetchable || task[t] -> ret = EBUSY
			:: else -> ret = OK; task[t] = 1; owned++
			fi
		fi
	}
	if
	:: ret == OK ->
		slot_arm(t);
		d_step {
			ended = (broken || deleted);
#ifdef FAULT_COUNT
			fetched++
#else
			if
			:: !ended -> fetched++
			:: else
			fi
#endif
		}
		wake_up_all();
		if
#ifndef FAULT_D7
		:: ended -> slot_abort(t); ok = 0
#endif
		:: else
		fi;
		ended = 0
	:: else
	fi
}

/* ublk_deliver_to_dead(): CLAIMED -> IDLE */
inline deliver_to_dead(t)
{
	server_gone();
	state[t] = IDLE;
	request_unserved(t);
	cmd_done(t, ABORTED)
}

/* ublk_undelivered(): CLAIMED -> ARMED */
inline undelivered(t)
{
	state[t] = ARMED;
	slot_armed(t);
#ifdef FAULT_D4
	request_fail(t)
#else
	/* blk_mq_requeue_request(), blk_mq_delay_kick_requeue_list() */
	d_step { assert(rq[t] == INFLIGHT); rq[t] = REQUEUED; kick() }
#endif
}

/*
 * ublk_deliver_slot(): CLAIMED -> SERVING. The copy of a WRITE's data fails if
 * the task is being killed, or if the server's buffer has no memory.
 */
inline deliver_slot(t)
{
#ifdef FAULT_D4
	d_step { dead = exiting[t]; seen[t] = !killed };
#else
	d_step { dead = (exiting[t] || killed); seen[t] = !killed };
#endif
	if
	:: dead -> dead = 0; deliver_to_dead(t)
	:: else ->
		if
		:: ret = OK
#ifdef FAULT_D4
		:: killed -> ret = EAGAIN
#else
		:: killed -> ret = ENODEV
#endif
		:: atomic { no_memory && !killed -> no_memory--; ret = EAGAIN }
		fi;
		if
		:: ret == ENODEV -> deliver_to_dead(t)
		:: ret == EAGAIN -> undelivered(t)
		:: else ->
			state[t] = SERVING;
			cmd_done(t, DELIVERED);
			if
			:: service != DELIVER -> slot_reclaim(t)
			:: else
			fi
		fi;
		ret = 0
	fi
}

/*
 * ublk_slot_commit(): SERVING -> COMMITTING -> ARMED; @ret. The copy of a
 * READ's data fails if the task is being killed.
 */
inline slot_commit(t)
{
	slot_take(t, SERVING, COMMITTING);
	if
	:: !ok -> ret = ENODEV
	:: else -> ok = 0;
		if
		:: ret = OK
		:: killed -> ret = EAGAIN;
#ifndef FAULT_D4
			server_gone()
#endif
		fi;
		slot_arm(t);
		slot_armed(t);
		/* ublk_request_finish() */
		if
		:: ret == OK -> request_ok(t)
#ifdef FAULT_D4
		:: else -> request_fail(t)
#else
		:: else -> request_unserved(t)
#endif
		fi;
#ifdef FAULT_D14
		if
		:: quiescing -> wake_up_all()
		:: else
		fi;
#endif
		ret = 0
	fi
}

/* ---- the block layer's calls */

/* ublk_queue_rq(), ublk_claim(), ublk_send_one(): ARMED -> CLAIMED */
inline queue_rq(t)
{
	if
	:: service == DELIVER -> slot_take(t, ARMED, CLAIMED)
	:: else
	fi;
	if
	:: ok -> ok = 0; task_work[t] = 1
	:: else -> request_unserved(t)
	fi
}

/*
 * ublk_timeout(): a task may end while it holds no command. The check and what
 * follows are one step: a moment later there may be another server.
 */
inline timeout_rq(t)
{
#ifdef FAULT_TIMER
	dead = (task[t] && exiting[t]);
	atomic {
		if
		:: dead -> dead = 0; ok = 1
		:: else
		fi
#else
	atomic {
		if
		:: task[t] && exiting[t] -> ok = 1
		:: else
		fi
#endif
		if
		:: ok ->
			/* never for a healthy server */
			assert(exiting[t] || !task[t]);
			server_leaves()
		:: else
		fi
	}
	if
	:: ok -> ok = 0; server_left()
	:: else
	fi
}

/* ---- the control commands */

/* ublk_is_fetched() */
#define is_fetched	(!broken && fetched == SLOTS)

/* ublk_wait_fetched(); @ret */
inline wait_fetched(who)
{
	seen_deaths = deaths;
	do
	:: woken[who] = 0;
		/* ublk_fetched_or_dead() */
		d_step {
			if
			:: deaths != seen_deaths || deleted -> ret = ENODEV
			:: else ->
				if
				:: broken -> ret = EBUSY
				:: is_fetched -> ret = OK
				:: else -> ret = EAGAIN
				fi
			fi
		}
		if
		:: ret == EAGAIN -> woken[who]
		:: else -> break
		fi
	od;
	seen_deaths = 0
}

/* Only a slot of a dead server's successor may lack a command. */
inline assert_armed()
{
	i = 0;
	do
	:: i < SLOTS -> assert(state[i] == ARMED && held[i]); i++
	:: else -> break
	od;
	i = 0
}

/* ublk_start_dev(), ublk_start_job(), ublk_device_start(); @ret */
inline start_dev(who)
{
	wait_fetched(who);
	if
	:: ret == OK ->
		mutex_lock();
		if
		:: deleted -> ret = ENODEV
		:: disk != NO_DISK -> ret = EBUSY
		:: else ->
			atomic {
				if
				:: is_fetched ->
					assert_armed();
					fetchable = 0;
					info = LIVE;
					service = DELIVER
				:: else -> ret = ENODEV
				fi
			}
			if
			:: ret == OK ->
#ifdef RESIZE
				capacity = sectors;
#endif
				disk = DISK	/* add_disk() */
			:: else
			fi
		fi;
		mutex_unlock()
	:: else
	fi
}

/*
 * del_gendisk(), which waits for opens in progress, all requests and the timer
 */
inline del_gendisk()
{
	atomic { !open_mutex -> disk = DYING };
	tag = 0;
	do
	:: tag < SLOTS -> rq[tag] == FREE; tag++
	:: else -> break
	od;
	tag = 0;
	!timer_runs;
	disk = NO_DISK
}

/* What STOP guarantees at its end: the device is like a new one. */
inline stopped()
{
	service = NOT_STARTED;
	info = DEAD;
	stopping = 0;
#ifdef FAULT_D8
	fetchable = !in_use
#else
	fetchable = 1;
	if
	:: leaving -> leaving = 0; in_use = 0
	:: else
	fi
#endif
}

/* ublk_device_stop(), under dev->mutex */
inline device_stop()
{
	if
	:: disk != NO_DISK ->
		d_step {
			stopping = 1;
			if
			:: service == HOLD -> service = FAIL
			:: else
			fi
		}
		kick();
		del_gendisk()
	:: else
	fi;
#ifdef FAULT_D6
	atomic { session_break(); stopped() };
	wake_up_all();
	device_abort(0)
#else
	atomic {
		stopping = 1;
		fetchable = 0;
		service = FAIL;
		session_break()
	}
	wake_up_all();
	device_abort(0);
	d_step { stopped() };
	wake_up_all()
#endif
}

/* ublk_stop_job() */
inline stop_dev()
{
	mutex_lock();
	device_stop();
	mutex_unlock()
}

/*
 * ublk_try_stop_dev(), and ublk_try_stop_job() while only the partition scan
 * has the disk open
 */
inline try_stop_dev()
{
	do
	:: mutex_lock();
		if
		:: disk == NO_DISK -> break
#ifdef FAULT_TRYSTOP
		:: disk == DISK && !open_mutex ->
#else
		:: disk == DISK && open_mutex ->
			mutex_unlock();
			!open_mutex	/* ublk_wait_opened() */
		:: disk == DISK && !open_mutex ->
#endif
			device_stop();
			break
		fi
	od;
	mutex_unlock()
}

/* ublk_remove_work() */
inline remove_disk()
{
	mutex_lock();
	if
	:: service == FAIL && RECOVERY == NO_RECOVERY -> device_stop()
	:: else
	fi;
	mutex_unlock()
}

/*
 * ublk_device_delete(), ublk_device_wait_gone(): the id is free when nobody has
 * the file open and no work has a reference
 */
inline del_dev()
{
	deleted = 1;
	wake_up_all();
	stop_dev();
	threads == 0 && !abort_queued && !abort_runs && !remove_queued &&
		!remove_runs
}

#ifdef RESIZE
/*
 * ublk_update_size(): both change under dev->mutex, and set_capacity_and_notify()
 * takes no lock that is held over I/O.
 */
inline update_size()
{
#ifndef FAULT_SIZE
	mutex_lock();
#endif
	if
	:: disk == NO_DISK
	:: else ->
		sectors = 2;
#ifdef FAULT_SIZE_WAITS
		atomic { !open_mutex -> open_mutex = 1 };
#endif
		d_step {
			assert(disk != NO_DISK);	/* dev->disk */
			capacity = 2
		};
#ifdef FAULT_SIZE_WAITS
		open_mutex = 0
#endif
	fi;
#ifndef FAULT_SIZE
	assert(disk == NO_DISK || capacity == sectors);
	mutex_unlock()
#endif
}
#endif

/* ublk_recovery_start(); @ret */
inline recovery_start()
{
	d_step {
		if
		:: (info != QUIESCED && info != FAIL_IO) || in_use ->
			ret = EBUSY
#ifndef FAULT_RESTART
		:: else ->
			if
			:: stopping -> ret = EBUSY
			:: else -> ret = OK; fetchable = 1
			fi
#else
		:: else -> ret = OK; fetchable = 1
#endif
		fi
	}
}

/*
 * ublk_recovery_end(), ublk_take_over(); @ret. With UNTRUSTED, all servers but
 * the first are untrusted, and get no disk whose partitions are being scanned.
 */
inline recovery_end(who)
{
	if
	:: !fetchable -> ret = EBUSY
	:: else -> wait_fetched(who)
	fi;
	if
	:: ret == OK ->
		mutex_lock();
		atomic {
			if
			:: disk == NO_DISK || service == DELIVER -> ret = EBUSY
			:: else ->
				if
				:: !is_fetched -> ret = ENODEV
#if defined(UNTRUSTED) && !defined(FAULT_TRUST)
				:: is_fetched && open_mutex -> ret = EBUSY
				:: is_fetched && !open_mutex ->
#else
				:: else ->
#endif
					assert_armed();
#ifdef UNTRUSTED
					assert(!open_mutex);
					suppressed = 1;
#endif
					info = LIVE;
					fetchable = 0;
					service = DELIVER
				fi
			fi
		}
		if
		:: ret == OK -> kick()
		:: else
		fi;
		mutex_unlock()
	:: else
	fi
}

/* ublk_is_serving(), one slot after another; @ok */
inline is_serving()
{
	tag = 0;
	do
	:: tag < SLOTS && !ok ->
		d_step {
			ok = (state[tag] == CLAIMED || state[tag] == SERVING ||
			      state[tag] == COMMITTING);
			tag++
		}
	:: else -> break
	od;
	tag = 0
}

/*
 * ublk_quiesce() without a timeout, under dev->mutex. The work gives commands
 * back, and ends before the server's successor can fetch.
 */
inline quiesce()
{
	mutex_lock();
	if
	:: disk == NO_DISK || service != DELIVER
	:: else ->
		/* blk_mq_quiesce_queue() */
		mq_quiesced = 1;
		wait_dispatched();
		quiescing = 1;
		do
		:: woken[QUIESCE] = 0;
			/* ublk_is_quiet() */
			if
			:: service != DELIVER -> break
			:: else ->
				is_serving();
				if
				:: ok -> ok = 0; woken[QUIESCE]
				:: else -> break
				fi
			fi
		od;
		quiescing = 0;
		atomic {
			if
			:: service == DELIVER ->
				leave_service();
#ifndef FAULT_QUIESCE
				session_break();
#endif
#ifndef FAULT_SCAN
				abort_queued = 1
#endif
			:: else
			fi
		}
#ifdef FAULT_SCAN
		device_abort(0);
#else
		!abort_queued && !abort_runs;	/* flush_work() */
#endif
		mq_quiesced = 0
	fi;
	mutex_unlock()
}
