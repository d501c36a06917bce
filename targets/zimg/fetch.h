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

struct remote;
struct zimg_load;
struct zimg_queue;

/* Of a load that fails because nobody reads for it: its chunk is not damaged. */
#define FETCH_FAILED (-ENOTCONN)

/* What the process is asked for, and its answer; @number is that of a load. */
struct fetch_asked {
	uint64_t offset;
	uint32_t length;
	uint32_t number;
};
struct fetch_answer {
	uint32_t number;
	int32_t result;		/* bytes, -errno or FETCH_FAILED */
	uint32_t over;		/* there will be none any more */
};

/* Of a queue. */
struct fetch {
	struct zimg_queue *queue;
	int fd;				/* to the process, or -1 */
	int index;			/* of it among the ring's files */
	bool ready;			/* it is there */
	bool over;			/* there will be no answers any more */
	bool receiving;
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

/* In the thread of the queue, before its first load and after its last one. */
void fetch_begin(struct fetch *fetch, struct zimg_queue *queue);

/* Ends the processes and frees all. @fetches may be NULL. */
void fetch_free(struct fetch *fetches, unsigned int count);

/*
 * Reads the rest of a load's member. zimg_load_done() gets the count, or an
 * error.
 */
void fetch_load(struct fetch *fetch, struct zimg_load *load);

/* The done() of load->asked. */
void fetch_sent(struct ublk_queue *queue, struct ublk_completion *completion,
		int result);

#endif
