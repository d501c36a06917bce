// SPDX-License-Identifier: GPL-2.0
/*
 * The zimg target: a compressed image as a read-only disk. This file opens and
 * closes it. image/ reads images, and read.c serves requests.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/identity.h"
#include "core/memory.h"
#include "image/restart.h"
#include "lib/build.h"
#include "lib/deflate.h"
#include "lib/gpt.h"
#include "lib/message.h"
#include "sources/remote.h"
#include "targets/backing.h"
#include "targets/zimg/fetch.h"
#include "targets/zimg/zimg.h"

/*
 * Each queue has memory to read this many bytes of members at once, but at
 * least this many members.
 */
#define LOADS_MIN 2
#define LOADS_BYTES (512U << 10)

#define CACHE_USUAL (8U << 20)

struct zimg_settings {
	uint64_t cache;		/* OPTION_UNSAID: chosen for the board */
	uint64_t spacing;
	const char *index;
	uint64_t timeout;	/* seconds; 0: none */
};

static const struct zimg_settings zimg_defaults = {
	.cache = OPTION_UNSAID,
	.spacing = RESTART_SECTION_DEFAULT,
};

static const struct option_spec zimg_options[] = {
	{ "cache", 0, OPTION_SIZE, offsetof(struct zimg_settings, cache),
	  0, 0, "SIZE", "memory for expanded chunks (8M, or less)" },
#if WITH_GZIP
	{ "index", 0, OPTION_PATH, offsetof(struct zimg_settings, index),
	  0, 0, "FILE", "index of a gzip file; made if it does not exist" },
	{ "spacing", 0, OPTION_SIZE, offsetof(struct zimg_settings, spacing),
	  RESTART_SECTION_MIN, RESTART_SECTION_MAX, "SIZE",
	  "distance between restart points, 64K to 16M (1M)" },
#endif
#if WITH_NETWORK
	{ "timeout", 0, OPTION_NUMBER, offsetof(struct zimg_settings, timeout),
	  1, 86400, "S",
	  "fail reads when the server is away for so long" },
#endif
	{ }
};

static int zimg_submit(struct ublk_queue *queue, struct ublk_request *request)
{
	switch (request->op) {
	case UBLK_IO_OP_READ:
		return zimg_read(ublk_queue_data(queue), request);
	case UBLK_IO_OP_FLUSH:
		return 0;
	default:
		return -EPERM;	/* the disk is read-only */
	}
}

static bool zimg_turn(struct ublk_queue *queue)
{
	return zimg_work(ublk_queue_data(queue));
}

/* How many chunks each queue can load at the same time. */
static unsigned int zimg_load_count(const struct zimg *zimg)
{
	unsigned int count = LOADS_BYTES / zimg->image.member_max;

	if (count < LOADS_MIN)
		return LOADS_MIN;
	return count > ZIMG_LOADS_MAX ? ZIMG_LOADS_MAX : count;
}

/* The memory of an image on a server belongs to @fetches, and is not freed here. */
static void zimg_queue_free_members(struct zimg_queue *queue)
{
	if (queue->members_size)
		munmap(queue->members, queue->members_size);
}

static int zimg_queue_init(struct zimg_queue *queue)
{
	uint32_t member = queue->zimg->image.member_max;
	unsigned int count = zimg_load_count(queue->zimg);

	queue->stalled.end = &queue->stalled.first;
	queue->ready.end = &queue->ready.first;
	if (WITH_NETWORK && queue->zimg->fetches) {
		struct fetch *fetch = &queue->zimg->fetches[
				      ublk_queue_id(queue->queue)];

		queue->members = fetch->members;
		fetch_begin(fetch, queue->queue, queue->loads, count);
	} else {
		queue->members_size = (size_t)count * member;
		queue->members = mmap(NULL, queue->members_size,
				      PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (queue->members == MAP_FAILED)
			return -errno;
	}
	for (unsigned int i = 0; i < count; i++) {
		struct zimg_load *load = &queue->loads[i];

		load->completion.done = zimg_load_done;
		load->expanded.done = zimg_load_expanded;
		load->queue = queue;
		load->owner = queue->queue;
		load->member = queue->members + (size_t)i * member;
		load->next = queue->free;
		queue->free = load;
	}
	queue->load_count = count;
	queue->free_count = count;
	if (image_reader_init(&queue->reader, &queue->zimg->image)) {
		zimg_queue_free_members(queue);
		return -ENOMEM;
	}
	return 0;
}

static int zimg_queue_start(struct ublk_queue *ublk_queue)
{
	struct zimg_queue *queue = calloc(1, sizeof(*queue));
	int ret;

	if (!queue)
		return -ENOMEM;
	queue->zimg = ublk_device_data(ublk_queue_device(ublk_queue));
	queue->queue = ublk_queue;
	ret = zimg_queue_init(queue);
	if (ret) {
		free(queue);
		return ret;
	}
	ublk_queue_set_data(ublk_queue, queue);
	return 0;
}

static void zimg_queue_stop(struct ublk_queue *ublk_queue)
{
	struct zimg_queue *queue = ublk_queue_data(ublk_queue);

	/*
	 * If the ring has failed, helpers may still have loads of this queue.
	 * They must end before the memory is freed.
	 */
	zimg_crew_end(&queue->zimg->crew);
	image_reader_free(&queue->reader);
	zimg_queue_free_members(queue);
	free(queue);
}

/*
 * The size of the cache: by default at most an eighth of the machine's memory.
 */
static uint64_t zimg_choose_cache(const struct zimg_settings *settings)
{
	const uint64_t part = memory_of_machine() / 8;

	if (settings->cache != OPTION_UNSAID)
		return settings->cache;
	return part < CACHE_USUAL ? part : CACHE_USUAL;
}

/*
 * Finds the logical block size: what the user asked for, or what the partition
 * table in the image was made for. Returns 0, or -errno after printing why.
 */
static int zimg_find_block(struct zimg *zimg, uint64_t asked, const char *path)
{
	uint8_t start[GPT_LOOK];
	uint32_t found;
	int ret;

	zimg->block = asked ? asked : 512;
	if (asked || zimg->image.disk_size < sizeof(start))
		return 0;
	ret = image_read_part(&zimg->image, 0, start, sizeof(start));
	if (ret == -ENOMEM)
		return message_fail(ret, "%s", path);
	/* Damage is reported when it is read. */
	found = ret ? 0 : gpt_block_size(start);
	if (found)
		zimg->block = found;
	return 0;
}

/*
 * Sets the fields besides the image itself. @literal: @path is not resolved. An
 * inherited file may have lost its path, like that of a root filesystem.
 */
static int zimg_prepare(struct zimg *zimg, const char *path, bool literal)
{
	uint64_t words = bits_words(zimg->image.chunks);

	zimg->path = literal ? strdup(path) : realpath(path, NULL);
	if (!zimg->path)
		return -errno;
	if (words > SIZE_MAX)
		return -ENOMEM;
	zimg->reported = calloc(words, sizeof(*zimg->reported));
	return zimg->reported ? 0 : -ENOMEM;
}

static void zimg_free(struct zimg *zimg)
{
	free(zimg->path);
	free(zimg->reported);
	free(zimg);
}

/*
 * Opens the image and keeps writers away from it. Returns the descriptor, or
 * -errno after printing why.
 */
static int zimg_open_claimed(const char *path, bool resumed)
{
	const struct backing_use use = { .read_only = true, .claims = true };
	uint64_t size;
	struct stat st;
	int fd = source_open_local(path, &size);
	int ret;

	if (fd < 0)
		return fd;
	ret = fstat(fd, &st) ? message_fail(errno, "%s", path) :
			       backing_claim(&fd, path, &st, &use, resumed);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* Whether the image is on a server. */
static bool zimg_is_remote(const struct zimg *zimg)
{
	return WITH_NETWORK && zimg->image.source.remote;
}

/* As backing_samples() for what is on a server, with two samples. */
static int zimg_remote_samples(const struct image *image, uint32_t *crc)
{
	uint8_t sample[4096];
	const size_t length = image->file_size < sizeof(sample) ?
			      image->file_size : sizeof(sample);
	int ret = source_read(&image->source, sample, length, 0);

	*crc = crc32_add(0, sample, length);
	if (!ret)
		ret = source_read(&image->source, sample, length,
				  image->file_size - length);
	*crc = crc32_add(*crc, sample, length);
	return ret;
}

static int zimg_identify_remote(struct ublk_device *device,
				const struct zimg *zimg)
{
	char text[IDENTITY_MAX];
	uint32_t samples;
	int ret = zimg_remote_samples(&zimg->image, &samples);

	if (ret)
		return message_fail(ret, "%s", zimg->path);
	snprintf(text, sizeof(text), "size=%" PRIu64 ",samples=%08" PRIx32,
		 zimg->image.file_size, samples);
	return ublk_device_identify_text(device, "file", zimg->path, text);
}

/*
 * Identifies the image by its first and last block: at its end is what its
 * chunks are found or checked with.
 */
static int zimg_identify(struct ublk_device *device, const struct zimg *zimg)
{
	const struct image *image = &zimg->image;
	struct identity_contents contents = { .size = image->file_size };

	if (zimg_is_remote(zimg))
		return zimg_identify_remote(device, zimg);
	contents.sampled = !backing_samples(image->source.fd, 0, contents.size, 2,
					    &contents.samples);
	return ublk_device_identify(device, "file", zimg->path, image->source.fd,
				    &contents);
}

/* Opens an image on a server. Returns 0, or -errno after printing why. */
static int zimg_open_remote(struct zimg *zimg, const char *path,
			    struct image_options *how)
{
	struct source source;
	uint64_t size;
	int ret = source_open_served(&source, path, &size);

	if (ret)
		return ret;
	how->keep_index = true;
	ret = image_open_source(&zimg->image, &source, path, size, how);
	if (ret)
		source_close(&source);
	return ret;
}

/* Opens an image of this machine, unless it is @inherited: then that is not -1. */
static int zimg_open_local(struct zimg *zimg, struct ublk_device *device,
			   const char *path, int inherited,
			   const struct image_options *how)
{
	int fd = inherited, ret;

	if (!strcmp(path, "-"))
		return backing_refuse_standard_input();
	if (inherited < 0)
		fd = zimg_open_claimed(path, ublk_device_resumed(device));
	if (fd < 0)
		return fd;
	ret = image_open_again(&zimg->image, fd, path, how);
	if (ret)
		close(fd);
	return ret;
}

static int zimg_open_image(struct zimg *zimg, struct ublk_device *device,
			   const char *path, int inherited,
			   const struct zimg_settings *settings)
{
	struct image_options how = {
		.section = settings->spacing,
		.index = settings->index,
	};

	if (source_is_remote(path) && !ublk_device_is_base(device))
		return zimg_open_remote(zimg, path, &how);
	if (settings->timeout) {
		message("--timeout is for an image on a server");
		return -EINVAL;
	}
	return zimg_open_local(zimg, device, path, inherited, &how);
}

/* The queues' processes have connections of their own. */
static void zimg_register(struct zimg *zimg, struct ublk_device *device)
{
	if (zimg_is_remote(zimg)) {
		remote_close_connection(zimg->image.source.remote);
		zimg->file = ublk_device_reserve_file(device, "connection");
		return;
	}
	zimg->file = ublk_device_register_file(device, zimg->image.source.fd,
						"image");
}

static int zimg_open(struct ublk_device *device, const char *path,
		     const void *values, struct ublk_disk *disk)
{
	const struct zimg_settings *settings = values;
	struct zimg *zimg = calloc(1, sizeof(*zimg));
	const int inherited = ublk_device_inherited_file(device, "image");
	int ret;

	if (!zimg)
		return message_fail(ENOMEM, "%s", path);
	ret = zimg_open_image(zimg, device, path, inherited, settings);
	if (ret)
		goto fail;
	if (!zimg->image.disk_size) {
		message("%s: holds a disk of no bytes", path);
		ret = -EINVAL;
		goto fail_close;
	}
	zimg->cache_size = zimg_choose_cache(settings);
	zimg->timeout = settings->timeout;
	ret = zimg_prepare(zimg, path, inherited >= 0 || zimg_is_remote(zimg));
	if (ret) {
		message_fail(ret, "%s", path);
		goto fail_close;
	}
	ret = zimg_find_block(zimg, ublk_device_block_size(device), path);
	if (ret)
		goto fail_close;
	disk->logical_block = zimg->block;
	disk->size = (zimg->image.disk_size + zimg->block - 1) / zimg->block *
		     zimg->block;
	disk->read_only = true;
	ret = zimg_identify(device, zimg);
	if (ret)
		goto fail_close;
	zimg_register(zimg, device);
	ublk_device_set_argument(device, zimg->path);
	ublk_device_set_data(device, zimg);
	return 0;

fail_close:
	image_close(&zimg->image);
fail:
	zimg_free(zimg);
	return ret;
}

static int zimg_start(struct ublk_device *device)
{
	struct zimg *zimg = ublk_device_data(device);
	int err;

	if (zimg_cache_create(&zimg->cache, zimg->cache_size,
			      zimg->image.chunk_max,
			      ublk_device_queues(device) > 1))
		return message_fail(ENOMEM, "%s", zimg->path);
	if (zimg_is_remote(zimg)) {
		zimg->fetches = fetch_start(zimg->image.source.remote,
					    ublk_device_queues(device),
					    (size_t)zimg_load_count(zimg) *
					    zimg->image.member_max,
					    zimg->image.member_max, zimg->timeout,
					    zimg->file);
		if (!zimg->fetches)
			return -EIO;
	}
	err = zimg_crew_start(&zimg->crew, &zimg->image,
			      ublk_device_cpus(device) - 1);
	zimg->started = true;
	return err;
}

static void zimg_close(struct ublk_device *device)
{
	struct zimg *zimg = ublk_device_data(device);

	if (zimg->started) {
		zimg_crew_free(&zimg->crew);
		zimg_cache_destroy(&zimg->cache);
	}
	if (WITH_NETWORK)
		fetch_free(zimg->fetches, ublk_device_queues(device));
	image_close(&zimg->image);
	zimg_free(zimg);
}

static void zimg_base(const struct ublk_device *device, struct ublk_base *base)
{
	const struct zimg *zimg = ublk_device_data(device);

	*base = (struct ublk_base){
		.path = zimg->path,
		.fd = zimg->image.source.fd,
		.size = zimg->image.file_size,
	};
}

const struct ublk_target target_zimg = {
	.name = "zimg",
	.argument = "IMAGE",
	.summary = "serve a compressed image",
	.manual = MANUAL("IMAGE is a file or block device with an image made by `ublk "
		  "pack` or bgzip, or\nany other gzip file. Without --cow the "
		  "disk is read-only. A damaged chunk gives\nI/O errors for "
		  "its own sectors and one message; `ublk check` finds damaged\n"
		  "chunks. Expanded chunks are cached, in at most --cache of "
		  "memory.\n\n"
		  "Any other gzip file is read once when it is opened, to find "
		  "restart points:\nplaces from which it can be expanded. "
		  "--index saves them in FILE, and the next\nstart reads them "
		  "from there.\n\n"
		  "IMAGE may be on a server: nbd://HOST[:PORT]/EXPORT,\n"
		  "nbd+unix:///EXPORT?socket=PATH or http://HOST[:PORT]/PATH. "
		  "While the server is\naway, reads wait.\n"),
	.options = zimg_options,
	.defaults = &zimg_defaults,
	.settings_size = sizeof(struct zimg_settings),
	.request_size = sizeof(struct zimg_request),
	.system_calls = { SYS_pread64 },
	.sends_messages = true,
	.frees_memory = true,
	.open = zimg_open,
	.start = zimg_start,
	.close = zimg_close,
	.queue_start = zimg_queue_start,
	.queue_stop = zimg_queue_stop,
	.submit = zimg_submit,
	.work = zimg_turn,
	.base = zimg_base,
};
