// SPDX-License-Identifier: GPL-2.0
/*
 * Copy on write: the target. Opens and closes the base and the storage for
 * written blocks. request.c serves requests. file.c knows the format of the
 * file.
 *
 * The map is in memory that outlives the server. The map in a file is older,
 * until the next FLUSH. All other state belongs to requests in flight, which
 * the driver gives to the next server.
 */
#include "targets/cow/cow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/identity.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/size.h"
#include "targets/backing.h"
#include "targets/cow/layer.h"

/*
 * Loads the map of a file that nobody has served since the machine booted.
 * Words of zeroes are not stored, so that their pages stay unallocated.
 */
static int cow_load_map(struct cow *cow)
{
	uint64_t word, words = cow->layout.map_size / sizeof(bits_word);
	int err = cow_file_load(&cow->file, cow->map);

	for (word = 0; !err && word < words; word++) {
		unsigned long bits = bits_get_file(cow->map +
						   word * sizeof(bits_word));

		if (bits)
			cow->present[word] = bits;
	}
	return err;
}

/*
 * Checks that the map in memory has all bits of the file's map. If one is
 * missing, another device has written the file since, and its blocks must not
 * be hidden by the base.
 */
static int cow_check_map(struct cow *cow)
{
	uint64_t word, words = cow->layout.map_size / sizeof(bits_word);
	int err = cow_file_load(&cow->file, cow->map);

	for (word = 0; !err && word < words; word++) {
		if (!(bits_get_file(cow->map + word * sizeof(bits_word)) &
		      ~cow->present[word]))
			continue;
		message("%s: was written by another device since",
			cow->file.path);
		err = -ESTALE;
	}
	return err;
}

static int cow_open_memory(struct cow *cow, struct ublk_device *device)
{
	uint64_t maps = cow->layout.map_size * (cow_in_memory(cow) ? 2 : 1);
	uint64_t blocks = cow_in_memory(cow) ? cow->layout.blocks : 0;
	void *map;

	cow->memory_fd = ublk_device_memory(device, maps + blocks * COW_BLOCK);
	if (cow->memory_fd < 0)
		return cow->memory_fd;
	if (maps > SIZE_MAX)
		return -ENOMEM;
	map = mmap(NULL, maps, PROT_READ | PROT_WRITE, MAP_SHARED,
		   cow->memory_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	cow->present = map;
	cow->has_memory = cow->present +
			  cow->layout.map_size / sizeof(bits_word);
	cow->data = maps;
	return 0;
}

/*
 * Opens the memory and, if wanted, the file. The order is that of the ring's
 * registered files.
 */
static int cow_open_store(struct cow *cow, struct ublk_device *device,
			  const char *place, const struct cow_base *base,
			  uint32_t block)
{
	int err;

	if (!cow_in_memory(cow)) {
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
	err = cow_open_memory(cow, device);
	if (err)
		return message_fail(err, "--cow %s", place);
	ublk_device_register_file(device, cow->memory_fd, UBLK_DEVICE_MEMORY);
	cow->store_fd = cow_in_memory(cow) ? cow->memory_fd : cow->file.fd;
	cow->at_once = cow_in_memory(cow) || backing_in_memory(cow->store_fd);
	if (cow_in_memory(cow))
		return 0;
	cow->data = cow->layout.data;
	cow->map = mmap(NULL, cow->layout.map_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cow->stale = calloc(1, cow->layout.map_size / COW_BLOCK);
	cow->changed = calloc(bits_words(cow->layout.map_size / COW_BLOCK),
			      sizeof(*cow->changed));
	if (cow->map == MAP_FAILED || !cow->stale || !cow->changed)
		return message_fail(ENOMEM, "--cow %s", place);
	if (!cow->file.read_only)
		ublk_device_unfinished(device);
	return ublk_device_resumed(device) ? cow_check_map(cow) :
					     cow_load_map(cow);
}

/* Changes what the base has promised of the disk. */
static void cow_describe(const struct cow *cow, struct ublk_device *device,
			 struct ublk_disk *disk)
{
	disk->read_only = ublk_device_read_only(device);
	disk->physical_block = COW_BLOCK;
	disk->flush = !cow_in_memory(cow) && !disk->read_only;
	disk->fua = false;	/* the kernel sends a FLUSH instead */
	disk->zero_copy = false;
	if (!cow_in_memory(cow) && !cow->file.punches)
		return;
	disk->discard_granularity = COW_BLOCK;
	disk->max_discard = 1u << 30;
	disk->max_write_zeroes = 1u << 30;
}

/*
 * Identifies the base, with samples of its contents: a changed base would give
 * a mixture of two disks.
 */
static int cow_identify(struct ublk_device *device,
			const struct ublk_base *base)
{
	struct identity_contents contents = { .size = base->size };

	if (!base->path)
		return 0;
	/*
	 * A read error here is not fatal: whoever reads those blocks will see
	 * it.
	 */
	contents.sampled = !backing_samples(base->fd, base->offset, base->size,
					    COW_SAMPLES, &contents.samples);
	return ublk_device_identify(device, "file", base->path, base->fd,
				    &contents);
}

static void cow_free(struct cow *cow)
{
	if (cow->map && cow->map != MAP_FAILED)
		munmap(cow->map, cow->layout.map_size);
	if (cow->file.fd >= 0)
		close(cow->file.fd);
	if (cow->present)
		munmap((void *)cow->present,
		       cow->layout.map_size * (cow_in_memory(cow) ? 2 : 1));
	if (cow->memory_fd >= 0)
		close(cow->memory_fd);
	if (cow->fills && cow->fills != MAP_FAILED)
		munmap(cow->fills, (size_t)cow->queue_count * cow->depth *
		       COW_BLOCK);
	free(cow->stale);
	free(cow->changed);
	free(cow->requests);
	free(cow->queues);
	free(cow);
}

/*
 * Allocates the state, without its files. @place is the value of --cow. Returns
 * NULL after printing why, with *@err set to -errno.
 */
static struct cow *cow_make(const char *place, int *err)
{
	struct cow *cow;
	uint64_t size, page;
	bool sized = !size_parse(place, &size);

	if (sized && size < COW_BLOCK) {
		message("--cow %s: neither a size of 4K or more nor a path",
			place);
		*err = -EINVAL;
		return NULL;
	}
	cow = calloc(1, sizeof(*cow));
	if (!cow) {
		*err = message_fail(ENOMEM, "--cow %s", place);
		return NULL;
	}
	/* What is written takes whole pages, which may be larger than blocks. */
	page = sysconf(_SC_PAGESIZE);
	while (COW_BLOCK << cow->page_shift < page)
		cow->page_shift++;
	if (sized)
		cow->limit = size < page ? 1 : size / page;
	cow->memory_fd = -1;
	cow->file.fd = -1;
	return cow;
}

/* Opens the rest. The base is open, and has filled in @disk. */
static int cow_open_over(struct cow *cow, struct ublk_device *device,
			 const char *place, struct ublk_disk *disk)
{
	struct ublk_base base;
	int err;

	cow->base->base(device, &base);
	err = cow_identify(device, &base);
	if (err)
		return err;
	cow->disk_size = disk->size;
	cow->layout = cow_layout(disk->size);
	err = cow_open_store(cow, device, place,
			     &(struct cow_base){
				base.fd, base.offset, base.size
			     },
			     disk->logical_block);
	if (err)
		return err;
	cow_describe(cow, device, disk);
	return 0;
}

static int cow_open(struct ublk_device *device, const char *argument,
		    const void *settings, struct ublk_disk *disk)
{
	const struct cow_target *around =
		(const struct cow_target *)ublk_device_target(device);
	const struct ublk_target *base = around->base;
	const char *place = *(const char *const *)
			    ((const char *)settings + around->place);
	struct cow *cow;
	int err;

	if (!place)
		return ublk_device_open_instead(device, base, argument,
						settings, disk);
	cow = cow_make(place, &err);
	if (!cow)
		return err;
	cow->base = base;
	err = ublk_device_open_base(device, base, argument, settings, disk);
	if (!err) {
		err = cow_open_over(cow, device, place, disk);
		if (err)
			base->close(device);
	}
	if (err)
		cow_free(cow);
	else
		ublk_device_set_wrapper(device, cow);
	return err;
}

static void cow_mark_all_changed(struct cow *cow)
{
	uint64_t page;

	for (page = 0; page * COW_BLOCK < cow->layout.map_size; page++)
		bits_set(cow->changed, page);
}

/* Allocates what requests need. */
static int cow_start_requests(struct cow *cow, struct ublk_device *device)
{
	uint64_t count, words, i;

	cow->queue_count = ublk_device_queues(device);
	cow->depth = ublk_device_depth(device);
	cow->shared = cow->queue_count > 1;
	pthread_mutex_init(&cow->lock, NULL);
	count = (uint64_t)cow->queue_count * cow->depth;
	if (count > SIZE_MAX / COW_BLOCK)
		return message_fail(ENOMEM, "--cow");
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
	words = cow->layout.map_size / sizeof(bits_word);
	for (i = 0; cow_in_memory(cow) && i < words; i++)
		cow->used += __builtin_popcountl(cow->has_memory[i]);
	/*
	 * Nobody knows which pages of the map the last server had not written
	 * to the file.
	 */
	if (!cow_in_memory(cow))
		cow_mark_all_changed(cow);
	return 0;
}

static int cow_start(struct ublk_device *device)
{
	struct cow *cow = ublk_device_wrapper(device);
	int err = cow->base->start ? cow->base->start(device) : 0;

	return err ? err : cow_start_requests(cow, device);
}

/* No request is in flight. Makes everything permanent, as a FLUSH does. */
static int cow_finish(struct ublk_device *device)
{
	struct cow *cow = ublk_device_wrapper(device);

	if (cow_in_memory(cow) || cow->file.read_only)
		return 0;
	cow_mark_all_changed(cow);
	cow_take_map(cow);
	return cow_file_store(&cow->file, cow->map);
}

static void cow_close(struct ublk_device *device)
{
	struct cow *cow = ublk_device_wrapper(device);
	const struct ublk_target *base = cow->base;

	cow_free(cow);
	base->close(device);
}

/*
 * Adds the wrapper's own system calls. If RIGHTS_CALLS is too small for all,
 * that is a bug here.
 */
static void cow_add_calls(int calls[RIGHTS_CALLS])
{
	static const int more[] = {
		SYS_pread64, SYS_pwrite64, SYS_fallocate, SYS_fsync
	};
	size_t i, at;

	for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		for (at = 0; at < RIGHTS_CALLS && calls[at]; at++)
			if (calls[at] == more[i])
				break;
		if (at == RIGHTS_CALLS)
			abort();
		calls[at] = more[i];
	}
}

/* Lists the options of the base, and then --cow. */
static void cow_add_option(struct cow_target *cow)
{
	const struct option_spec *spec = cow->base->options;
	size_t count = 0;

	for (; spec && spec->name; spec++) {
		if (count + 2 >= COW_OPTIONS_MAX)
			abort();
		cow->options[count++] = *spec;
	}
	cow->options[count] = (struct option_spec){
		"cow", 0, OPTION_PLACE, cow->place, 0, 0, "SIZE|FILE",
		"keep writes in at most SIZE of memory, or in FILE"
	};
}

const struct ublk_target *cow_around(struct cow_target *cow,
				     const struct ublk_target *base)
{
	const size_t word = sizeof(const char *);

	*cow = (struct cow_target){
		.target = *base,
		.base = base,
		.place = (base->settings_size + word - 1) / word * word,
	};
	if (cow->place + word > UBLK_SETTINGS_MAX)
		abort();
	if (base->defaults)
		memcpy(cow->defaults, base->defaults, base->settings_size);
	cow_add_option(cow);
	cow_add_calls(cow->target.system_calls);
	cow->target.manual_end = MANUAL(
		"With --cow the disk can be written, but what is below it is "
		"never changed.\nWrites are kept in memory until the device "
		"is stopped, or in FILE, a file or\nblock device. FILE can be "
		"used again over the same image or file.\n");
	cow->target.options = cow->options;
	cow->target.defaults = cow->defaults;
	cow->target.settings_size = cow->place + word;
	cow->target.open = cow_open;
	cow->target.start = cow_start;
	cow->target.finish = cow_finish;
	cow->target.close = cow_close;
	cow->target.submit = cow_submit;
	cow->target.base = NULL;
	return &cow->target;
}
