/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The references to a request whose pages are lent to rings, for one slot. A
 * request ends once, with the result that it was given, and not while a ring
 * has its pages; also if the server is killed. The next server gets nothing
 * while a ring of the last one has pages: it could still be writing them. This
 * model is self-contained: it has only this part of the device.
 */
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif

mtype = { IDLE, ARMED, WORKING, SERVING, NOTHING, ANSWER, RECLAIM };

mtype state = ARMED;	/* of the slot; WORKING: somebody owns it */
mtype result = NOTHING;	/* slot->result */
byte refs;		/* slot->refs */
bool by_driver;		/* a server's ring has the pages, through delivery */
byte lent_ring;		/* slot->lent_ring: the session whose ring has them */
byte session;
bool live = true;	/* service == UBLK_DELIVER */
bool locked;		/* the server's ring, during delivery */
byte busy;		/* commands and deliveries; delay the close */
bool leaving;		/* dev->leaving: closed, and nobody can follow yet */
bool work;		/* dev->left_work is queued */

/* Not in the driver: the rules that it must keep. */
bool out;		/* a request has the tag */
bool answered;		/* the server has answered it */
byte lent;		/* how many rings have its pages */
byte done;		/* requests that were ended */

#define OVER (done == REQUESTS)

/* ublk_request_finish(): a request that was reclaimed is served again. */
inline finish() {
	assert(out && !lent);
	if
	:: result == ANSWER -> assert(answered); done++
	:: result == RECLAIM -> assert(!answered)
	:: else -> assert(false)
	fi;
	out = false
}

/* ublk_slot_request_put() */
inline put() {
	atomic { assert(refs); refs--; last = !refs };
	if
	:: last ->
#ifndef FAULT_LENT_WORK
		work = (leaving -> true : work);
#endif
		d_step { finish() }
	:: else
	fi
}

/* ublk_server_left() */
inline left() {
	d_step {
		if
#ifdef FAULT_LENT_NEXT
		:: leaving -> leaving = false
#else
		:: leaving && !refs -> leaving = false
#endif
		:: else
		fi
	}
}

/* ublk_slot_reclaim(), for a slot whose @state may be SERVING */
inline reclaim() {
	atomic {
		if
		:: state == SERVING -> state = WORKING; mine = true
		:: else -> mine = false
		fi
	};
	if
	:: mine -> result = RECLAIM; state = IDLE; put()
	:: else
	fi
}

/* ublk_slot_abort() */
inline abort() {
	atomic {
		if
		:: state == ARMED -> state = IDLE
		:: else
		fi
	}
}

/* ublk_claim() and ublk_deliver_slot(); a ring may have no room for pages. */
active proctype block() {
	bool last, mine, had;
	byte ring;

end:	do
	:: atomic { live && state == ARMED && !out && !OVER ->
		state = WORKING; ring = session; busy++; out = true;
		answered = false };
	   if
	   :: !live -> state = IDLE; out = false
	   :: else ->
#ifdef FAULT_LENT_COUNT
		refs = 2;
#endif
#ifndef FAULT_LENT_LOCK
		locked = true;
#endif
		if
		:: d_step { lent++; by_driver = true; lent_ring = ring;
			had = true }
		:: had = false
		fi;
		refs = (had -> 2 : 1);
		state = SERVING;
		locked = false;
		if
		:: !live -> reclaim()
		:: else
		fi
	   fi;
	   busy--
	od
}

/* ublk_slot_commit() */
active proctype server() {
	bool last, had;
	byte ring;

end:	do
	:: atomic { live && state == SERVING ->
		state = WORKING; ring = session; busy++ };
	   d_step { answered = true; result = ANSWER };
	   atomic {
		if
		:: by_driver && lent_ring == ring ->
			by_driver = false; lent--; had = true
		:: else -> had = false
		fi
	   };
	   if
	   :: had -> put()
	   :: else
	   fi;
	   state = ARMED;
	   if
	   :: !live -> abort()
	   :: else
	   fi;
#ifdef FAULT_LENT_END
	   if
	   :: out && refs -> d_step { refs = 0; finish() }
	   :: else
	   fi;
#else
	   put();
#endif
	   busy--
	od
}

/*
 * Lends the pages to a ring with REGISTER_IO_BUF, ublk_lend(), and the ring
 * releases them at any time. The request can change between the check of the
 * state and the reference.
 */
active [2] proctype taker() {
	bool last, got;

end:	do
	:: state == SERVING ->
	   atomic {
		got = refs > 0;
		refs = (got -> refs + 1 : refs);
		lent = (got -> lent + 1 : lent)
	   };
	   if
	   :: got -> lent--; put()
	   :: else
	   fi
	od
}

/* The ring of a dead server releases the pages, at any time. */
active proctype ring() {
	bool last;

end:	do
	:: atomic { by_driver && lent_ring != session && !locked ->
		by_driver = false; lent-- };
	   put()
	od
}

/* ublk_left_work() */
active proctype worker() {
end:	do
	:: d_step { work -> work = false }; left()
	od
}

/*
 * Deaths, ublk_server_closed(), and the next server's START_USER_RECOVERY and
 * FETCH.
 */
active proctype killer() {
	bool last, mine;
	byte kills;

	do
	:: kills < KILLS && !OVER ->
		d_step { live = false; session++ };
		abort();
		reclaim();
		state == IDLE && !busy;
		leaving = true;
		left();
		!leaving;
		assert(!lent);
#ifdef FAULT_LENT_RESULT
		result = RECLAIM;
#endif
		state = ARMED;
		live = true;
		kills++
	:: kills == KILLS || OVER -> break
	od;
	OVER
}
