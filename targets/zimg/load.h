/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A chunk on its way into the cache.
 */
#ifndef TARGETS_ZIMG_LOAD_H
#define TARGETS_ZIMG_LOAD_H

#include "core/target.h"
#include "image/chunk.h"
#include "targets/zimg/cache.h"

struct zimg_queue;

/* A chunk being read, and then expanded, into an entry of the cache. */
struct zimg_load {
	struct ublk_completion completion;	/* of a read */
	struct ublk_completion expanded;	/* by another thread */
	struct zimg_load *next;		/* of those that are free, or the crew's */
	struct zimg_queue *queue;
	struct ublk_queue *owner;	/* whose thread takes it back */
	struct zimg_entry *entry;
	struct image_chunk chunk;
	uint32_t done;			/* bytes of its member read so far */
	uint8_t *member;
	const char *why;		/* it could not be expanded, or NULL */
};

#endif
