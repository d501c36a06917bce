// SPDX-License-Identifier: GPL-2.0
/*
 * The zimg target: a compressed image as a disk that is read. Each chunk is
 * read with one operation on the queue's ring, expanded in the queue's thread
 * and answered from the cache. What an image is, is image.c's business, and
 * who waits for whom zimg-cache.c's.
 *
 * A request goes on chunk by chunk and holds one of them at most, so that the
 * smallest cache serves the largest request.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/message.h"
#include "core/target.h"
#include "targets/image.h"
#include "targets/zimg-cache.h"

/* Chunks that a queue reads at once, and the memory that may take. */
#define LOADS_MIN 2
#define LOADS_MAX 8
#define LOADS_BYTES (512U << 10)

#define STREAMS 4	/* sequential readers that a queue tells apart */

struct zimg_settings {
	uint64_t cache;
};

static const struct zimg_settings zimg_defaults = {
	.cache = 8 << 20,
};

static const struct option_spec zimg_options[] = {
	{ "cache", 0, OPTION_SIZE, offsetof(struct zimg_settings, cache),
	  0, 0, "SIZE", "memory for expanded chunks (8M)" },
	{ }
};

/* Shared by the queues; only the cache and told[] change. */
struct zimg {
	struct image image;
	struct zimg_cache cache;
	int file;			/* the image, among the ring's files */
	uint32_t block;			/* a request is cut at its multiples */
	char *path;			/* absolute */
	_Atomic uint8_t *told;		/* a bit a chunk: its damage was told */
};

/* A chunk being read into an entry of the cache. */
struct zimg_load {
	struct ublk_completion completion;
	struct zimg_load *next;		/* of those that are free */
	struct zimg_queue *queue;
	struct zimg_entry *entry;
	struct image_chunk chunk;
	uint32_t done;			/* bytes of its member read so far */
	uint8_t *member;
};

struct zimg_request {
	struct ublk_completion completion;	/* to be woken by */
	struct zimg_waiter waiter;
	struct zimg_queue *queue;
	struct ublk_request *request;
	uint32_t done;			/* bytes answered so far */
};

/* Waiters of this queue alone, first in, first out. */
struct zimg_list {
	struct zimg_waiter *first;
	struct zimg_waiter **end;
};

struct zimg_queue {
	struct zimg *zimg;
	struct ublk_queue *queue;
	struct image_reader reader;
	struct zimg_load loads[LOADS_MAX];
	struct zimg_load *free;
	unsigned int free_count;
	struct zimg_list stalled;	/* waiting for a load to be free */
	struct zimg_list ready;		/* to be gone on with at once */
	uint64_t streams[STREAMS];	/* where sequential readers go on */
	unsigned int next_stream;
	uint8_t *members;
	size_t members_size;
};

static void list_add(struct zimg_list *list, struct zimg_waiter *waiter)
{
	waiter->next = NULL;
	*list->end = waiter;
	list->end = &waiter->next;
}

static struct zimg_waiter *list_take(struct zimg_list *list)
{
	struct zimg_waiter *waiter = list->first;

	if (!waiter)
		return NULL;
	list->first = waiter->next;
	if (!list->first)
		list->end = &list->first;
	return waiter;
}

static struct zimg_request *request_of(struct zimg_waiter *waiter)
{
	return (struct zimg_request *)((char *)waiter -
				       offsetof(struct zimg_request, waiter));
}

/* Each goes on in the thread of its own queue. */
static void wake(struct zimg_queue *queue, struct zimg_waiter *list)
{
	while (list) {
		struct zimg_waiter *next = list->next;
		struct zimg_request *state = request_of(list);

		if (state->queue == queue)
			list_add(&queue->ready, list);
		else
			ublk_queue_tell(state->queue->queue,
					&state->completion, 0);
		list = next;
	}
}

/* Once for each chunk. */
static void tell_damage(struct zimg *zimg, const struct image_chunk *chunk,
			const char *why)
{
	uint8_t bit = 1 << chunk->number % 8;
	char text[IMAGE_DAMAGE_TEXT];

	if (atomic_fetch_or(&zimg->told[chunk->number / 8], bit) & bit)
		return;
	message("%s: damaged: %s", zimg->path,
		image_damage_text(chunk, why, text));
}

static void load_read(struct zimg_load *load)
{
	struct zimg_queue *queue = load->queue;
	struct io_uring_sqe *sqe = ublk_queue_sqe(queue->queue,
						  &load->completion);

	sqe->opcode = IORING_OP_READ;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = queue->zimg->file;
	sqe->off = load->chunk.file_offset + load->done;
	sqe->addr = (uintptr_t)(load->member + load->done);
	sqe->len = load->chunk.file_length - load->done;
}

static void load_start(struct zimg_queue *queue, struct zimg_entry *entry,
		       const struct image_chunk *chunk)
{
	struct zimg_load *load = queue->free;

	queue->free = load->next;
	queue->free_count--;
	load->entry = entry;
	load->chunk = *chunk;
	load->done = 0;
	load_read(load);
}

/* What is wrong with a chunk, of which the last read returned @result. */
static const char *load_judge(struct zimg_load *load, int result)
{
	if (result < 0)
		return strerror(-result);
	if (!result)
		return "the file ends before it";
	return image_expand(&load->queue->reader, &load->chunk, load->member,
			    load->entry->data);
}

static void run_ready(struct zimg_queue *queue);

static void load_done(struct ublk_queue *ublk_queue,
		      struct ublk_completion *completion, int result)
{
	struct zimg_load *load = (struct zimg_load *)completion;
	struct zimg_queue *queue = load->queue;
	struct zimg_waiter *stalled;
	const char *why;

	(void)ublk_queue;
	if (result > 0)
		load->done += result;
	if (result == -EINTR || result == -EAGAIN ||
	    (result > 0 && load->done < load->chunk.file_length))
		return load_read(load);
	why = load_judge(load, result);
	if (why)
		tell_damage(queue->zimg, &load->chunk, why);
	wake(queue, zimg_cache_filled(&queue->zimg->cache, load->entry, !why));

	load->next = queue->free;
	queue->free = load;
	queue->free_count++;
	stalled = list_take(&queue->stalled);
	if (stalled)
		list_add(&queue->ready, stalled);
	run_ready(queue);
}

/* Copies what the request wants of a chunk in memory. */
static void copy_chunk(struct zimg_request *state,
		       const struct image_chunk *chunk, const uint8_t *data)
{
	struct ublk_request *request = state->request;
	uint64_t at = request->offset + state->done - chunk->disk_offset;
	uint32_t n = chunk->disk_length - at;
	char *to = (char *)request->data + state->done;

	if (n > request->length - state->done)
		n = request->length - state->done;
	if (data)
		memcpy(to, data + at, n);
	else
		memset(to, 0, n);
	state->done += n;
}

static void copy_entry(struct zimg_queue *queue, struct zimg_request *state,
		       const struct image_chunk *chunk,
		       struct zimg_entry *entry)
{
	copy_chunk(state, chunk, entry->data);
	wake(queue, zimg_cache_put(&queue->zimg->cache, entry));
}

/*
 * The answer where a chunk cannot be had: what came before it, or an error.
 * The kernel asks for the rest again and gets the error then.
 */
static int cut_short(const struct zimg_queue *queue,
		     const struct zimg_request *state)
{
	uint32_t whole = state->done - state->done % queue->zimg->block;

	return whole ? (int)whole : -EIO;
}

/* Finds the chunk that the request goes on with; false where it cannot. */
static bool find_chunk(struct zimg_queue *queue, uint64_t offset,
		       struct image_chunk *chunk)
{
	struct zimg *zimg = queue->zimg;
	int ret = image_find(&queue->reader, offset, chunk);

	if (!ret)
		return true;
	*chunk = (struct image_chunk){
		.number = offset / zimg->image.chunk_max,
		.disk_offset = offset,
		.disk_length = 1,
	};
	tell_damage(zimg, chunk, ret == -EBADMSG ?
		    "its page of the index is damaged" :
		    "its page of the index cannot be read");
	return false;
}

/* Goes on with a request. Returns its answer or UBLK_LATER. */
static int go_on(struct zimg_queue *queue, struct zimg_request *state)
{
	struct ublk_request *request = state->request;
	struct zimg *zimg = queue->zimg;
	struct zimg_entry *entry;
	struct image_chunk chunk;

	while (state->done < request->length) {
		uint64_t offset = request->offset + state->done;

		/* The last sector of a disk that does not fill it. */
		if (offset >= zimg->image.disk_size) {
			memset((char *)request->data + state->done, 0,
			       request->length - state->done);
			break;
		}
		if (!find_chunk(queue, offset, &chunk))
			return cut_short(queue, state);
		if (chunk.zero) {
			copy_chunk(state, &chunk, NULL);
			continue;
		}
		switch (zimg_cache_get(&zimg->cache, chunk.number,
				       &state->waiter, queue->free, &entry)) {
		case ZIMG_HIT:
			copy_entry(queue, state, &chunk, entry);
			continue;
		case ZIMG_LOAD:
			load_start(queue, entry, &chunk);
			return UBLK_LATER;
		case ZIMG_BUSY:
			list_add(&queue->stalled, &state->waiter);
			return UBLK_LATER;
		default:
			return UBLK_LATER;
		}
	}
	return request->length;
}

/* Goes on with a request that was woken, with what it was given. */
static void resume(struct zimg_queue *queue, struct zimg_request *state)
{
	struct zimg_entry *entry = state->waiter.entry;
	struct image_chunk chunk;
	int result;

	state->waiter.entry = NULL;
	if (state->waiter.failed) {
		result = cut_short(queue, state);
	} else if (entry && !find_chunk(queue, state->request->offset +
					state->done, &chunk)) {
		wake(queue, zimg_cache_put(&queue->zimg->cache, entry));
		result = cut_short(queue, state);
	} else {
		if (entry)
			copy_entry(queue, state, &chunk, entry);
		result = go_on(queue, state);
	}
	if (result != UBLK_LATER)
		ublk_request_done(queue->queue, state->request, result);
}

static void run_ready(struct zimg_queue *queue)
{
	struct zimg_waiter *waiter;

	while ((waiter = list_take(&queue->ready)))
		resume(queue, request_of(waiter));
}

/* Another queue has woken a request of this one. */
static void woken(struct ublk_queue *ublk_queue,
		  struct ublk_completion *completion, int result)
{
	struct zimg_request *state = (struct zimg_request *)completion;

	(void)ublk_queue;
	(void)result;
	resume(state->queue, state);
	run_ready(state->queue);
}

/*
 * Begins to read the chunk at @offset, when that takes nothing from a request.
 * Returns where the next one begins.
 */
static uint64_t prefetch(struct zimg_queue *queue, uint64_t offset)
{
	struct zimg *zimg = queue->zimg;
	struct zimg_entry *entry;
	struct image_chunk chunk;

	if (!find_chunk(queue, offset, &chunk))
		return UINT64_MAX;
	if (!chunk.zero) {
		entry = zimg_cache_prefetch(&zimg->cache, chunk.number);
		if (entry)
			load_start(queue, entry, &chunk);
	}
	return chunk.disk_offset + chunk.disk_length;
}

/* Whether the request goes on where another one of this queue ended. */
static bool is_sequential(struct zimg_queue *queue,
			  const struct ublk_request *request)
{
	uint64_t end = request->offset + request->length;

	for (unsigned int i = 0; i < STREAMS; i++) {
		if (queue->streams[i] != request->offset)
			continue;
		queue->streams[i] = end;
		return end != request->length;	/* none begins at 0 */
	}
	queue->streams[queue->next_stream++ % STREAMS] = end;
	return false;
}

/* The other chunks of the request, and of a sequential one the next. */
static void look_ahead(struct zimg_queue *queue,
		       const struct ublk_request *request)
{
	uint64_t end = request->offset + request->length;
	bool sequential = is_sequential(queue, request);
	uint64_t disk_size = queue->zimg->image.disk_size;
	struct image_chunk chunk;
	uint64_t offset;

	if (request->offset >= disk_size ||
	    !find_chunk(queue, request->offset, &chunk))
		return;
	offset = chunk.disk_offset + chunk.disk_length;
	/* One load is left to requests of other places. */
	while (offset < disk_size && queue->free_count > 1) {
		if (offset >= end && !sequential)
			break;
		if (offset >= end)
			sequential = false;
		offset = prefetch(queue, offset);
	}
}

static int zimg_read(struct zimg_queue *queue, struct ublk_request *request)
{
	struct zimg_request *state = request->state;
	int result;

	state->completion.done = woken;
	state->queue = queue;
	state->request = request;
	state->done = 0;
	result = go_on(queue, state);
	look_ahead(queue, request);
	run_ready(queue);
	return result;
}

static int zimg_submit(struct ublk_queue *queue, struct ublk_request *request)
{
	switch (request->op) {
	case UBLK_IO_OP_READ:
		return zimg_read(ublk_queue_data(queue), request);
	case UBLK_IO_OP_FLUSH:
		return 0;
	default:
		return -EPERM;	/* the disk is read only */
	}
}

/* How many chunks a queue of @zimg reads at once. */
static unsigned int load_count(const struct zimg *zimg)
{
	unsigned int count = LOADS_BYTES / zimg->image.member_max;

	if (count < LOADS_MIN)
		return LOADS_MIN;
	return count > LOADS_MAX ? LOADS_MAX : count;
}

static int queue_init(struct zimg_queue *queue)
{
	uint32_t member = queue->zimg->image.member_max;
	unsigned int count = load_count(queue->zimg);

	queue->stalled.end = &queue->stalled.first;
	queue->ready.end = &queue->ready.first;
	queue->members_size = (size_t)count * member;
	queue->members = mmap(NULL, queue->members_size,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (queue->members == MAP_FAILED)
		return -errno;
	for (unsigned int i = 0; i < count; i++) {
		struct zimg_load *load = &queue->loads[i];

		load->completion.done = load_done;
		load->queue = queue;
		load->member = queue->members + (size_t)i * member;
		load->next = queue->free;
		queue->free = load;
	}
	queue->free_count = count;
	if (image_reader_init(&queue->reader, &queue->zimg->image)) {
		munmap(queue->members, queue->members_size);
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
	ret = queue_init(queue);
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

	image_reader_free(&queue->reader);
	munmap(queue->members, queue->members_size);
	free(queue);
}

/* Memory, once the image is open. */
static int zimg_alloc(struct zimg *zimg, const char *path, uint64_t cache,
		      bool shared)
{
	zimg->path = realpath(path, NULL);
	zimg->told = calloc(1, zimg->image.chunks / 8 + 1);
	if (!zimg->path || !zimg->told)
		return -ENOMEM;
	return zimg_cache_create(&zimg->cache, cache, zimg->image.chunk_max,
				 shared);
}

static void zimg_free(struct zimg *zimg)
{
	free(zimg->path);
	free(zimg->told);
	free(zimg);
}

static int zimg_open(struct ublk_device *device, const char *path,
		     const void *values, struct ublk_disk *disk)
{
	const struct zimg_settings *settings = values;
	struct zimg *zimg = calloc(1, sizeof(*zimg));
	int ret;

	if (!zimg)
		return message_fail(ENOMEM, "%s", path);
	ret = image_open_path(&zimg->image, path);
	if (ret)
		goto fail;
	if (!zimg->image.disk_size) {
		message("%s: holds a disk of no bytes", path);
		ret = -EINVAL;
		goto fail_close;
	}
	ret = zimg_alloc(zimg, path, settings->cache,
			 ublk_device_queues(device) > 1);
	if (ret) {
		message_fail(ret, "%s", path);
		goto fail_close;
	}
	zimg->block = ublk_device_block_size(device);
	if (zimg->block < 512)
		zimg->block = 512;
	disk->size = (zimg->image.disk_size + zimg->block - 1) / zimg->block *
		     zimg->block;
	disk->read_only = true;
	zimg->file = ublk_device_register_file(device, zimg->image.fd);
	ublk_device_set_argument(device, zimg->path);
	ublk_device_set_data(device, zimg);
	return 0;

fail_close:
	image_close(&zimg->image);
fail:
	zimg_free(zimg);
	return ret;
}

static void zimg_close(struct ublk_device *device)
{
	struct zimg *zimg = ublk_device_data(device);

	zimg_cache_destroy(&zimg->cache);
	image_close(&zimg->image);
	zimg_free(zimg);
}

const struct ublk_target target_zimg = {
	.name = "zimg",
	.argument = "IMAGE",
	.summary = "serve a compressed image",
	.manual = "IMAGE is a file or block device with an image of `ublk "
		  "pack` or of bgzip. The disk\nis read only. A chunk that is "
		  "damaged gives an I/O error for its own sectors and\none "
		  "message; `ublk check` finds such chunks. Expanded chunks "
		  "stay in memory up to\n--cache.\n",
	.options = zimg_options,
	.defaults = &zimg_defaults,
	.settings_size = sizeof(struct zimg_settings),
	.request_size = sizeof(struct zimg_request),
	.open = zimg_open,
	.close = zimg_close,
	.queue_start = zimg_queue_start,
	.queue_stop = zimg_queue_stop,
	.submit = zimg_submit,
};
