/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads an image that is on a server: each queue has a process with a connection
 * of its own (targets/net), which puts members into memory that both share. While
 * the server is away, its loads wait.
 */
#ifndef TARGETS_ZIMG_FETCH_H
#define TARGETS_ZIMG_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/target.h"
#include "targets/zimg/load.h"

struct remote;

/*
 * The result of a load that could not be fetched: the server is away, or has
 * something else. Its chunk is not damaged, and the reason was printed.
 */
#define FETCH_FAILED (-ENOTCONN)

/* The answer of the process. */
struct fetch_answer {
	uint32_t number;	/* of the load */
	int32_t result;		/* bytes, -errno or FETCH_FAILED */
	uint32_t over;		/* there will be none any more */
};

/* Of a queue. */
struct fetch {
	const char *name;		/* of the image, for messages */
	struct ublk_queue *queue;
	struct zimg_load *loads;	/* [count] */
	unsigned int count;
	int fd;				/* to the process, or -1 */
	int index;			/* of it among the ring's files */
	bool ready;			/* the ring has @fd there, or cannot */
	bool over;			/* there will be no answers any more */
	bool receiving;			/* @receive is on its way, to @answer */
	struct ublk_completion receive;
	struct fetch_answer answer;
	uint8_t *members;		/* shared with the process */
	size_t members_size;
};

/*
 * Starts the processes, in the worker's first thread: one for each of @count
 * queues, with @size bytes for loads of @member bytes. @timeout: seconds after
 * which a load fails while the server is away; 0: none. @index is what
 * ublk_device_reserve_file() has returned. Returns the @count queues' parts, or
 * NULL after printing why.
 */
struct fetch *fetch_start(const struct remote *remote, unsigned int count,
			  size_t size, uint32_t member, unsigned int timeout,
			  int index);

/*
 * Before the first load, in the thread of @queue, whose loads are @count @loads.
 * Sets @fetch in each, and @asked.
 */
void fetch_begin(struct fetch *fetch, struct ublk_queue *queue,
		 struct zimg_load *loads, unsigned int count);

/* Ends the processes and frees all. @fetches may be NULL. */
void fetch_free(struct fetch *fetches, unsigned int count);

/*
 * Reads the rest of a load's member. load->completion gets the count, or an
 * error.
 */
void fetch_load(struct zimg_load *load);

#endif
