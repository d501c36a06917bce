// SPDX-License-Identifier: GPL-2.0
/* ublk index: creates the index file of a gzip file in advance, for --index. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/verb.h"
#include "core/same-store.h"
#include "image/image.h"
#include "image/restart.h"
#include "lib/build.h"
#include "lib/message.h"

struct settings {
	uint64_t spacing;
	bool force;
};

static const struct settings defaults = {
	.spacing = RESTART_SECTION_DEFAULT,
};

static const struct option_spec options[] = {
	{ "spacing", 0, OPTION_SIZE, offsetof(struct settings, spacing),
	  RESTART_SECTION_MIN, RESTART_SECTION_MAX, "SIZE",
	  "distance between restart points, 64K to 16M (1M)" },
	OPTION_OF_FORCE(struct settings, "replace an existing file"),
	{ }
};

static const char manual[] =
"Reads and verifies a gzip file once, and finds restart points: places from\n"
"which it can be expanded. Writes an index of them to FILE, by default\n"
"IMAGE.index; `-` is standard output. `ublk zimg --index FILE` then starts at\n"
"once. An image made by `ublk pack` or bgzip needs no index.\n"
"\n"
"A small read has to expand as much of the disk as --spacing says. A restart\n"
"point takes 10 to 20 KiB of memory.\n";

static int index_make(const struct image *image, const char *file, bool force)
{
	char *name = NULL;
	struct stat out;
	int ret = 0;

	if (!file && asprintf(&name, "%s.index", image->name) < 0)
		return message_fail(ENOMEM, "%s", image->name);
	if (!file)
		file = name;
	if (!(strcmp(file, "-") ? stat(file, &out) : fstat(STDOUT_FILENO, &out)))
		ret = same_store_refuse(image->source.fd, image->name, &out, file);
	if (!ret)
		ret = restart_save(image->gzip, &image->source, image->name, file,
				   force);
	free(name);
	return ret;
}

static int index_run(const void *values, int argc, char **argv)
{
	const struct settings *settings = values;
	const struct image_options how = { .section = settings->spacing };
	struct image image;
	int ret = -1;

	if (argc == 1 && !strcmp(argv[0], "-")) {
		message("standard input has no name; name the index file, as in "
			"`ublk index - FILE`");
		return EXIT_USAGE;
	}
	if (argc == 1 && source_is_remote(argv[0])) {
		message("%s: on a server; name the index file", argv[0]);
		return EXIT_USAGE;
	}
	if (image_open_path(&image, argv[0], &how))
		return EXIT_FAILED;
	if (image.format == IMAGE_GZIP)
		ret = index_make(&image, argc > 1 ? argv[1] : NULL,
				 settings->force);
	else
		message("%s: needs no index; `ublk zimg` serves it at once",
			argv[0]);
	image_close(&image);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_index = {
	.name = "index",
	.arguments = "IMAGE [FILE]",
	.summary = "make an index of a gzip file",
	.manual = MANUAL(manual),
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 1,
	.max_arguments = 2,
	.run = index_run,
};
