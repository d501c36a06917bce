/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The references to a request whose pages are lent to rings, over one slot: a
 * request ends once, with the result that it was given, and not while a ring
 * has its pages, also when the server is killed and the next one has come by
 * then. It stands for itself: of the device only this is in it.
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
bool by_driver;		/* a server's ring has the pages, by delivery */
byte lent_ring;		/* that of which session: slot->lent_ring */
byte session;
bool live = true;	/* service == UBLK_DELIVER */
bool locked;		/* the server's ring, by who delivers */
byte busy;		/* commands and deliveries: no close before their end */

/* Not the driver's: what it has to hold to. */
bool out;		/* a request has the tag */
bool answered;		/* and the server has answered it */
byte lent;		/* how many rings have its pages */
byte done;		/* requests that were ended */

#define OVER (done == REQUESTS)

/* ublk_request_finish(): one that was taken back is served anew. */
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
	:: last -> d_step { finish() }
	:: else
	fi
}

/* ublk_slot_reclaim(), of a slot that is @state SERVING or not */
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
 * Who lends the pages to a ring by REGISTER_IO_BUF, ublk_lend(), which lets go
 * of them at any time. Between the look at the state and the reference there may
 * be another request.
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

/* The ring of a dead server lets go, at any time. */
active proctype ring() {
	bool last;

end:	do
	:: atomic { by_driver && lent_ring != session && !locked ->
		by_driver = false; lent-- };
	   put()
	od
}

/* Deaths, ublk_server_closed(), and the next server's FETCH. */
active proctype killer() {
	bool last, mine;
	byte kills;

	do
	:: kills < KILLS && !OVER ->
		d_step { live = false; session++ };
		abort();
		reclaim();
		state == IDLE && !busy;
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
