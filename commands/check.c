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
#include <unistd.h>

#include "commands/verb.h"
#include "image/walk.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/whole-io.h"

struct settings {
	int64_t jobs;
	const char *index;
};

static const struct settings defaults = { };

static const struct option_spec options[] = {
	OPTION_OF_JOBS(struct settings, "verification"),
	OPTION_OF_INDEX(struct settings),
	{ }
};

static const char manual[] =
"Expands and verifies every chunk. Prints a line for each damaged chunk, with\n"
"the sectors of the disk (512 bytes each) that are lost. The exit status is 1 if\n"
"there is one. If the header or index is damaged, it reports that and stops.\n";

struct check {
	struct image_walk walk;
	uint64_t damaged;
	struct disk_sum *sum;	/* or NULL */
};

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
		return 0;
	}
	check->damaged++;
	progress_clear(&check->walk.progress);
	puts(image_damage_text(chunk, item->damage, text));
	return 0;
}

int check_image(const struct image *image, unsigned int jobs,
		struct disk_sum *sum)
{
	struct check check = {
		.walk.image = image,
		.walk.jobs = jobs,
		.walk.context = &check,
		.walk.finish = check_finish,
		.sum = sum,
	};
	int ret = image_walk(&check.walk);

	if (!check.damaged)
		return ret;
	message("%s: %" PRIu64 " of %" PRIu64 " chunks are damaged",
		image->name, check.damaged, image->chunks);
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
	struct image image;
	int ret;

	(void)argc;
	if (image_open_path(&image, argv[0], &how))
		return EXIT_FAILED;
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
