/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cache of expanded chunks that the queues of a zimg device share. It
 * decides which caller loads a chunk and which callers wait. It does not read
 * or expand anything, and it knows no queues: it returns waiters, and the
 * caller wakes them.
 *
 * An entry is empty, loading or ready. While it is loading, it belongs to the
 * caller that loads it. A pinned entry stays, and its data can be read without
 * a lock. Every function takes the lock of the cache only for a few steps,
 * never while data is copied. The cache of a single queue has no lock.
 */
#ifndef TARGETS_ZIMG_CACHE_H
#define TARGETS_ZIMG_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zimg_entry {
	uint8_t *data;			/* room for one chunk */
	uint64_t key;
	struct zimg_entry *next;	/* in the same bucket */
	struct zimg_waiter *waiters;	/* while loading */
	uint32_t pins;
	enum { ZIMG_EMPTY, ZIMG_LOADING, ZIMG_READY } state;
	bool used;			/* since the hand last passed */
};

/* A request that waits for a chunk or for room. It is in one list at a time. */
struct zimg_waiter {
	struct zimg_waiter *next;
	/* The result. If neither is set, the request must ask again. */
	struct zimg_entry *entry;	/* pinned for the waiter */
	bool failed;			/* the chunk cannot be loaded */
};

struct zimg_cache {
	bool shared;			/* by several threads */
	pthread_mutex_t lock;		/* if shared: for all fields below */
	uint64_t count;
	struct zimg_entry *entries;
	struct zimg_entry **buckets;
	uint64_t mask;
	uint64_t hand;			/* position of the clock */
	struct zimg_waiter *starved;	/* waiters for room, oldest first */
	struct zimg_waiter **starved_end;
	uint8_t *memory;
	size_t memory_size;
};

/* A cache has room for at least so many chunks, whatever its size. */
#define ZIMG_CACHE_MIN 4

/*
 * Creates a cache of @size bytes for chunks of up to @chunk bytes. The memory
 * is allocated when it is first used. Returns 0 or -ENOMEM.
 */
int zimg_cache_create(struct zimg_cache *cache, uint64_t size, uint32_t chunk,
		      bool shared);
void zimg_cache_destroy(struct zimg_cache *cache);

enum zimg_answer {
	ZIMG_HIT,	/* *entry is the chunk, pinned */
	ZIMG_LOAD,	/* load it to *entry, then zimg_cache_filled() */
	ZIMG_WAIT,	/* another caller loads it, and gets the waiter back */
	ZIMG_STARVED,	/* no room; the waiter is returned when there is */
	ZIMG_BUSY,	/* not cached, and the caller cannot load */
};

/*
 * Asks for chunk @key. @can_load: whether the caller could load it now. If so,
 * and ZIMG_LOAD is returned, @waiter is the first in the list of waiters.
 */
enum zimg_answer zimg_cache_get(struct zimg_cache *cache, uint64_t key,
				struct zimg_waiter *waiter, bool can_load,
				struct zimg_entry **entry);

/*
 * Returns an entry to load chunk @key to, before anyone asks for it. NULL if
 * the chunk is ready or loading, or there is no room.
 */
struct zimg_entry *zimg_cache_prefetch(struct zimg_cache *cache, uint64_t key);

/*
 * Call when @entry is loaded (@good), or cannot be. Returns a list of waiters
 * to wake: those for this chunk and, if there is room now, one that waits for
 * room.
 */
struct zimg_waiter *zimg_cache_filled(struct zimg_cache *cache,
				      struct zimg_entry *entry, bool good);

/* Unpins @entry. Returns a waiter for room, for the caller to wake, or NULL. */
struct zimg_waiter *zimg_cache_put(struct zimg_cache *cache,
				   struct zimg_entry *entry);

#endif
