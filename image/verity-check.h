/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Verifies a disk with a hash tree (verity.h) in one pass from its first to its
 * last block. The digests of each level are themselves a hash tree with the same
 * root hash. So data and levels are verified one after the other, each by
 * making the tree above it, and none has to be kept.
 */
#ifndef IMAGE_VERITY_CHECK_H
#define IMAGE_VERITY_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "image/verity-tree.h"

struct verity_check {
	struct verity verity;
	struct verity_tree tree;	/* above what is being read */
	uint64_t block;			/* of the disk: the next one */
	uint64_t end;			/* of what is being read */
	unsigned int left;		/* levels behind that */
	uint8_t data[VERITY_DIGEST];	/* the root hash by the data */
	uint8_t levels[VERITY_DIGEST];	/* and by the levels */
	bool levels_differ;		/* not all have the same root hash */
};

/* Starts with block 0 of a disk that @verity describes. */
void verity_check_start(struct verity_check *check,
			const struct verity *verity);

/* Adds the digests of the next @count blocks of the disk. */
void verity_check_add(struct verity_check *check, const uint8_t *digests,
		      size_t count);

/*
 * After the last block: returns NULL if all of the disk is what the root hash
 * @wanted was calculated of, or what is wrong in a few words.
 */
const char *verity_check_end(const struct verity_check *check,
			     const uint8_t wanted[VERITY_DIGEST]);

#endif
