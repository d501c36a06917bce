/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hash tree of dm-verity behind the data of a disk, in the format of
 * veritysetup, version 1: SHA-256, blocks of 4096 bytes for data and hashes.
 *
 *	data          whole blocks
 *	superblock    a block, of which 512 bytes are used
 *	levels        the highest one first, which is one block; level 0, the
 *	              last one, has the digests of the data's blocks
 *
 * Data of one block has no levels. The root hash, which nothing in the disk can
 * be trusted without, is the digest of the highest level, or of that block.
 */
#ifndef IMAGE_VERITY_H
#define IMAGE_VERITY_H

#include <stdint.h>

#include "image/image.h"
#include "lib/sha256.h"

#define VERITY_BLOCK 4096U
#define VERITY_DIGEST SHA256_SIZE
#define VERITY_DIGESTS (VERITY_BLOCK / VERITY_DIGEST)	/* in a block */
#define VERITY_SUPERBLOCK 512U
#define VERITY_SALT_MAX 256U
#define VERITY_UUID 16U
/* Data of 2^63 bytes has eight levels. */
#define VERITY_LEVELS 8U
#define VERITY_DATA_MAX ((uint64_t)1 << 51)	/* blocks */

/* What a superblock says. */
struct verity {
	uint64_t data_blocks;
	unsigned int salt_size;
	uint8_t salt[VERITY_SALT_MAX];
	uint8_t uuid[VERITY_UUID];
};

/* Fills the block that begins with the superblock. */
void verity_put(const struct verity *verity, uint8_t block[VERITY_BLOCK]);

/*
 * Reads a superblock. Returns NULL, or in a few words why it is none that is
 * supported. data_blocks is then from 1 to VERITY_DATA_MAX.
 */
const char *verity_get(struct verity *verity,
		       const uint8_t superblock[VERITY_SUPERBLOCK]);

/* How many levels the hash tree of so much data has. */
unsigned int verity_levels(uint64_t data_blocks);

/* How many blocks @level has. */
uint64_t verity_level_blocks(uint64_t data_blocks, unsigned int level);

/* How many blocks are behind the data: superblock and levels. */
uint64_t verity_tree_blocks(uint64_t data_blocks);

/*
 * How many blocks of data a disk of @blocks has that ends with the last block
 * of its hash tree; 0 if no disk with a hash tree is as large as that.
 */
uint64_t verity_data_blocks(uint64_t blocks);

/* The digest of a block with the salt. */
void verity_digest(const struct verity *verity,
		   const uint8_t block[VERITY_BLOCK],
		   uint8_t digest[VERITY_DIGEST]);

/*
 * The block whose digest is the root hash, if the superblock is in block
 * @superblock.
 */
uint64_t verity_root_block(const struct verity *verity, uint64_t superblock);

/*
 * Reads the superblock of an image that ends with its hash tree, and calculates
 * the root hash from the block that it is the digest of. That says nothing about
 * the others. Returns 0, -ENOENT if the image has no hash tree, or -errno.
 * Prints nothing.
 */
int verity_of_image(const struct image *image, struct verity *verity,
		    uint8_t root[VERITY_DIGEST]);

#endif
