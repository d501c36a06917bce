/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the source files of the zimg target share. zimg.c opens and closes,
 * read.c serves requests, cache.c stores expanded chunks, crew.c expands them,
 * and fetch.c reads an image that is on a server.
 */
#ifndef TARGETS_ZIMG_ZIMG_H
#define TARGETS_ZIMG_ZIMG_H

#include "core/target.h"
#include "image/image.h"
#include "lib/bits.h"
#include "targets/zimg/cache.h"
#include "targets/zimg/crew.h"
#include "targets/zimg/load.h"

#define ZIMG_LOADS_MAX 8	/* loads per queue */
#define ZIMG_STREAMS 4	/* sequential readers a queue can follow */

/* Shared by the queues; only the cache, the crew and @reported change. */
struct zimg {
	struct image image;
	struct zimg_cache cache;
	struct zimg_crew crew;
	uint64_t cache_size;		/* in bytes, as asked for */
	bool started;			/* cache and crew are there */
	int file;			/* index as registered file */
	uint32_t block;			/* logical block, in bytes */
	char *path;			/* absolute */
	bits_word *reported;	/* bit per chunk: damage printed */
	struct fetch *fetches;	/* of each queue, for an image on a server */
	unsigned int timeout;	/* then: in seconds; 0: none */
};

struct zimg_request {
	struct ublk_completion completion;	/* message that wakes it */
	struct zimg_waiter waiter;
	struct zimg_queue *queue;
	struct ublk_request *request;
	uint32_t done;			/* bytes copied so far */
	struct image_chunk chunk;	/* the current one */
};

/* Requests of one queue that can or must wait, first in, first out. */
struct zimg_list {
	struct zimg_waiter *first;
	struct zimg_waiter **end;
};

struct zimg_queue {
	struct zimg *zimg;
	struct ublk_queue *queue;
	struct image_reader reader;
	struct zimg_load loads[ZIMG_LOADS_MAX];
	unsigned int load_count;
	struct zimg_load *free;
	unsigned int free_count;
	struct zimg_list stalled;	/* waiting for a free load */
	struct zimg_list ready;		/* can proceed at once */
	uint64_t streams[ZIMG_STREAMS];	/* where each reader continues */
	unsigned int next_stream;
	uint8_t *members;
	size_t members_size;
};

/* Starts a READ. Returns its answer, or UBLK_LATER. */
int zimg_read(struct zimg_queue *queue, struct ublk_request *request);

/* The done() of load->completion: the read has completed. */
void zimg_load_done(struct ublk_queue *ublk_queue,
		    struct ublk_completion *completion, int result);

/* The done() of load->expanded: the chunk is expanded. */
void zimg_load_expanded(struct ublk_queue *ublk_queue,
			struct ublk_completion *completion, int result);

/*
 * Expands one chunk that was read by this or another queue. Does nothing if
 * this queue loads none itself. Returns whether it expanded one.
 */
bool zimg_work(struct zimg_queue *queue);

#endif
