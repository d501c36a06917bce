/* SPDX-License-Identifier: GPL-2.0 */
/* A chunk on its way to the cache. */
#ifndef TARGETS_ZIMG_LOAD_H
#define TARGETS_ZIMG_LOAD_H

#include "core/target.h"
#include "image/chunk.h"
#include "targets/zimg/cache.h"

struct zimg_queue;
struct fetch;

/* What is asked of the process that reads an image on a server (fetch.h). */
struct fetch_asked {
	uint64_t offset;
	uint32_t length;
	uint32_t number;		/* of the load, in its queue */
};

/* A chunk that is being read, and then expanded to an entry of the cache. */
struct zimg_load {
	struct ublk_completion completion;	/* of the read */
	struct ublk_completion expanded;	/* message: it is expanded */
	struct zimg_load *next;		/* in the free list or the crew's */
	struct zimg_queue *queue;
	struct ublk_queue *owner;	/* whose thread gets it back */
	struct zimg_entry *entry;
	struct image_chunk chunk;
	uint32_t done;			/* bytes of the member that were read */
	uint8_t *member;
	const char *why;		/* why it cannot be used, or NULL */
	bool damaged;			/* that is the image's fault */

	/* Of an image on a server, for fetch.c: */
	struct fetch *fetch;
	struct ublk_completion asked;	/* of sending @request */
	struct fetch_asked request;
	bool waits;			/* it is asked for, and not over */
	bool sending;			/* the ring sends @request */
	bool answered;			/* which can come before that has ended */
	int result;			/* if @answered */
};

#endif
