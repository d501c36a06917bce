// SPDX-License-Identifier: GPL-2.0
/* Makes a hash tree level by level, all at once. */
#include "image/verity-tree.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/message.h"
#include "lib/whole-io.h"

static void fill_block(uint8_t block[VERITY_BLOCK],
		       const uint8_t digest[VERITY_DIGEST])
{
	for (unsigned int at = 0; at < VERITY_BLOCK; at += VERITY_DIGEST)
		memcpy(block + at, digest, VERITY_DIGEST);
}

void verity_tree_start(struct verity_tree *tree, const struct verity *verity,
		       const struct output *output)
{
	uint8_t block[VERITY_BLOCK] = { 0 };

	memset(tree, 0, sizeof(*tree));
	tree->verity = *verity;
	tree->verity.data_blocks = 0;
	tree->output = output;
	for (unsigned int i = 0; i <= VERITY_LEVELS; i++) {
		struct verity_level *level = &tree->levels[i];

		level->fd = -1;
		verity_digest(&tree->verity, block, level->zeroes);
		fill_block(block, level->zeroes);
	}
}

void verity_tree_free(struct verity_tree *tree)
{
	for (unsigned int i = 0; i <= VERITY_LEVELS; i++)
		if (tree->levels[i].fd >= 0)
			close(tree->levels[i].fd);
}

static int tree_failed(const struct verity_tree *tree, int err)
{
	return message_fail(err, "%s: hash tree", tree->output->name);
}

/*
 * Whether the last block of a level is full of digests of zeroes. All digests
 * are equal if each is equal to the one before it.
 */
static bool is_of_zeroes(const struct verity_level *level)
{
	return level->fill == VERITY_BLOCK &&
	       !memcmp(level->block, level->zeroes, VERITY_DIGEST) &&
	       !memcmp(level->block, level->block + VERITY_DIGEST,
		       VERITY_BLOCK - VERITY_DIGEST);
}

static int level_keep(struct verity_tree *tree, struct verity_level *level)
{
	int ret;

	if (!tree->output)
		return 0;
	if (level->fd < 0) {
		level->fd = output_unnamed(tree->output);
		if (level->fd < 0)
			return level->fd;
	}
	ret = whole_pwrite(level->fd, level->block, VERITY_BLOCK,
			   level->blocks * VERITY_BLOCK);
	return ret ? tree_failed(tree, ret) : 0;
}

/*
 * Completes the last block of level @number, and sets its digest. What it lacks
 * are zeroes.
 */
static int level_complete(struct verity_tree *tree, unsigned int number,
			  uint8_t digest[VERITY_DIGEST])
{
	struct verity_level *level = &tree->levels[number];
	int ret = 0;

	if (is_of_zeroes(level)) {
		memcpy(digest, level[1].zeroes, VERITY_DIGEST);
	} else {
		memset(level->block + level->fill, 0,
		       VERITY_BLOCK - level->fill);
		verity_digest(&tree->verity, level->block, digest);
		ret = level_keep(tree, level);
	}
	level->blocks++;
	level->fill = 0;
	return ret;
}

/* Adds a digest to a level, and to those above what that completes. */
static int level_add(struct verity_tree *tree, unsigned int number,
		     const uint8_t *digest)
{
	uint8_t above[VERITY_DIGEST];
	int ret;

	for (;; number++, digest = above) {
		struct verity_level *level = &tree->levels[number];

		memcpy(level->block + level->fill, digest, VERITY_DIGEST);
		level->fill += VERITY_DIGEST;
		if (level->fill < VERITY_BLOCK)
			return 0;
		ret = level_complete(tree, number, above);
		if (ret)
			return ret;
	}
}

int verity_tree_add(struct verity_tree *tree, const uint8_t *digests,
		    size_t count)
{
	int ret = 0;

	tree->verity.data_blocks += count;
	for (; !ret && count; count--, digests += VERITY_DIGEST)
		ret = level_add(tree, 0, digests);
	return ret;
}

/*
 * The kinds of UUIDs have numbers (RFC 9562). Eight is that of those whose
 * contents are nobody else's business.
 */
static void make_uuid(uint8_t uuid[VERITY_UUID],
		      const uint8_t root[VERITY_DIGEST])
{
	memcpy(uuid, root, VERITY_UUID);
	uuid[6] = (uuid[6] & 0x0f) | 0x80;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

int verity_tree_end(struct verity_tree *tree, uint8_t root[VERITY_DIGEST])
{
	struct verity_level *level = tree->levels;
	uint8_t digest[VERITY_DIGEST];
	unsigned int i;
	int ret;

	/* The level of one digest only is none: that is the root hash. */
	for (i = 0; level->blocks || level->fill > VERITY_DIGEST; i++, level++) {
		if (level->fill) {
			ret = level_complete(tree, i, digest);
			if (!ret)
				ret = level_add(tree, i + 1, digest);
			if (ret)
				return ret;
		}
		/* Blocks of zeroes at its end were not written. */
		if (level->fd >= 0 &&
		    ftruncate(level->fd, level->blocks * VERITY_BLOCK))
			return tree_failed(tree, errno);
	}
	tree->level = i;
	memcpy(root, level->block, VERITY_DIGEST);
	make_uuid(tree->verity.uuid, root);
	return 0;
}

int verity_tree_next(struct verity_tree *tree, uint8_t block[VERITY_BLOCK])
{
	struct verity_level *level;
	int ret;

	if (!tree->superblock_read) {
		tree->superblock_read = true;
		verity_put(&tree->verity, block);
		return 1;
	}
	if (!tree->level)
		return 0;
	level = &tree->levels[tree->level - 1];
	memset(block, 0, VERITY_BLOCK);
	if (level->fd >= 0) {
		ret = whole_pread(level->fd, block, VERITY_BLOCK,
				  tree->next * VERITY_BLOCK);
		if (ret)
			return tree_failed(tree, ret);
	}
	/* No block of digests is all zeroes: this is a hole. */
	if (image_all_zero(block, VERITY_BLOCK))
		fill_block(block, level->zeroes);
	if (++tree->next == level->blocks) {
		tree->next = 0;
		tree->level--;
	}
	return 1;
}
