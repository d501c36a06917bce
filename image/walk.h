/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads, expands and verifies all chunks of an image, on all CPUs. The caller
 * decides what to do with them: unpack, check.
 */
#ifndef IMAGE_WALK_H
#define IMAGE_WALK_H

#include "image/image.h"
#include "lib/progress.h"

/* A chunk that was read. */
struct image_walk_item {
	struct image_chunk chunk;
	uint8_t *data;		/* its contents, unless damaged */
	const char *damage;	/* what is wrong with it, or NULL */
	uint8_t *member;	/* as in the file */
	void *extra;		/* extra_size bytes, for the caller */
};

struct image_walk {
	const struct image *image;
	unsigned int jobs;	/* 0: one per CPU */
	size_t extra_size;	/* bytes of an item's extra */
	void *context;		/* passed to both functions */
	/*
	 * Several at once; may be NULL. Returns 0, or -errno after printing
	 * why.
	 */
	int (*work)(void *context, struct image_walk_item *item);
	/*
	 * In disk order, one at a time. Returns 0, or -errno after printing
	 * why.
	 */
	int (*finish)(void *context, struct image_walk_item *item);
	struct progress progress;	/* to be cleared before a message */

	struct image_reader reader;	/* finds the chunks */
	uint64_t offset;
};

/*
 * Processes all chunks. Returns 0, or the first -errno, after its reason was
 * printed.
 */
int image_walk(struct image_walk *walk);

#endif
