// SPDX-License-Identifier: GPL-2.0
/*
 * ublk unpack: expands a compressed image to a disk. Verifies every chunk, and
 * stops at a damaged one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/verb.h"
#include "core/same-store.h"
#include "image/image.h"
#include "image/walk.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/output.h"
#include "lib/storage.h"
#include "lib/whole-io.h"

struct settings {
	int64_t jobs;
	const char *index;
	bool force;
};

static const struct settings defaults = { };

static const struct option_spec options[] = {
	OPTION_OF_JOBS(struct settings, "decompression"),
	OPTION_OF_INDEX(struct settings),
	OPTION_OF_FORCE(struct settings, "replace an existing file"),
	{ }
};

static const char manual[] =
"OUT is a new file, in which zeroes become holes, a block device that is large\n"
"enough and not in use, or `-` for standard output. Every chunk is verified. If\n"
"one is damaged, no file is left behind. IMAGE may be on a server:\n"
"nbd://HOST/EXPORT or http://HOST/PATH.\n";

/* Zeroes become holes in aligned blocks of this size. */
#define HOLE 4096U

struct unpack {
	const struct settings *settings;
	struct image image;
	struct image_walk walk;
	const char *name;	/* of the output */
	int fd;
};

static int unpack_report_write(struct unpack *unpack, int ret)
{
	progress_clear(&unpack->walk.progress);
	return message_fail(ret, "%s", unpack->name);
}

static int unpack_report_damage(struct unpack *unpack,
				const struct image_walk_item *item)
{
	char text[IMAGE_DAMAGE_TEXT];

	progress_clear(&unpack->walk.progress);
	message("%s: damaged: %s", unpack->image.name,
		image_damage_text(&item->chunk, item->damage, text));
	return -EBADMSG;
}

/* Damage is printed here, so that it is in order. */
static int unpack_finish(void *context, struct image_walk_item *item)
{
	struct unpack *unpack = context;

	return item->damage ? unpack_report_damage(unpack, item) : 0;
}

/* Writes the data and leaves holes for zeroes. */
static int work_file(void *context, struct image_walk_item *item)
{
	struct unpack *unpack = context;
	uint64_t offset = item->chunk.disk_offset;
	uint32_t length = item->chunk.disk_length;
	uint32_t from = 0, to = 0;
	int ret = 0;

	if (item->damage)
		return 0;
	while (!ret && from < length) {
		uint32_t step = HOLE - (offset + to) % HOLE;
		bool end = to == length;

		if (step > length - to)
			step = length - to;
		if (!end && !image_all_zero(item->data + to, step)) {
			to += step;
			continue;
		}
		if (to > from)
			ret = whole_pwrite(unpack->fd, item->data + from,
					   to - from, offset + from);
		to += step;
		from = to;
	}
	return ret ? unpack_report_write(unpack, ret) : 0;
}

/* Zeroes are written as well, by the device itself if it can. */
static int work_device(void *context, struct image_walk_item *item)
{
	struct unpack *unpack = context;
	const struct image_chunk *chunk = &item->chunk;
	int ret;

	if (item->damage)
		return 0;
	if (image_all_zero(item->data, chunk->disk_length) &&
	    !fallocate(unpack->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		       chunk->disk_offset, chunk->disk_length))
		return 0;
	ret = whole_pwrite(unpack->fd, item->data, chunk->disk_length,
			   chunk->disk_offset);
	return ret ? unpack_report_write(unpack, ret) : 0;
}

static int unpack_finish_stream(void *context, struct image_walk_item *item)
{
	struct unpack *unpack = context;
	int ret;

	if (item->damage)
		return unpack_report_damage(unpack, item);
	ret = whole_write(unpack->fd, item->data, item->chunk.disk_length);
	return ret ? unpack_report_write(unpack, ret) : 0;
}

static int to_stream(struct unpack *unpack, int fd)
{
	unpack->fd = fd;
	unpack->walk.finish = unpack_finish_stream;
	return image_walk(&unpack->walk);
}

static int to_file(struct unpack *unpack)
{
	struct output output;
	int ret = output_create(&output, unpack->name,
				unpack->settings->force);

	if (ret)
		return ret;
	unpack->fd = output.fd;
	unpack->walk.work = work_file;
	if (ftruncate(output.fd, unpack->image.disk_size))
		ret = unpack_report_write(unpack, errno);
	if (!ret)
		ret = image_walk(&unpack->walk);
	if (!ret)
		return output_commit(&output);
	output_abandon(&output);
	return ret;
}

static int check_device(struct unpack *unpack)
{
	uint64_t size;
	int err = storage_size(unpack->fd, &size);

	if (err)
		return message_fail(err, "%s", unpack->name);
	if (size >= unpack->image.disk_size)
		return 0;
	message("%s: too small: the disk has %" PRIu64 " bytes, this has %"
		PRIu64, unpack->name, unpack->image.disk_size, size);
	return -ENOSPC;
}

static int to_device(struct unpack *unpack)
{
	int ret;

	/* EBUSY if it is mounted or otherwise in use. */
	unpack->fd = open(unpack->name, O_WRONLY | O_EXCL | O_CLOEXEC);
	if (unpack->fd < 0)
		return message_fail(errno, "%s", unpack->name);
	unpack->walk.work = work_device;
	ret = check_device(unpack);
	if (!ret)
		ret = image_walk(&unpack->walk);
	if (!ret) {
		ret = whole_sync(unpack->fd);
		if (ret)
			message_fail(ret, "%s", unpack->name);
	}
	close(unpack->fd);
	return ret;
}

/* The output must be neither the image nor its index. */
static int unpack_check_distinct(const struct unpack *unpack,
				 const struct stat *out)
{
	const char *index = unpack->settings->index;
	int ret = same_store_refuse(unpack->image.source.fd,
				    unpack->image.name, out, unpack->name);
	int fd;

	if (ret || !index)
		return ret;
	fd = open(index, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	ret = same_store_refuse(fd, index, out, unpack->name);
	close(fd);
	return ret;
}

static int to_path(struct unpack *unpack)
{
	struct stat out;
	int fd, ret;

	if (stat(unpack->name, &out))
		return to_file(unpack);
	ret = unpack_check_distinct(unpack, &out);
	if (ret)
		return ret;
	if (S_ISBLK(out.st_mode))
		return to_device(unpack);
	if (!S_ISCHR(out.st_mode) && !S_ISFIFO(out.st_mode))
		return to_file(unpack);
	fd = open(unpack->name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return message_fail(errno, "%s", unpack->name);
	ret = to_stream(unpack, fd);
	close(fd);
	return ret;
}

static int to_standard_output(struct unpack *unpack)
{
	struct stat out;
	int ret;

	unpack->name = "standard output";
	if (fstat(STDOUT_FILENO, &out))
		return message_fail(errno, "%s", unpack->name);
	ret = unpack_check_distinct(unpack, &out);
	return ret ? ret : to_stream(unpack, STDOUT_FILENO);
}

static int unpack_run(const void *values, int argc, char **argv)
{
	struct unpack unpack = { .settings = values, .name = argv[1] };
	const struct image_options how = {
		.index = unpack.settings->index,
	};
	int ret;

	(void)argc;
	if (image_open_path(&unpack.image, argv[0], &how))
		return EXIT_FAILED;
	unpack.walk.image = &unpack.image;
	unpack.walk.jobs = unpack.settings->jobs;
	unpack.walk.context = &unpack;
	unpack.walk.finish = unpack_finish;
	if (strcmp(unpack.name, "-"))
		ret = to_path(&unpack);
	else
		ret = to_standard_output(&unpack);
	image_close(&unpack.image);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_unpack = {
	.name = "unpack",
	.arguments = "IMAGE OUT",
	.summary = "expand a compressed image into a disk",
	.manual = MANUAL(manual),
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 2,
	.max_arguments = 2,
	.run = unpack_run,
};
