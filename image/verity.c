// SPDX-License-Identifier: GPL-2.0
/*
 * The format of veritysetup: its superblock, and where the levels of the hash
 * tree are. It makes no tree; verity-tree.c does.
 */
#include "image/verity.h"

#include <errno.h>
#include <string.h>

#include "lib/little-endian.h"

/* The superblock. */
#define AT_VERSION 8
#define AT_TYPE 12
#define AT_UUID 16
#define AT_ALGORITHM 32
#define AT_DATA_BLOCK 64	/* bytes of a block */
#define AT_HASH_BLOCK 68
#define AT_DATA_BLOCKS 72
#define AT_SALT_SIZE 80
#define AT_SALT 88

#define VERSION 1
#define TYPE 1			/* the salt comes before the block's data */
#define ALGORITHM_SIZE 32

static const uint8_t signature[8] = "verity";
static const char algorithm[ALGORITHM_SIZE] = "sha256";

void verity_put(const struct verity *verity, uint8_t block[VERITY_BLOCK])
{
	memset(block, 0, VERITY_BLOCK);
	memcpy(block, signature, sizeof(signature));
	put_le32(block + AT_VERSION, VERSION);
	put_le32(block + AT_TYPE, TYPE);
	memcpy(block + AT_UUID, verity->uuid, VERITY_UUID);
	memcpy(block + AT_ALGORITHM, algorithm, ALGORITHM_SIZE);
	put_le32(block + AT_DATA_BLOCK, VERITY_BLOCK);
	put_le32(block + AT_HASH_BLOCK, VERITY_BLOCK);
	put_le64(block + AT_DATA_BLOCKS, verity->data_blocks);
	put_le16(block + AT_SALT_SIZE, verity->salt_size);
	memcpy(block + AT_SALT, verity->salt, verity->salt_size);
}

const char *verity_get(struct verity *verity,
		       const uint8_t superblock[VERITY_SUPERBLOCK])
{
	if (memcmp(superblock, signature, sizeof(signature)))
		return "no superblock of dm-verity";
	if (get_le32(superblock + AT_VERSION) != VERSION ||
	    get_le32(superblock + AT_TYPE) != TYPE)
		return "a hash tree of another format than 1";
	if (strncmp((const char *)superblock + AT_ALGORITHM, algorithm,
		    ALGORITHM_SIZE))
		return "a hash tree whose hash is not sha256";
	if (get_le32(superblock + AT_DATA_BLOCK) != VERITY_BLOCK ||
	    get_le32(superblock + AT_HASH_BLOCK) != VERITY_BLOCK)
		return "a hash tree whose blocks are not of 4096 bytes";
	verity->data_blocks = get_le64(superblock + AT_DATA_BLOCKS);
	verity->salt_size = get_le16(superblock + AT_SALT_SIZE);
	if (!verity->data_blocks || verity->data_blocks > VERITY_DATA_MAX ||
	    verity->salt_size > VERITY_SALT_MAX)
		return "a damaged superblock of dm-verity";
	memcpy(verity->salt, superblock + AT_SALT, verity->salt_size);
	memcpy(verity->uuid, superblock + AT_UUID, VERITY_UUID);
	return NULL;
}

uint64_t verity_level_blocks(uint64_t data_blocks, unsigned int level)
{
	do
		data_blocks = data_blocks / VERITY_DIGESTS +
			      !!(data_blocks % VERITY_DIGESTS);
	while (level--);
	return data_blocks;
}

unsigned int verity_levels(uint64_t data_blocks)
{
	unsigned int levels = 0;

	while (data_blocks > 1) {
		data_blocks = verity_level_blocks(data_blocks, 0);
		levels++;
	}
	return levels;
}

uint64_t verity_tree_blocks(uint64_t data_blocks)
{
	uint64_t blocks = 1;

	while (data_blocks > 1) {
		data_blocks = verity_level_blocks(data_blocks, 0);
		blocks += data_blocks;
	}
	return blocks;
}

uint64_t verity_data_blocks(uint64_t blocks)
{
	uint64_t low = 1, high = blocks < VERITY_DATA_MAX ? blocks :
							    VERITY_DATA_MAX;

	/* More data is always a larger disk. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (middle + verity_tree_blocks(middle) < blocks)
			low = middle + 1;
		else
			high = middle;
	}
	return low + verity_tree_blocks(low) == blocks ? low : 0;
}

void verity_digest(const struct verity *verity,
		   const uint8_t block[VERITY_BLOCK],
		   uint8_t digest[VERITY_DIGEST])
{
	struct sha256 sha256;

	sha256_start(&sha256);
	sha256_add(&sha256, verity->salt, verity->salt_size);
	sha256_add(&sha256, block, VERITY_BLOCK);
	sha256_end(&sha256, digest);
}

uint64_t verity_root_block(const struct verity *verity, uint64_t superblock)
{
	return verity->data_blocks > 1 ? superblock + 1 : 0;
}

int verity_of_image(const struct image *image, struct verity *verity,
		    uint8_t root[VERITY_DIGEST])
{
	uint64_t blocks = image->disk_size / VERITY_BLOCK;
	uint64_t data = verity_data_blocks(blocks);
	uint8_t block[VERITY_BLOCK];
	int ret;

	if (image->disk_size % VERITY_BLOCK || !data)
		return -ENOENT;
	ret = image_read_part(image, data * VERITY_BLOCK, block,
			      VERITY_SUPERBLOCK);
	if (ret)
		return ret;
	if (verity_get(verity, block) || verity->data_blocks != data)
		return -ENOENT;
	ret = image_read_part(image, verity_root_block(verity, data) *
			      VERITY_BLOCK, block, VERITY_BLOCK);
	if (!ret)
		verity_digest(verity, block, root);
	return ret;
}
