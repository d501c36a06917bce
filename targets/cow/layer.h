/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the source files of copy on write share: the state of a device and of a
 * request. cow.c opens and closes, request.c serves requests, and file.c knows
 * the file.
 */
#ifndef TARGETS_COW_LAYER_H
#define TARGETS_COW_LAYER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/target.h"
#include "lib/bits.h"
#include "targets/cow/file.h"

struct cow_request;

/* State of a device; see ublk_device_wrapper(). */
struct cow {
	struct cow_layout layout;
	uint64_t disk_size;
	uint64_t limit;			/* pages in memory; 0: in a file */
	unsigned int page_shift;	/* blocks of a page, as a power of 2 */
	struct cow_file file;		/* if not in memory */
	int memory_fd;
	int store_fd;			/* what has the blocks: one of these */
	int store;			/* its index as registered file */
	bool at_once;			/* it is in memory, and needs no ring */
	uint64_t data;			/* offset of block 0 there */
	const struct ublk_target *base;	/* open, and only read */

	/*
	 * Bitmaps in memory_fd. @present: the block is stored here, and not the
	 * base's. @has_memory, if there is a limit: the page has memory.
	 */
	bits_word *present;
	bits_word *has_memory;
	atomic_ulong used;		/* number of bits in @has_memory */
	atomic_uint full_reported;	/* "no space" was printed */

	/*
	 * The file's map. @present is newer. @changed has a bit for each
	 * page of the map in which @present may have bits that @map lacks.
	 * @stale has a byte for each page of @map that is not in the file yet.
	 * Only the FLUSH that has the claim may access @map and @stale.
	 */
	bits_word *changed;
	uint8_t *map;
	uint8_t *stale;

	struct cow_queue *queues;
	unsigned int queue_count;
	unsigned int depth;
	struct cow_request *requests;	/* [queue_count * depth] */
	char *fills;			/* a block for each request */

	bool shared;			/* by several queues */
	pthread_mutex_t lock;		/* if shared: for claims and waiters */
	struct cow_request *claims;
};

/* Whether the changes are kept in memory, and not in a file. */
static inline bool cow_in_memory(const struct cow *cow)
{
	return cow->limit;
}

/*
 * Requests of one queue that can continue. One runs at a time: a request that
 * another one wakes continues when that one has to wait.
 */
struct cow_queue {
	struct cow_request *ready;
	bool running;
};

struct cow_request {
	struct ublk_completion completion;	/* its operation, or a wakeup */
	struct ublk_request inner;	/* a READ of the base */
	struct cow *cow;
	struct ublk_queue *queue;
	struct ublk_request *request;

	/*
	 * Gets the result of the last operation, and starts the next one. NULL:
	 * the result answers the request.
	 */
	int (*step)(struct cow_request *state, int result);
	struct cow_request *next_ready;
	int result;
	uint32_t done;			/* bytes of a READ */
	uint32_t wanted;		/* bytes of the current operation */
	unsigned int part;		/* to fill; or page of the map */
	uint64_t from, to;		/* the range of bytes to change */
	char *fill;

	/* The current operation on the ring. */
	uint8_t opcode;
	uint64_t offset;
	char *data;
	uint32_t left;

	/*
	 * The claimed blocks, the requests that wait for this claim to end, and
	 * the link in such a list.
	 */
	uint64_t first, last;
	struct cow_request *next_claim;
	struct cow_request *waiters;
	struct cow_request *next_waiter;
};

/* The target's submit(). */
int cow_submit(struct ublk_queue *queue, struct ublk_request *request);

/*
 * Copies the changed pages of the bitmap to cow->map, and marks them stale.
 * Only for the FLUSH that has the claim, or when no request is in flight.
 */
void cow_take_map(struct cow *cow);

#endif
