/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes a hash tree (verity.h) out of the digests of the data's blocks, as they
 * come. The highest level, which is finished last, comes first on the disk, and
 * the lowest one is 1/128 of the data. So levels are kept in unnamed files until
 * the tree is read, and memory is the same for any disk: 40 KiB. Where digests
 * are those of zeroes the files have holes.
 */
#ifndef IMAGE_VERITY_TREE_H
#define IMAGE_VERITY_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/verity.h"
#include "lib/output.h"

struct verity_level {
	uint8_t block[VERITY_BLOCK];	/* its last block */
	unsigned int fill;		/* bytes of it */
	uint64_t blocks;		/* that are complete */
	int fd;				/* these; -1: none but of zeroes */
	/* Of a block of zeroes below, or of one that has only such digests. */
	uint8_t zeroes[VERITY_DIGEST];
};

struct verity_tree {
	struct verity verity;		/* data_blocks: so far */
	const struct output *output;	/* of the disk, or NULL */
	/* The last one never has more than one digest, the root hash. */
	struct verity_level levels[VERITY_LEVELS + 1];
	bool superblock_read;
	unsigned int level;		/* levels from here on are read */
	uint64_t next;			/* block of the level below */
};

/*
 * Starts a tree with the salt of @verity. The levels are kept on the filesystem
 * of @output; if that is NULL they are not kept, and the tree can only give the
 * root hash.
 */
void verity_tree_start(struct verity_tree *tree, const struct verity *verity,
		       const struct output *output);
void verity_tree_free(struct verity_tree *tree);

/* The digest of a block of zeroes. */
static inline const uint8_t *verity_tree_zeroes(const struct verity_tree *tree)
{
	return tree->levels[0].zeroes;
}

/*
 * Adds the digests of the next @count blocks of data. Returns 0, or -errno after
 * printing why.
 */
int verity_tree_add(struct verity_tree *tree, const uint8_t *digests,
		    size_t count);

/*
 * Completes the tree, which must have at least one digest, and sets the root
 * hash. Makes the superblock's UUID of it. Returns 0, or -errno after printing
 * why.
 */
int verity_tree_end(struct verity_tree *tree, uint8_t root[VERITY_DIGEST]);

/*
 * Gets the next block of what is on the disk behind the data. Returns 1, 0
 * behind the last one, or -errno after printing why.
 */
int verity_tree_next(struct verity_tree *tree, uint8_t block[VERITY_BLOCK]);

#endif
