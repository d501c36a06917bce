// SPDX-License-Identifier: GPL-2.0
/*
 * ublk check: verifies every byte of a compressed image and says which sectors
 * of the disk are bad. Repairs nothing.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/message.h"
#include "core/verb.h"
#include "targets/image-walk.h"
#include "targets/image.h"

struct settings {
	int64_t jobs;
	const char *index;
};

static const struct settings defaults = { };

static const struct option_spec options[] = {
	{ "jobs", 'j', OPTION_NUMBER, offsetof(struct settings, jobs),
	  1, 1024, "N", "threads that verify (one a CPU)" },
	{ "index", 0, OPTION_STRING, offsetof(struct settings, index),
	  0, 0, "FILE", "restart points of a gzip file (ublk index)" },
	{ }
};

static const char manual[] =
"Verifies every chunk of a compressed image and prints a line for each that\n"
"is damaged, with the sectors of the disk (512 bytes each) that are lost. The\n"
"exit status is 1 when there is one. A damaged header or index is told at\n"
"once, and nothing more.\n";

struct check {
	struct image_walk walk;
	uint64_t damaged;
};

static int finish(void *context, struct image_walk_item *item)
{
	struct check *check = context;
	char text[IMAGE_DAMAGE_TEXT];

	if (!item->damage)
		return 0;
	check->damaged++;
	progress_clear(&check->walk.progress);
	puts(image_damage_text(&item->chunk, item->damage, text));
	return 0;
}

static int run(const void *values, int argc, char **argv)
{
	const struct settings *settings = values;
	const struct image_options how = { .index = settings->index };
	struct check check = { };
	struct image image;
	int ret;

	(void)argc;
	if (image_open_path(&image, argv[0], &how))
		return EXIT_FAILED;
	check.walk.image = &image;
	check.walk.jobs = settings->jobs;
	check.walk.context = &check;
	check.walk.finish = finish;
	ret = image_walk(&check.walk);
	if (check.damaged)
		message("%s: %" PRIu64 " of %" PRIu64 " chunks are damaged",
			argv[0], check.damaged, image.chunks);
	image_close(&image);
	return ret || check.damaged ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_check = {
	.name = "check",
	.arguments = "IMAGE",
	.summary = "verify a compressed image",
	.manual = manual,
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
