// SPDX-License-Identifier: GPL-2.0
/*
 * ublk check: verifies every byte of a compressed image and prints which
 * sectors of the disk are bad. Repairs nothing.
 */
#include "commands/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/verb.h"
#include "image/verity-check.h"
#include "image/walk.h"
#include "lib/build.h"
#include "lib/hex.h"
#include "lib/message.h"
#include "lib/whole-io.h"

struct settings {
	int64_t jobs;
	const char *index;
	const char *roothash;
};

static const struct settings defaults = { };

static const struct option_spec options[] = {
	OPTION_OF_JOBS(struct settings, "verification"),
	OPTION_OF_INDEX(struct settings),
	{ "roothash", 0, OPTION_STRING, offsetof(struct settings, roothash),
	  0, 0, "HEX", "verify the disk's hash tree as well" },
	{ }
};

static const char manual[] =
"Expands and verifies every chunk. Prints a line for each damaged chunk, with\n"
"the sectors of the disk (512 bytes each) that are lost. The exit status is 1 if\n"
"there is one. If the header or index is damaged, it reports that and stops.\n"
"IMAGE may be on a server: nbd://HOST/EXPORT or http://HOST/PATH.\n"
"\n"
"With --roothash, the disk must end with a hash tree, as `ublk pack` --verity\n"
"makes it, and all of its blocks must be what this root hash was made of.\n";

struct check {
	struct image_walk walk;
	uint64_t damaged;
	struct disk_sum *sum;	/* or NULL */
	struct check_tree *tree;	/* or NULL */
};

/* The hash tree that the disk ends with. */
struct check_tree {
	struct verity verity;
	struct verity_check check;
	uint8_t block[VERITY_BLOCK];	/* the beginning of the next block */
};

/* How many bytes of a chunk belong to a block that began before it. */
static uint32_t chunk_head(const struct image_chunk *chunk)
{
	uint32_t head = -chunk->disk_offset % VERITY_BLOCK;

	return head < chunk->disk_length ? head : chunk->disk_length;
}

/* Calculates the digests of all blocks that are within the chunk. */
static int check_work_hash(void *context, struct image_walk_item *item)
{
	const struct check *check = context;
	const struct image_chunk *chunk = &item->chunk;
	uint8_t *digest = item->extra;

	if (item->damage)
		return 0;
	for (uint32_t at = chunk_head(chunk);
	     chunk->disk_length - at >= VERITY_BLOCK; at += VERITY_BLOCK) {
		verity_digest(&check->tree->verity, item->data + at, digest);
		digest += VERITY_DIGEST;
	}
	return 0;
}

/* Collects a block that is in several chunks: adds @length bytes to it. */
static void check_part_of_block(struct check_tree *tree, uint64_t disk_offset,
				const uint8_t *data, uint32_t length)
{
	uint32_t at = disk_offset % VERITY_BLOCK;
	uint8_t digest[VERITY_DIGEST];

	memcpy(tree->block + at, data, length);
	if (at + length < VERITY_BLOCK)
		return;
	verity_digest(&tree->verity, tree->block, digest);
	verity_check_add(&tree->check, digest, 1);
}

static void check_hashes(struct check_tree *tree,
			 const struct image_walk_item *item)
{
	const struct image_chunk *chunk = &item->chunk;
	uint32_t head = chunk_head(chunk);
	uint32_t count = (chunk->disk_length - head) / VERITY_BLOCK;
	uint32_t tail = head + count * VERITY_BLOCK;

	if (head)
		check_part_of_block(tree, chunk->disk_offset, item->data, head);
	verity_check_add(&tree->check, item->extra, count);
	if (tail < chunk->disk_length)
		check_part_of_block(tree, chunk->disk_offset + tail,
				    item->data + tail,
				    chunk->disk_length - tail);
}

static int check_finish(void *context, struct image_walk_item *item)
{
	struct check *check = context;
	const struct image_chunk *chunk = &item->chunk;
	char text[IMAGE_DAMAGE_TEXT];

	if (!item->damage) {
		if (check->sum)
			disk_sum_add(check->sum,
				     member_crc(item->member,
						chunk->file_length),
				     chunk->disk_length);
		if (check->tree)
			check_hashes(check->tree, item);
		return 0;
	}
	check->damaged++;
	progress_clear(&check->walk.progress);
	puts(image_damage_text(chunk, item->damage, text));
	return 0;
}

static int check_all(const struct image *image, unsigned int jobs,
		     struct disk_sum *sum, struct check_tree *tree)
{
	struct check check = {
		.walk.image = image,
		.walk.jobs = jobs,
		.walk.context = &check,
		.walk.finish = check_finish,
		.sum = sum,
		.tree = tree,
	};
	int ret;

	if (tree) {
		check.walk.work = check_work_hash;
		check.walk.extra_size = image->chunk_max / VERITY_BLOCK *
					VERITY_DIGEST;
	}
	ret = image_walk(&check.walk);

	if (!check.damaged)
		return ret;
	message("%s: %" PRIu64 " of %" PRIu64 " chunks are damaged",
		image->name, check.damaged, image->chunks);
	return -EBADMSG;
}

int check_image(const struct image *image, unsigned int jobs,
		struct disk_sum *sum)
{
	return check_all(image, jobs, sum, NULL);
}

/* Verifies an image and its hash tree, of which the root hash is @wanted. */
static int check_with_tree(const struct image *image, unsigned int jobs,
			   const uint8_t wanted[VERITY_DIGEST])
{
	uint8_t root[VERITY_DIGEST];
	struct check_tree tree = { };
	const char *why;
	int ret = verity_of_image(image, &tree.verity, root);

	if (ret == -ENOENT) {
		message("%s: the disk does not end with a hash tree",
			image->name);
		return ret;
	}
	/* What is damaged is found again, and its place printed. */
	if (ret)
		return check_image(image, jobs, NULL) ? -EBADMSG :
		       message_fail(ret, "%s", image->name);
	verity_check_start(&tree.check, &tree.verity);
	ret = check_all(image, jobs, NULL, &tree);
	if (ret)
		return ret;
	why = verity_check_end(&tree.check, wanted);
	if (!why)
		return 0;
	message("%s: %s", image->name, why);
	return -EBADMSG;
}

int check_written(int fd, const char *name, unsigned int jobs,
		  const struct disk_sum *wanted)
{
	static const struct image_options how = { };
	struct disk_sum sum = { };
	struct image image;
	int ret;

	/*
	 * Empty the page cache first: its contents would not prove what is on
	 * the medium.
	 */
	ret = whole_sync(fd);
	if (ret)
		return message_fail(ret, "%s", name);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	ret = image_open_again(&image, fd, name, &how);
	if (ret)
		return ret;
	if (image.format == IMAGE_OURS)
		ret = check_image(&image, jobs, &sum);
	image_release(&image);
	if (!ret && (image.format != IMAGE_OURS ||
		     !disk_sum_equal(&sum, wanted))) {
		message("%s: the image does not match what was read from IN", name);
		ret = -EBADMSG;
	}
	return ret;
}

static int check_run(const void *values, int argc, char **argv)
{
	const struct settings *settings = values;
	const struct image_options how = { .index = settings->index };
	uint8_t root[VERITY_DIGEST];
	struct image image;
	int ret;

	(void)argc;
	if (settings->roothash &&
	    (strlen(settings->roothash) != 2 * VERITY_DIGEST ||
	     hex_parse(settings->roothash, 2 * VERITY_DIGEST, root))) {
		message("--roothash %s: not %u hexadecimal digits",
			settings->roothash, 2 * VERITY_DIGEST);
		return EXIT_USAGE;
	}
	if (image_open_path(&image, argv[0], &how))
		return EXIT_FAILED;
	if (settings->roothash)
		ret = check_with_tree(&image, settings->jobs, root);
	else
		ret = check_image(&image, settings->jobs, NULL);
	image_close(&image);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_check = {
	.name = "check",
	.arguments = "IMAGE",
	.summary = "verify a compressed image",
	.manual = MANUAL(manual),
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = check_run,
};
