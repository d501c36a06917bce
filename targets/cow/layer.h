/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of copy on write share: its state, and a request. cow.c opens
 * and closes, request.c answers requests, file.c knows the file.
 */
#ifndef TARGETS_COW_LAYER_H
#define TARGETS_COW_LAYER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/target.h"
#include "targets/cow/file.h"

struct cow_request;

/* State of a device: ublk_device_wrapper(). */
struct cow {
	struct cow_layout layout;
	uint64_t disk_size;
	uint64_t limit;			/* blocks in memory at most; 0: a file */
	struct cow_file file;		/* if there is no limit */
	int memory_fd;
	int store;			/* what has the blocks, among the ring's */
	uint64_t data;			/* offset of the first block in it */
	const struct ublk_target *base;	/* that is read, and is open */

	/* In memory_fd: the map, and if limited another of what has memory. */
	_Atomic uint64_t *present;
	_Atomic uint64_t *held;
	_Atomic uint64_t used;		/* bits in held */
	atomic_bool told;		/* that it is full */

	/*
	 * The file's map. `changed` has a byte for each of its pages that is
	 * not in `map` as it is present, `stale` one for each in `map` that is
	 * not in the file; the last two are whose FLUSH has its claim.
	 */
	_Atomic uint8_t *changed;
	uint8_t *map;
	uint8_t *stale;

	struct cow_queue *queues;
	unsigned int queue_count;
	unsigned int depth;
	struct cow_request *requests;	/* [queue_count * depth] */
	char *fills;			/* a block for each of them */

	bool shared;			/* by several queues */
	pthread_mutex_t lock;		/* if so: for claims and waiters */
	struct cow_request *claims;
};

/* Requests of this queue that go on when the one that is going on waits. */
struct cow_queue {
	struct cow_request *ready;
	bool running;
};

struct cow_request {
	struct ublk_completion completion;	/* its operation, or to wake it */
	struct ublk_request inner;	/* to the base */
	struct cow *cow;
	struct ublk_queue *queue;
	struct ublk_request *request;

	/* What to do with the result of what is under way; NULL: answer it. */
	int (*step)(struct cow_request *state, int result);
	struct cow_request *next_ready;
	int result;
	uint32_t done;			/* of a READ */
	uint32_t wanted;		/* by the step under way */
	unsigned int part;		/* that is filled; page that is flushed */
	uint64_t from, to;		/* bytes that are changed */
	char *fill;

	/* The operation on the ring. */
	uint8_t opcode;
	uint64_t offset;
	char *data;
	uint32_t left;

	/* The claim; and who waits for it to end, or for whom this waits. */
	uint64_t first, last;
	struct cow_request *next_claim;
	struct cow_request *waiters;
	struct cow_request *next_waiter;
};

/* The target's. */
int cow_submit(struct ublk_queue *queue, struct ublk_request *request);

/*
 * Takes over the pages of the map that have changed since. Whose FLUSH has its
 * claim, or who is alone.
 */
void cow_take_map(struct cow *cow);

#endif
