// SPDX-License-Identifier: GPL-2.0
/*
 * Hash trees: where their levels are, superblocks, trees of many sizes beside
 * those that are made the simple way in memory, and the check of a whole disk.
 * The pwrite() here, which replaces the C library's, can fail.
 */
#include "image/verity.h"

#include <sys/syscall.h>

#include "image/verity-check.h"
#include "image/verity-tree.h"
#include "tests/unit/image-test.h"

#define LARGEST (3 * 128 * 128 + 200)	/* blocks of data */

static int failing;	/* with this errno */
static uint32_t random_state = 2463534242;
static const struct output output = { .fd = -1, .name = "disk" };

ssize_t pwrite(int fd, const void *from, size_t length, off_t at)
{
	if (failing) {
		errno = failing;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, from, length, at);
}

static struct verity salted(unsigned int size)
{
	struct verity verity = { .salt_size = size };

	for (unsigned int i = 0; i < size; i++)
		verity.salt[i] = next_random(&random_state);
	return verity;
}

/* A disk behind its data, made the simple way. */
struct simple {
	uint64_t data;		/* blocks */
	uint8_t *digests;	/* of the data */
	uint8_t *tree;		/* its levels, the lowest one first */
	uint64_t starts[VERITY_LEVELS + 1];	/* of levels: blocks of it */
	unsigned int levels;
	uint8_t root[VERITY_DIGEST];
};

/* Of the data's digests one in @every is not that of zeroes; 0: none. */
static struct simple make_simple(const struct verity *verity, uint64_t data,
				 unsigned int every)
{
	struct simple simple = { .data = data };
	uint8_t zeroes[VERITY_BLOCK] = { 0 }, digest[VERITY_DIGEST];
	const uint8_t *below;
	uint64_t count = data;

	simple.digests = malloc(data * VERITY_DIGEST);
	simple.tree = calloc(data / 64 + 16, VERITY_BLOCK);
	if (!simple.digests || !simple.tree)
		abort();
	verity_digest(verity, zeroes, digest);
	for (uint64_t i = 0; i < data; i++) {
		uint8_t *at = simple.digests + i * VERITY_DIGEST;

		memcpy(at, digest, VERITY_DIGEST);
		if (every && i % every == 0)
			for (int j = 0; j < 8; j++)
				put_le32(at + 4 * j, next_random(&random_state));
	}
	for (below = simple.digests; count > 1; simple.levels++) {
		uint64_t blocks = (count + 127) / 128;
		uint8_t *at = simple.tree + simple.starts[simple.levels] *
			      VERITY_BLOCK;
		uint8_t *digests = malloc(blocks * VERITY_DIGEST);

		if (!digests)
			abort();
		memcpy(at, below, count * VERITY_DIGEST);
		for (uint64_t i = 0; i < blocks; i++)
			verity_digest(verity, at + i * VERITY_BLOCK,
				      digests + i * VERITY_DIGEST);
		if (simple.levels)
			free((void *)below);
		below = digests;
		count = blocks;
		simple.starts[simple.levels + 1] =
			simple.starts[simple.levels] + blocks;
	}
	memcpy(simple.root, below, VERITY_DIGEST);
	if (simple.levels)
		free((void *)below);
	return simple;
}

static void free_simple(struct simple *simple)
{
	free(simple->digests);
	free(simple->tree);
}

static void test_places(void)
{
	uint64_t data, blocks, last = 0, wrong = 0, found = 0;

	/* All sizes up to some, then some sizes up to the largest. */
	for (data = 1; data <= VERITY_DATA_MAX && data;
	     data += data < 70000 ? 1 : data / 1000) {
		uint64_t count = data, sum = 0;
		unsigned int levels = 0;

		for (; count > 1; levels++) {
			count = (count + 127) / 128;
			sum += count;
			wrong += verity_level_blocks(data, levels) != count;
		}
		blocks = verity_tree_blocks(data);
		wrong += levels != verity_levels(data) || blocks != sum + 1 ||
			 levels > VERITY_LEVELS;
		wrong += verity_data_blocks(data + blocks) != data;
		if (data + blocks != last + 1 && last && data < 70000)
			wrong += verity_data_blocks(last + 1) != 0;
		last = data + blocks;
	}
	check(!wrong, "levels and their places, and the data by the disk's size");
	for (blocks = 0; blocks < 70000; blocks++)
		found += verity_data_blocks(blocks) != 0;
	check(found > 69000 && found < 69900 && !verity_data_blocks(0) &&
	      !verity_data_blocks(1) && verity_data_blocks(2) == 1 &&
	      !verity_data_blocks(3) && verity_data_blocks(4) == 2,
	      "sizes that no disk with a hash tree has");
	check(verity_levels(1) == 0 && verity_levels(128) == 1 &&
	      verity_levels(129) == 2 && verity_levels(VERITY_DATA_MAX) == 8 &&
	      !verity_data_blocks(UINT64_MAX), "limits");
}

/* Whether a superblock is refused when one byte is changed. */
static bool refused(const uint8_t block[VERITY_BLOCK], unsigned int at,
		    uint8_t value)
{
	uint8_t bytes[VERITY_SUPERBLOCK];
	struct verity verity;

	memcpy(bytes, block, VERITY_SUPERBLOCK);
	bytes[at] = value;
	return verity_get(&verity, bytes);
}

static void test_superblock(void)
{
	struct verity verity = salted(200), again = { 0 };
	uint8_t block[VERITY_BLOCK];
	unsigned int count = 0;

	verity.data_blocks = 123456789;
	memset(verity.uuid, 7, VERITY_UUID);
	verity_put(&verity, block);
	check(!verity_get(&again, block) &&
	      !memcmp(&verity, &again, sizeof(verity)), "a superblock is read");
	check(image_all_zero(block + VERITY_SUPERBLOCK,
			     VERITY_BLOCK - VERITY_SUPERBLOCK),
	      "and zeroes follow it");
	/* Signature, version, type, algorithm, sizes of blocks. */
	for (unsigned int at = 0; at < 16; at++)
		count += refused(block, at, block[at] ^ 4);
	for (unsigned int at = 32; at < 39; at++)
		count += refused(block, at, block[at] ^ 4);
	for (unsigned int at = 64; at < 72; at++)
		count += refused(block, at, block[at] ^ 4);
	check(count == 16 + 7 + 8, "what is of another format is refused");
	check(refused(block, 79, 1) && refused(block, 81, 2) &&
	      !refused(block, 80, 255), "so are too much data and salt");
	memset(block + 72, 0, 8);
	check(verity_get(&again, block), "and no data");
}

/* Whether a tree is the one that was made the simple way. */
static bool tree_is(struct verity_tree *tree, const struct simple *simple)
{
	uint8_t block[VERITY_BLOCK], root[VERITY_DIGEST], superblock[VERITY_BLOCK];
	bool same;

	if (verity_tree_end(tree, root) ||
	    memcmp(root, simple->root, VERITY_DIGEST) ||
	    verity_tree_next(tree, superblock) != 1)
		return false;
	verity_put(&tree->verity, block);
	same = !memcmp(block, superblock, VERITY_BLOCK) &&
	       tree->verity.data_blocks == simple->data;
	for (unsigned int level = simple->levels; level--;)
		for (uint64_t i = simple->starts[level];
		     same && i < simple->starts[level + 1]; i++)
			same = verity_tree_next(tree, block) == 1 &&
			       !memcmp(block, simple->tree + i * VERITY_BLOCK,
				       VERITY_BLOCK);
	return same && !verity_tree_next(tree, block) &&
	       !verity_tree_next(tree, block);
}

static bool is_right(uint64_t data, unsigned int every)
{
	struct verity verity = salted(next_random(&random_state) % 257);
	struct simple simple = make_simple(&verity, data, every);
	struct verity_tree tree;
	uint64_t step;
	bool right = true;

	verity_tree_start(&tree, &verity, &output);
	for (uint64_t at = 0; right && at < data; at += step) {
		step = next_random(&random_state) % 300;
		if (step > data - at)
			step = data - at;
		right = !verity_tree_add(&tree, simple.digests +
					 at * VERITY_DIGEST, step);
	}
	right = right && tree_is(&tree, &simple);
	verity_tree_free(&tree);
	free_simple(&simple);
	return right;
}

static void test_trees(void)
{
	static const uint64_t sizes[] = {
		1, 2, 3, 127, 128, 129, 255, 256, 257, 1000, 128 * 128 - 1,
		128 * 128, 128 * 128 + 1, 128 * 128 + 128, 128 * 128 + 129,
		LARGEST,
	};
	static const unsigned int kinds[] = { 1, 2, 127, 128, 1000, 20000, 0 };
	unsigned int wrong = 0, made = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t j = 0; j < sizeof(kinds) / sizeof(kinds[0]); j++) {
			wrong += !is_right(sizes[i], kinds[j]);
			made++;
		}
	check(!wrong && made == 112, "%u of %u trees are as they should be",
	      made - wrong, made);
}

static void test_holes(void)
{
	struct verity verity = salted(32);
	struct simple simple = make_simple(&verity, 128 * 128 * 3, 0);
	struct verity_tree tree;
	bool none = true;

	verity_tree_start(&tree, &verity, &output);
	if (verity_tree_add(&tree, simple.digests, simple.data))
		abort();
	for (unsigned int i = 0; i <= VERITY_LEVELS; i++)
		none = none && tree.levels[i].fd < 0;
	check(none && tree_is(&tree, &simple),
	      "of a disk of zeroes nothing is kept but the highest level");
	verity_tree_free(&tree);
	free_simple(&simple);
}

static void test_failures(void)
{
	struct verity verity = salted(0);
	struct simple simple = make_simple(&verity, 1000, 1);
	uint8_t root[VERITY_DIGEST];
	struct verity_tree tree;

	verity_tree_start(&tree, &verity, &output);
	failing = ENOSPC;
	check(verity_tree_add(&tree, simple.digests, 1000) == -ENOSPC,
	      "no room for a level");
	verity_tree_free(&tree);
	verity_tree_start(&tree, &verity, &output);
	check(!verity_tree_add(&tree, simple.digests, 100) &&
	      verity_tree_end(&tree, root) == -ENOSPC, "nor for its last block");
	verity_tree_free(&tree);
	failing = 0;
	setenv("TMPDIR", "/nonexistent", 1);
	verity_tree_start(&tree, &verity, &output);
	check(verity_tree_add(&tree, simple.digests, 1000) == -ENOENT,
	      "no folder for a level");
	verity_tree_free(&tree);
	unsetenv("TMPDIR");
	verity_tree_start(&tree, &verity, NULL);
	check(!verity_tree_add(&tree, simple.digests, 1000) &&
	      !verity_tree_end(&tree, root) &&
	      !memcmp(root, simple.root, VERITY_DIGEST),
	      "the root hash alone needs none");
	verity_tree_free(&tree);
	free_simple(&simple);
}

/*
 * What the check says of a disk. One bit of the digest of its block @changed is
 * changed, as by any change of the block.
 */
static const char *check_says(const struct verity *verity,
			      const struct simple *simple, uint64_t changed)
{
	struct verity described = *verity;
	struct verity_check all;
	uint8_t digest[VERITY_DIGEST] = { 0 };
	uint64_t number = 0;

	described.data_blocks = simple->data;
	verity_check_start(&all, &described);
	for (uint64_t i = 0; i < simple->data; i++) {
		memcpy(digest, simple->digests + i * VERITY_DIGEST,
		       VERITY_DIGEST);
		digest[5] ^= number++ == changed;
		verity_check_add(&all, digest, 1);
	}
	number++;
	verity_check_add(&all, digest, 1);	/* the superblock's */
	for (unsigned int level = simple->levels; level--;)
		for (uint64_t i = simple->starts[level];
		     i < simple->starts[level + 1]; i++) {
			verity_digest(verity, simple->tree + i * VERITY_BLOCK,
				      digest);
			digest[5] ^= number++ == changed;
			verity_check_add(&all, digest, 1);
		}
	return verity_check_end(&all, simple->root);
}

static bool begins(const char *text, const char *start)
{
	return text && !strncmp(text, start, strlen(start));
}

static void test_check(uint64_t data)
{
	struct verity verity = salted(32);
	struct simple simple = make_simple(&verity, data, 3);
	uint64_t blocks = data + verity_tree_blocks(data);
	unsigned int found = 0, tried = 0;

	check(!check_says(&verity, &simple, UINT64_MAX) &&
	      !check_says(&verity, &simple, data),
	      "%u blocks that are whole", (unsigned int)data);
	for (uint64_t i = 0; i < blocks; i += 1 + (i + 10 < blocks) * blocks / 99) {
		const char *says = check_says(&verity, &simple, i);

		if (i == data)
			continue;
		tried++;
		if (data == 1)
			found += begins(says, "whole, but");
		else
			found += begins(says, i < data ? "the data is" :
					"the hash tree is");
	}
	check(found == tried, "%u of %u changed blocks are found", found,
	      tried);
	simple.root[0] ^= 1;
	check(begins(check_says(&verity, &simple, UINT64_MAX), "whole, but"),
	      "another root hash");
	check(data == 1 || begins(check_says(&verity, &simple, 0), "neither"),
	      "and changed data as well");
	free_simple(&simple);
}

int main(void)
{
	be_quiet();
	test_places();
	test_superblock();
	test_trees();
	test_holes();
	test_failures();
	test_check(1);
	test_check(2);
	test_check(128);
	test_check(129);
	test_check(17000);
	return done_testing();
}
