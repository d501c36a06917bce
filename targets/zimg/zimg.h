/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the zimg target share: its state, and a read. zimg.c opens
 * and closes, read.c answers requests, cache.c keeps chunks, crew.c expands them.
 */
#ifndef TARGETS_ZIMG_ZIMG_H
#define TARGETS_ZIMG_ZIMG_H

#include <stdatomic.h>

#include "core/target.h"
#include "image/image.h"
#include "targets/zimg/cache.h"
#include "targets/zimg/crew.h"
#include "targets/zimg/load.h"

#define ZIMG_LOADS_MAX 8	/* chunks that a queue reads at once */
#define ZIMG_STREAMS 4	/* sequential readers that a queue tells apart */

/* Shared by the queues; only the cache, the crew and told[] change. */
struct zimg {
	struct image image;
	struct zimg_cache cache;
	struct zimg_crew crew;
	uint64_t cache_size;		/* bytes of it that were asked for */
	bool started;			/* there are a cache and a crew */
	int file;			/* the image, among the ring's files */
	uint32_t block;			/* a request is cut at its multiples */
	char *path;			/* absolute */
	_Atomic uint8_t *told;		/* a bit a chunk: its damage was told */
};

struct zimg_request {
	struct ublk_completion completion;	/* to be woken by */
	struct zimg_waiter waiter;
	struct zimg_queue *queue;
	struct ublk_request *request;
	uint32_t done;			/* bytes answered so far */
	struct image_chunk chunk;	/* the one it goes on with */
};

/* Waiters of this queue alone, first in, first out. */
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
	struct zimg_list stalled;	/* waiting for a load to be free */
	struct zimg_list ready;		/* to be gone on with at once */
	uint64_t streams[ZIMG_STREAMS];	/* where sequential readers go on */
	unsigned int next_stream;
	uint8_t *members;
	size_t members_size;
};

/* Begins to answer a READ. Returns its answer or UBLK_LATER. */
int zimg_read(struct zimg_queue *queue, struct ublk_request *request);

/* The done() of every load's completion. */
void zimg_load_done(struct ublk_queue *ublk_queue,
		    struct ublk_completion *completion, int result);

/* And when another thread has expanded it. */
void zimg_load_expanded(struct ublk_queue *ublk_queue,
			struct ublk_completion *completion, int result);

/*
 * The turn of a queue that reads any to expand a chunk, its own or another's.
 * Returns whether there was one.
 */
bool zimg_work(struct zimg_queue *queue);

#endif
