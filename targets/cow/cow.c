// SPDX-License-Identifier: GPL-2.0
/*
 * Copy on write over a target: opens and closes what keeps the blocks. How a
 * request is answered is request.c's business, what the file looks like
 * file.c's.
 *
 * The map lies in memory that outlives the server, and a file's is behind it as
 * long as nobody flushes. All else here is of requests, which the driver gives
 * the next server again.
 */
#include "targets/cow/cow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/identity.h"
#include "lib/little-endian.h"
#include "lib/message.h"
#include "lib/size.h"
#include "targets/backing.h"
#include "targets/cow/layer.h"

/* The map of a file that nobody has served since the board is up. */
static int load_map(struct cow *cow)
{
	uint64_t word, words = cow->layout.map_size / sizeof(uint64_t);
	int err = cow_file_load(&cow->file, cow->map);

	for (word = 0; !err && word < words; word++) {
		uint64_t bits = get_le64(cow->map + word * sizeof(uint64_t));

		if (bits)
			cow->present[word] = bits;
	}
	return err;
}

/*
 * The map in memory has all that the file's has: otherwise another device has
 * written there since, and what it wrote must not become what is below.
 */
static int check_map(struct cow *cow)
{
	uint64_t word, words = cow->layout.map_size / sizeof(uint64_t);
	int err = cow_file_load(&cow->file, cow->map);

	for (word = 0; !err && word < words; word++) {
		if (!(get_le64(cow->map + word * sizeof(uint64_t)) &
		      ~cow->present[word]))
			continue;
		message("%s: was written by another device since",
			cow->file.path);
		err = -ESTALE;
	}
	return err;
}

static int open_memory(struct cow *cow, struct ublk_device *device)
{
	uint64_t maps = cow->layout.map_size * (cow->limit ? 2 : 1);
	uint64_t blocks = cow->limit ? cow->layout.blocks : 0;
	void *map;

	cow->memory_fd = ublk_device_memory(device, maps + blocks * COW_BLOCK);
	if (cow->memory_fd < 0)
		return cow->memory_fd;
	map = mmap(NULL, maps, PROT_READ | PROT_WRITE, MAP_SHARED,
		   cow->memory_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	cow->present = map;
	cow->held = cow->present + cow->layout.map_size / sizeof(uint64_t);
	cow->data = maps;
	return 0;
}

/* Memory, and a file if that is wanted, in the order of the ring's files. */
static int open_store(struct cow *cow, struct ublk_device *device,
		      const char *place, const struct cow_base *base,
		      uint32_t block)
{
	int err;

	if (!cow->limit) {
		err = cow_file_open(&cow->file, place, base, cow->disk_size,
				    ublk_device_read_only(device),
				    ublk_device_inherited_file(device, "cow"),
				    ublk_device_resumed(device));
		if (!err)
			err = ublk_device_identify(device, "cow", place,
						   cow->file.fd, NULL);
		if (err)
			return err;
		backing_try_direct(cow->file.fd, cow->layout.data, block);
		cow->store = ublk_device_register_file(device, cow->file.fd,
						       "cow");
	}
	err = open_memory(cow, device);
	if (err)
		return message_fail(err, "--cow %s", place);
	ublk_device_register_file(device, cow->memory_fd, UBLK_DEVICE_MEMORY);
	if (cow->limit)
		return 0;
	cow->data = cow->layout.data;
	cow->map = mmap(NULL, cow->layout.map_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cow->stale = calloc(2, cow->layout.map_size / COW_BLOCK);
	if (cow->map == MAP_FAILED || !cow->stale)
		return message_fail(ENOMEM, "--cow %s", place);
	cow->changed = (_Atomic uint8_t *)cow->stale +
		       cow->layout.map_size / COW_BLOCK;
	if (!cow->file.read_only)
		ublk_device_unfinished(device);
	return ublk_device_resumed(device) ? check_map(cow) : load_map(cow);
}

static void describe(const struct cow *cow, struct ublk_device *device,
		     struct ublk_disk *disk)
{
	disk->read_only = ublk_device_read_only(device);
	disk->physical_block = COW_BLOCK;
	disk->flush = !cow->limit && !disk->read_only;
	disk->fua = false;	/* the kernel flushes behind it instead */
	if (!cow->limit && !cow->file.punches)
		return;
	disk->discard_granularity = COW_BLOCK;
	disk->max_discard = 1u << 30;
	disk->max_write_zeroes = 1u << 30;
}

int cow_identify_base(struct ublk_device *device, const char *path,
		      const struct cow_base *base)
{
	struct identity_contents contents = { .size = base->size };

	/* What cannot be read is for who reads it to see. */
	contents.sampled = !cow_base_samples(base, COW_SAMPLES,
					     &contents.samples);
	return ublk_device_identify(device, "file", path, base->fd, &contents);
}

int cow_open(struct cow **result, struct ublk_device *device,
	     const char *place, const struct cow_base *base,
	     struct ublk_disk *disk)
{
	struct cow *cow;
	uint64_t size;
	int err;

	*result = NULL;
	if (!place)
		return 0;
	err = size_parse(place, &size);
	if (!err && size < COW_BLOCK) {
		message("--cow %s: neither a size of 4K or more nor a path",
			place);
		return -EINVAL;
	}
	cow = calloc(1, sizeof(*cow));
	if (!cow)
		return message_fail(ENOMEM, "--cow %s", place);
	cow->limit = err ? 0 : size / COW_BLOCK;
	cow->disk_size = disk->size;
	cow->layout = cow_layout(disk->size);
	cow->memory_fd = -1;
	cow->file.fd = -1;
	err = open_store(cow, device, place, base, disk->logical_block);
	if (err) {
		cow_close(cow);
		return err;
	}
	describe(cow, device, disk);
	*result = cow;
	return 0;
}

static void all_changed(struct cow *cow)
{
	uint64_t page;

	for (page = 0; page * COW_BLOCK < cow->layout.map_size; page++)
		cow->changed[page] = 1;
}

int cow_start(struct cow *cow, struct ublk_device *device,
	      int (*read)(struct ublk_queue *queue,
			  struct ublk_request *request))
{
	size_t count, words, i;

	if (!cow)
		return 0;
	cow->read = read;
	cow->queue_count = ublk_device_queues(device);
	cow->depth = ublk_device_depth(device);
	cow->shared = cow->queue_count > 1;
	pthread_mutex_init(&cow->lock, NULL);
	count = (size_t)cow->queue_count * cow->depth;
	cow->queues = calloc(cow->queue_count, sizeof(*cow->queues));
	cow->requests = calloc(count, sizeof(*cow->requests));
	cow->fills = mmap(NULL, count * COW_BLOCK, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!cow->queues || !cow->requests || cow->fills == MAP_FAILED)
		return message_fail(ENOMEM, "--cow");
	for (i = 0; i < count; i++) {
		cow->requests[i].cow = cow;
		cow->requests[i].fill = cow->fills + i * COW_BLOCK;
	}
	words = cow->layout.map_size / sizeof(uint64_t);
	for (i = 0; cow->limit && i < words; i++)
		cow->used += __builtin_popcountll(cow->held[i]);
	/* What the last server had not flushed is not known any more. */
	if (!cow->limit)
		all_changed(cow);
	return 0;
}

/* No request is under way any more. */
int cow_finish(struct cow *cow)
{
	if (!cow || cow->limit || cow->file.read_only)
		return 0;
	all_changed(cow);
	cow_take_map(cow);
	return cow_file_store(&cow->file, cow->map);
}

static void close_file(struct cow *cow)
{
	if (cow->map && cow->map != MAP_FAILED)
		munmap(cow->map, cow->layout.map_size);
	close(cow->file.fd);
}

void cow_close(struct cow *cow)
{
	if (!cow)
		return;
	if (cow->file.fd >= 0)
		close_file(cow);
	if (cow->present)
		munmap((void *)cow->present,
		       cow->layout.map_size * (cow->limit ? 2 : 1));
	if (cow->memory_fd >= 0)
		close(cow->memory_fd);
	if (cow->fills && cow->fills != MAP_FAILED)
		munmap(cow->fills, (size_t)cow->queue_count * cow->depth *
		       COW_BLOCK);
	free(cow->stale);
	free(cow->requests);
	free(cow->queues);
	free(cow);
}
