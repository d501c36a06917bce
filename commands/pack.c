// SPDX-License-Identifier: GPL-2.0
/*
 * ublk pack: makes a compressed image of a disk. The main thread reads and
 * writes in order, and all CPUs compress. image/format.c knows the format.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/check.h"
#include "commands/verb.h"
#include "core/same-store.h"
#include "image/disk-source.h"
#include "image/format.h"
#include "image/image.h"
#include "image/write.h"
#include "lib/build.h"
#include "lib/deflate.h"
#include "lib/message.h"
#include "lib/output.h"
#include "lib/parallel.h"
#include "lib/progress.h"
#include "targets/cow/source.h"

struct settings {
	uint64_t chunk;
	int64_t level;
	int64_t jobs;
	bool force;
	bool verify;
	const char *cow;
};

static const struct settings defaults = {
	.chunk = IMAGE_CHUNK_BC,
	.level = 10,
};

static const struct option_spec options[] = {
	{ "chunk", 'c', OPTION_SIZE, offsetof(struct settings, chunk),
	  IMAGE_CHUNK_STEP, IMAGE_CHUNK_MAX, "SIZE",
	  "bytes of the disk per chunk (60K)" },
	{ "level", 'l', OPTION_NUMBER, offsetof(struct settings, level),
	  1, DEFLATE_LEVEL_MAX, "1-12", "compression level (10)" },
	OPTION_OF_JOBS(struct settings, "compression"),
	OPTION_OF_FORCE(struct settings, "replace a file even if it is not an image"),
	{ "verify", 0, OPTION_FLAG, offsetof(struct settings, verify),
	  0, 0, NULL, "read the image back and check it" },
	{ "cow", 0, OPTION_STRING, offsetof(struct settings, cow), 0, 0, "FILE",
	  "include what a device with --cow FILE wrote over IN" },
	{ }
};

static const char manual[] =
"`ublk zimg` serves the image, and any gzip program expands it. IN is a file, a\n"
"block device, or `-` for standard input. Holes in a file are not read.\n"
"\n"
"OUT is a file, or `-` for standard output. The file appears when the image is\n"
"complete. An existing file is replaced only if it is empty or an image made by\n"
"ublk. For standard output, the image is kept in $TMPDIR or /tmp until it is\n"
"complete.\n"
"\n"
"With --cow, IN is the file or image that a device was served from. OUT then\n"
"holds what that device held when it was stopped.\n"
"\n"
"A larger chunk compresses better, but makes small reads slower. The chunk size\n"
"is a multiple of 4K, and at most 1M. Up to 60K, the image is also in the block\n"
"format of bgzip (BGZF).\n"
"\n"
"With --verify, the image is read back from the medium and expanded before it\n"
"appears. Its length and CRC-32 must match what was read from IN.\n";

/* A chunk while it is processed. */
struct item {
	uint8_t *data;
	uint8_t *member;
	uint32_t length;
	uint32_t member_length;
	bool hole;
};

struct pack {
	const struct settings *settings;
	struct disk_source source;
	struct cow_source cow;	/* with --cow: on top of the source */
	struct output output;
	struct image_writer writer;
	struct progress progress;
	struct disk_sum sum;	/* with --verify: of what was read */
	uint8_t *zero_member;	/* of a whole chunk of zeroes */
	uint32_t zero_length;
};

static bool has_bc(const struct pack *pack)
{
	return pack->settings->chunk <= IMAGE_CHUNK_BC;
}

static int pack_item_init(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;

	item->data = malloc(pack->settings->chunk);
	item->member = malloc(member_bound(pack->settings->chunk));
	return item->data && item->member ? 0 : -ENOMEM;
}

static void pack_item_free(void *memory)
{
	struct item *item = memory;

	free(item->data);
	free(item->member);
}

static int pack_worker_init(void *context, void *worker)
{
	struct pack *pack = context;

	return deflater_init(worker, pack->settings->level);
}

static void pack_worker_free(void *worker)
{
	deflater_free(worker);
}

static int pack_fetch(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;
	uint64_t chunk = pack->settings->chunk;
	ssize_t n;

	if (pack->settings->cow)
		n = cow_source_read(&pack->cow, item->data, chunk, &item->hole);
	else
		n = disk_source_read(&pack->source, item->data, chunk,
				     &item->hole);
	item->length = n;
	return n < 0 ? n : n > 0;
}

static int pack_work(void *context, void *worker, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;

	if (!item->hole)
		item->hole = image_all_zero(item->data, item->length);
	if (item->hole && item->length == pack->settings->chunk)
		return 0;
	if (item->hole)
		memset(item->data, 0, item->length);
	item->member_length = member_deflate(worker, item->data, item->length,
					     has_bc(pack), item->member);
	return 0;
}

static int pack_finish(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;
	bool zero_member = item->hole && item->length == pack->settings->chunk;
	const uint8_t *member = zero_member ? pack->zero_member : item->member;
	uint32_t length = zero_member ? pack->zero_length :
					item->member_length;
	int ret;

	if (pack->settings->verify)
		disk_sum_add(&pack->sum, member_crc(member, length),
			     item->length);
	ret = image_writer_add(&pack->writer, member, length, item->length,
			       item->hole);
	progress_add(&pack->progress, item->length);
	if (ret) {
		progress_clear(&pack->progress);
		message_fail(ret, "%s", pack->output.name);
	}
	return ret;
}

static const struct parallel steps = {
	.item_size = sizeof(struct item),
	.worker_size = sizeof(struct deflater),
	.item_init = pack_item_init,
	.item_free = pack_item_free,
	.worker_init = pack_worker_init,
	.worker_free = pack_worker_free,
	.fetch = pack_fetch,
	.work = pack_work,
	.finish = pack_finish,
};

/* All chunks of zeroes have the same member, so it is made once. */
static int make_zero_member(struct pack *pack)
{
	struct deflater deflater;
	uint8_t *zeroes = calloc(1, pack->settings->chunk);
	int ret = -ENOMEM;

	pack->zero_member = malloc(member_bound(pack->settings->chunk));
	if (zeroes && pack->zero_member)
		ret = deflater_init(&deflater, pack->settings->level);
	if (!ret) {
		pack->zero_length = member_deflate(&deflater, zeroes,
						   pack->settings->chunk,
						   has_bc(pack),
						   pack->zero_member);
		deflater_free(&deflater);
	}
	free(zeroes);
	return ret;
}

/* Writes the complete image to the temporary file. */
static int write_image(struct pack *pack)
{
	struct parallel parallel = steps;
	int ret = make_zero_member(pack);

	parallel.context = pack;
	parallel.jobs = pack->settings->jobs ? pack->settings->jobs :
			parallel_cpus();
	if (ret)
		return message_fail(ret, "%s", pack->source.name);
	image_writer_start(&pack->writer, pack->output.fd,
			   pack->settings->chunk);
	progress_start(&pack->progress, pack->settings->cow ? pack->cow.size :
		       pack->source.size - pack->source.offset);
	ret = parallel_run(&parallel);
	progress_clear(&pack->progress);
	if (ret == -ENOMEM || ret == -EAGAIN)
		return message_fail(ret, "%s", pack->source.name);
	if (ret)
		return ret;
	ret = image_writer_finish(&pack->writer);
	if (ret)
		message_fail(ret, "%s", pack->output.name);
	return ret;
}

/*
 * Replacing an image of ours is safe, because it can be made again. Other files
 * may be the only copy.
 */
static bool may_replace(const struct settings *settings, const char *path)
{
	int fd;
	bool ours;

	if (settings->force)
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ours = image_is_ours(fd);
	close(fd);
	return ours;
}

static int pack_check_distinct(const struct pack *pack, const char *path)
{
	struct stat out;
	int ret;

	if (strcmp(path, "-") ? stat(path, &out) : fstat(STDOUT_FILENO, &out))
		return 0;
	ret = same_store_refuse(pack->source.fd, pack->source.name, &out, path);
	if (!ret && pack->settings->cow)
		ret = same_store_refuse(pack->cow.file.fd, pack->settings->cow,
					&out, path);
	return ret;
}

static int pack_to(struct pack *pack, const char *path)
{
	int ret = pack_check_distinct(pack, path);

	if (!ret)
		ret = output_create(&pack->output, path,
				    may_replace(pack->settings, path));
	if (ret)
		return ret;
	ret = write_image(pack);
	if (!ret && pack->settings->verify)
		ret = check_written(pack->output.fd, pack->output.name,
				    pack->settings->jobs, &pack->sum);
	if (ret)
		output_abandon(&pack->output);
	else
		ret = output_commit(&pack->output);
	free(pack->zero_member);
	image_writer_free(&pack->writer);
	return ret;
}

static int pack_run(const void *values, int argc, char **argv)
{
	struct pack pack = { .settings = values };
	int ret;

	(void)argc;
	if (pack.settings->chunk % IMAGE_CHUNK_STEP) {
		message("--chunk: not a multiple of %uK",
			IMAGE_CHUNK_STEP / 1024);
		return EXIT_USAGE;
	}
	if (disk_source_open(&pack.source, argv[0]))
		return EXIT_FAILED;
	ret = pack.settings->cow ? cow_source_open(&pack.cow,
						   pack.settings->cow,
						   &pack.source) : 0;
	if (!ret) {
		ret = pack_to(&pack, argv[1]);
		if (pack.settings->cow)
			cow_source_close(&pack.cow);
	}
	disk_source_close(&pack.source);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_pack = {
	.name = "pack",
	.arguments = "IN OUT",
	.summary = "make a compressed image of a disk",
	.manual = MANUAL(manual),
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 2,
	.max_arguments = 2,
	.run = pack_run,
};
