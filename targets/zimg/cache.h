/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cache of expanded chunks that the queues of a zimg device share. It
 * decides who expands what and who waits for whom; it reads and expands
 * nothing itself, and it does not know queues: the waiters that it hands back
 * are the caller's to wake.
 *
 * An entry is loading, or holds a chunk, or nothing. One that is loading
 * belongs to whoever loads it. One that is pinned stays; its contents are read
 * without a lock. Each function takes the cache's lock for a few steps, never
 * while data is moved; a cache of one queue has none.
 */
#ifndef TARGETS_ZIMG_CACHE_H
#define TARGETS_ZIMG_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zimg_entry {
	uint8_t *data;			/* chunk bytes of room */
	uint64_t key;
	struct zimg_entry *next;	/* in its bucket */
	struct zimg_waiter *waiters;	/* while it is loading */
	uint32_t pins;
	enum { ZIMG_EMPTY, ZIMG_LOADING, ZIMG_READY } state;
	bool used;			/* again since the hand passed */
};

/* Whoever waits, for a chunk or for room; in one place at a time. */
struct zimg_waiter {
	struct zimg_waiter *next;
	/* What it got; without either it has to ask again. */
	struct zimg_entry *entry;	/* pinned for it */
	bool failed;			/* the chunk cannot be had */
};

struct zimg_cache {
	bool shared;			/* by several threads */
	pthread_mutex_t lock;		/* if shared: for all below */
	uint64_t count;
	struct zimg_entry *entries;
	struct zimg_entry **buckets;
	uint64_t mask;
	uint64_t hand;			/* of the clock that picks a victim */
	struct zimg_waiter *starved;	/* waiting for room, oldest first */
	struct zimg_waiter **starved_end;
	uint8_t *memory;
	size_t memory_size;
};

/* Fewest chunks that a cache holds, however small it shall be. */
#define ZIMG_CACHE_MIN 4

/*
 * A cache of @size bytes for chunks of @chunk bytes. Memory is taken when it
 * is first used. Returns 0 or -ENOMEM.
 */
int zimg_cache_create(struct zimg_cache *cache, uint64_t size, uint32_t chunk,
		      bool shared);
void zimg_cache_destroy(struct zimg_cache *cache);

enum zimg_answer {
	ZIMG_HIT,	/* *entry holds it and is pinned */
	ZIMG_LOAD,	/* load it into *entry, then zimg_cache_filled() */
	ZIMG_WAIT,	/* someone loads it; the waiter is handed back then */
	ZIMG_STARVED,	/* no room; the waiter is handed back when there is */
	ZIMG_BUSY,	/* not there, and the caller said it cannot load */
};

/*
 * Asks for chunk @key. On ZIMG_LOAD @waiter is the first to get it.
 * @can_load: whether the caller could load it now.
 */
enum zimg_answer zimg_cache_get(struct zimg_cache *cache, uint64_t key,
				struct zimg_waiter *waiter, bool can_load,
				struct zimg_entry **entry);

/*
 * An entry to load chunk @key into before anyone asks for it; NULL when it is
 * there, or on its way, or there is no room.
 */
struct zimg_entry *zimg_cache_prefetch(struct zimg_cache *cache, uint64_t key);

/*
 * @entry is loaded, or could not be. Returns those who waited, and whoever
 * waited for room that is now there, in a list to be woken.
 */
struct zimg_waiter *zimg_cache_filled(struct zimg_cache *cache,
				      struct zimg_entry *entry, bool good);

/* Unpins. Returns one who waited for room, to be woken, or NULL. */
struct zimg_waiter *zimg_cache_put(struct zimg_cache *cache,
				   struct zimg_entry *entry);

#endif
