// SPDX-License-Identifier: GPL-2.0
/* Verifies a disk with a hash tree in one pass. */
#include "image/verity-check.h"

#include <string.h>

void verity_check_start(struct verity_check *check,
			const struct verity *verity)
{
	*check = (struct verity_check){
		.verity = *verity,
		.end = verity->data_blocks,
		.left = verity_levels(verity->data_blocks),
	};
	verity_tree_start(&check->tree, verity, NULL);
}

/* The data or a level has been read: compares the root hash. */
static void check_part(struct verity_check *check, bool is_data, bool is_first)
{
	uint8_t root[VERITY_DIGEST];

	/* Without an output nothing can fail. */
	verity_tree_end(&check->tree, root);
	if (is_data)
		memcpy(check->data, root, VERITY_DIGEST);
	/* Data of one block has no levels, and these then count as equal. */
	if (is_data || is_first)
		memcpy(check->levels, root, VERITY_DIGEST);
	else if (memcmp(check->levels, root, VERITY_DIGEST))
		check->levels_differ = true;
}

static void check_one(struct verity_check *check, const uint8_t *digest)
{
	const struct verity *verity = &check->verity;

	/* The superblock is in no tree. */
	if (check->block++ == verity->data_blocks)
		return;
	verity_tree_add(&check->tree, digest, 1);
	if (check->block < check->end)
		return;
	check_part(check, check->end == verity->data_blocks,
		   check->left + 1 == verity_levels(verity->data_blocks));
	if (check->end == verity->data_blocks)
		check->end++;
	if (!check->left)
		return;
	check->left--;
	check->end += verity_level_blocks(verity->data_blocks, check->left);
	verity_tree_start(&check->tree, verity, NULL);
}

void verity_check_add(struct verity_check *check, const uint8_t *digests,
		      size_t count)
{
	for (; count; count--, digests += VERITY_DIGEST)
		check_one(check, digests);
}

const char *verity_check_end(const struct verity_check *check,
			     const uint8_t wanted[VERITY_DIGEST])
{
	bool data = !memcmp(check->data, wanted, VERITY_DIGEST);
	bool levels = !check->levels_differ &&
		      !memcmp(check->levels, wanted, VERITY_DIGEST);

	if (data && levels)
		return NULL;
	if (data)
		return "the hash tree is damaged; the data has the root hash";
	if (levels)
		return "the data is damaged; the hash tree has the root hash";
	if (!check->levels_differ &&
	    !memcmp(check->data, check->levels, VERITY_DIGEST))
		return "whole, but with another root hash";
	return "neither the data nor the hash tree has the root hash";
}
