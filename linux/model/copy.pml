/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pread() and pwrite() of a request's data (USER_COPY), for one slot. Any task
 * of the server may call them, concurrently with its COMMIT and with its death.
 * The data must be that of the request that the reference is for, and that
 * request must not end before the copy. This model is self-contained: it has
 * only this part of the device.
 */
#ifndef REQUESTS
#define REQUESTS 3
#endif
#ifndef KILLS
#define KILLS 0
#endif

mtype = { IDLE, ARMED, WORKING, SERVING, NOTHING, ANSWER, RECLAIM };

mtype state = ARMED;	/* of the slot; WORKING: somebody owns it */
mtype result = NOTHING;	/* slot->result */
byte refs;		/* slot->refs */
byte rq;		/* slot->rq: which request, 1, 2... */
bool live = true;	/* service == UBLK_DELIVER */
byte users;		/* of the file: it closes after they have left */

/* Not in the driver: the rules that it must keep. */
byte out;		/* the request that has the tag, or 0 */
byte begun;		/* requests so far */
bool answered;		/* the server has answered it */
byte copies;		/* copies in progress */
byte done;		/* requests that were ended */

#define OVER (done == REQUESTS)

/* ublk_request_finish(): a request that was reclaimed is served again. */
inline finish(which)
{
	assert(out == which && !copies);
	if
	:: result == ANSWER -> assert(answered); done++
	:: result == RECLAIM -> assert(!answered)
	:: else -> assert(false)
	fi;
	out = 0
}

/* ublk_slot_request_put() */
inline put(which)
{
	atomic { assert(refs); refs--; last = !refs };
	if
	:: last -> d_step { finish(which) }
	:: else
	fi
}

/* ublk_slot_reclaim() */
inline reclaim()
{
	atomic {
		if
		:: state == SERVING -> state = WORKING; mine = rq
		:: else -> mine = 0
		fi
	};
	if
	:: mine -> result = RECLAIM; state = IDLE; put(mine)
	:: else
	fi
}

/* ublk_slot_abort() */
inline abort()
{
	atomic {
		if
		:: state == ARMED -> state = IDLE
		:: else
		fi
	}
}

/* ublk_claim() and ublk_deliver_slot() */
active proctype block()
{
	bool last;
	byte mine;

end:	do
	:: atomic { live && state == ARMED && !out && !OVER ->
			state = WORKING;
			users++;
			begun++;
			out = begun;
			rq = begun;
			answered = false };
		if
		:: !live -> state = IDLE; out = 0
		:: else ->
			refs = 1;
			state = SERVING;
			if
			:: !live -> reclaim()
			:: else
			fi
		fi;
		users--
	od
}

/* ublk_slot_commit() */
active proctype server()
{
	bool last;
	byte mine;

end:	do
	:: atomic { live && state == SERVING ->
			state = WORKING; users++; mine = rq };
		d_step { answered = true; result = ANSWER };
		state = ARMED;
		if
		:: !live -> abort()
		:: else
		fi;
#ifdef FAULT_COPY_END
		/* ended, even during a copy */
		d_step { refs = 0; finish(mine) };
#else
		put(mine);
#endif
		users--
	od
}

/*
 * ublk_chardev_copy() with ublk_slot_request_get(). The request can change
 * between the check of the state and the reference.
 */
active [2] proctype copier()
{
	bool last, got;
	byte mine;

end:	do
	:: atomic { state == SERVING -> users++ };
#ifdef FAULT_COPY_STALE
		/* the request whose state was checked; no reference yet */
		mine = rq;
#endif
		atomic {
			got = refs > 0;
#ifndef FAULT_COPY_LOOK
			refs = (got -> refs + 1 : refs);
#endif
			copies = (got -> copies + 1 : copies)
		};
		if
		:: got ->
#ifndef FAULT_COPY_STALE
			mine = rq;
#endif
			assert(out == mine);	/* first byte */
			d_step {
				assert(out == mine);	/* last byte */
				copies--;
				got = false
			};
#ifndef FAULT_COPY_LOOK
			put(mine);
#endif
		:: else
		fi;
		d_step { mine = 0; users-- }
	od
}

/*
 * Deaths: ublk_abort_work(), concurrently with all of these;
 * ublk_server_closed(), after they have left the file; and the next server's
 * FETCH.
 */
active proctype killer()
{
	bool last;
	byte kills, mine;

	do
	:: kills < KILLS && !OVER ->
		live = false;
		abort();
		reclaim();
		state == IDLE && !users;
		state = ARMED;
		live = true;
		kills++
	:: kills == KILLS || OVER -> break
	od;
	OVER
}
