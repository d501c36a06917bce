/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All chunks of an image, each read, expanded and verified on every CPU. What
 * to do with them is the caller's: unpack, check.
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
};

struct image_walk {
	const struct image *image;
	unsigned int jobs;	/* 0: one a CPU */
	void *context;		/* given to both functions */
	/* Any number at once; may be NULL. 0, or -errno after telling. */
	int (*work)(void *context, struct image_walk_item *item);
	/* In the order of the disk, one at a time. 0, or -errno after telling. */
	int (*finish)(void *context, struct image_walk_item *item);
	struct progress progress;	/* to be cleared before a message */

	struct image_reader reader;	/* finds the chunks */
	uint64_t offset;
};

/* Does it all. Returns 0 or the first -errno, which was told. */
int image_walk(struct image_walk *walk);

#endif
