// SPDX-License-Identifier: GPL-2.0
/*
 * Serves the READs of a zimg device. A request proceeds chunk by chunk. A chunk
 * is cached, or is being loaded, or must be loaded: one operation on the
 * queue's ring reads it, and the crew expands it.
 *
 * A request pins one chunk at most, so that the smallest cache can serve the
 * largest request. A request that cannot proceed is in one list: it waits for a
 * chunk or for room in the cache, which the queues share; or it is stalled
 * until its queue has a free load; or it is ready.
 */
#include <errno.h>
#include <string.h>

#include "lib/build.h"
#include "lib/message.h"
#include "targets/zimg/fetch.h"
#include "targets/zimg/zimg.h"

static void zimg_list_add(struct zimg_list *list, struct zimg_waiter *waiter)
{
	waiter->next = NULL;
	*list->end = waiter;
	list->end = &waiter->next;
}

static struct zimg_waiter *zimg_list_take(struct zimg_list *list)
{
	struct zimg_waiter *waiter = list->first;

	if (!waiter)
		return NULL;
	list->first = waiter->next;
	if (!list->first)
		list->end = &list->first;
	return waiter;
}

static struct zimg_request *zimg_request_of(struct zimg_waiter *waiter)
{
	return (struct zimg_request *)((char *)waiter -
				       offsetof(struct zimg_request, waiter));
}

/* Wakes requests, each in the thread of its own queue. */
static void zimg_wake(struct zimg_queue *queue, struct zimg_waiter *list)
{
	while (list) {
		struct zimg_waiter *next = list->next;
		struct zimg_request *state = zimg_request_of(list);

		if (state->queue == queue)
			zimg_list_add(&queue->ready, list);
		else
			ublk_queue_send(state->queue->queue,
					&state->completion, 0);
		list = next;
	}
}

/* Prints what is wrong with a chunk, once. */
static void zimg_report_damage(struct zimg *zimg,
			       const struct image_chunk *chunk, const char *why)
{
	char text[IMAGE_DAMAGE_TEXT];

	if (bits_set(zimg->reported, chunk->number))
		return;
	message("%s: damaged: %s", zimg->path,
		image_damage_text(chunk, why, text));
}

static void zimg_load_read(struct zimg_load *load)
{
	struct zimg_queue *queue = load->queue;
	struct io_uring_sqe *sqe;

	if (WITH_NETWORK && load->fetch)
		return fetch_load(load);
	sqe = ublk_queue_sqe(queue->queue, &load->completion);
	sqe->opcode = IORING_OP_READ;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = queue->zimg->file;
	sqe->off = load->chunk.file_offset + load->done;
	sqe->addr = (uintptr_t)(load->member + load->done);
	sqe->len = load->chunk.file_length - load->done;
}

static void zimg_load_start(struct zimg_queue *queue, struct zimg_entry *entry,
			    const struct image_chunk *chunk)
{
	struct zimg_load *load = queue->free;

	ublk_queue_count(queue->queue, UBLK_COUNT_LOADS, 1);
	queue->free = load->next;
	queue->free_count--;
	load->entry = entry;
	load->chunk = *chunk;
	load->done = 0;
	load->damaged = true;
	zimg_load_read(load);
}

static void zimg_run_ready(struct zimg_queue *queue);

/* The load is over: its chunk is in the cache, or load->why says why not. */
static void zimg_load_end(struct zimg_load *load)
{
	struct zimg_queue *queue = load->queue;
	const char *why = load->why;

	if (why && load->damaged)
		zimg_report_damage(queue->zimg, &load->chunk, why);
	zimg_wake(queue,
		  zimg_cache_filled(&queue->zimg->cache, load->entry, !why));

	load->next = queue->free;
	queue->free = load;
	queue->free_count++;
	zimg_run_ready(queue);
}

void zimg_load_done(struct ublk_queue *ublk_queue,
		    struct ublk_completion *completion, int result)
{
	struct zimg_load *load = (struct zimg_load *)completion;

	if (result > 0)
		load->done += result;
	if (result == -EINTR || result == -EAGAIN ||
	    (result > 0 && load->done < load->chunk.file_length))
		return zimg_load_read(load);
	if (result > 0) {
		/*
		 * A chunk that was read ahead has no request that keeps the
		 * queue alive.
		 */
		ublk_queue_get(ublk_queue);
		return zimg_crew_add(&load->queue->zimg->crew, load);
	}
	load->why = result < 0 ? strerror(-result) :
				 "the file ends before it";
	/* What could not be fetched is not damaged, and was reported. */
	load->damaged = !WITH_NETWORK || !load->fetch ||
			result != FETCH_FAILED;
	zimg_load_end(load);
}

void zimg_load_expanded(struct ublk_queue *ublk_queue,
			struct ublk_completion *completion, int result)
{
	struct zimg_load *load = (struct zimg_load *)
		((char *)completion - offsetof(struct zimg_load, expanded));

	(void)result;
	ublk_queue_put(ublk_queue);
	zimg_load_end(load);
}

bool zimg_work(struct zimg_queue *queue)
{
	struct zimg_load *load;

	if (queue->free_count == queue->load_count)
		return false;
	load = zimg_crew_work(&queue->zimg->crew, &queue->reader.expander);
	if (!load)
		return false;
	if (load->queue == queue)
		zimg_load_expanded(queue->queue, &load->expanded, 0);
	else
		ublk_queue_send(load->owner, &load->expanded, 0);
	return true;
}

/*
 * Copies the part of the chunk that the request wants. @data is NULL for a
 * chunk of zeroes.
 */
static void zimg_copy_chunk(struct zimg_request *state, const uint8_t *data)
{
	const struct image_chunk *chunk = &state->chunk;
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

static void zimg_copy_entry(struct zimg_queue *queue,
			    struct zimg_request *state,
			    struct zimg_entry *entry)
{
	zimg_copy_chunk(state, entry->data);
	zimg_wake(queue, zimg_cache_put(&queue->zimg->cache, entry));
}

/*
 * The answer if a chunk cannot be read: the whole blocks before it, or an error
 * if there are none. The kernel asks for the rest again, and then gets the
 * error.
 */
static int zimg_cut_short(const struct zimg_queue *queue,
			  const struct zimg_request *state)
{
	uint32_t whole = state->done - state->done % queue->zimg->block;

	return whole ? (int)whole : -EIO;
}

/*
 * Finds the chunk at @offset, unless it is @chunk already. Returns false, after
 * printing why, if that fails.
 */
static bool zimg_find_chunk(struct zimg_queue *queue, uint64_t offset,
			    struct image_chunk *chunk)
{
	struct zimg *zimg = queue->zimg;
	int ret;

	if (offset - chunk->disk_offset < chunk->disk_length)
		return true;
	ret = image_find(&queue->reader, offset, chunk);
	if (!ret)
		return true;
	*chunk = (struct image_chunk){
		.number = offset / zimg->image.chunk_max,
		.disk_offset = offset,
		.disk_length = 1,
	};
	zimg_report_damage(zimg, chunk, ret == -EBADMSG ?
			   "its page of the index is damaged" :
			   "its page of the index cannot be read");
	chunk->disk_length = 0;
	return false;
}

/* Proceeds with a request. Returns its answer, or UBLK_LATER. */
static int zimg_continue(struct zimg_queue *queue, struct zimg_request *state)
{
	struct ublk_request *request = state->request;
	struct zimg *zimg = queue->zimg;
	struct zimg_entry *entry;

	while (state->done < request->length) {
		uint64_t offset = request->offset + state->done;

		/* The disk does not fill its last sector. */
		if (offset >= zimg->image.disk_size) {
			memset((char *)request->data + state->done, 0,
			       request->length - state->done);
			break;
		}
		if (!zimg_find_chunk(queue, offset, &state->chunk))
			return zimg_cut_short(queue, state);
		if (state->chunk.zero) {
			zimg_copy_chunk(state, NULL);
			continue;
		}
		switch (zimg_cache_get(&zimg->cache, state->chunk.number,
				       &state->waiter, queue->free, &entry)) {
		case ZIMG_HIT:
			ublk_queue_count(queue->queue, UBLK_COUNT_HITS, 1);
			zimg_copy_entry(queue, state, entry);
			continue;
		case ZIMG_LOAD:
			ublk_queue_count(queue->queue, UBLK_COUNT_MISSES, 1);
			zimg_load_start(queue, entry, &state->chunk);
			return UBLK_LATER;
		case ZIMG_WAIT:
			ublk_queue_count(queue->queue, UBLK_COUNT_MISSES, 1);
			return UBLK_LATER;
		/* These ask again. */
		case ZIMG_BUSY:
			zimg_list_add(&queue->stalled, &state->waiter);
			return UBLK_LATER;
		case ZIMG_STARVED:
			return UBLK_LATER;
		}
	}
	return request->length;
}

/* Proceeds with a request that was woken. */
static void zimg_resume(struct zimg_queue *queue, struct zimg_request *state)
{
	struct zimg_entry *entry = state->waiter.entry;
	int result;

	if (state->waiter.failed) {
		result = zimg_cut_short(queue, state);
	} else {
		if (entry)
			zimg_copy_entry(queue, state, entry);
		result = zimg_continue(queue, state);
	}
	if (result != UBLK_LATER)
		ublk_request_done(queue->queue, state->request, result);
}

/*
 * Runs all requests that are ready. As long as there is a free load, also those
 * that are stalled: such a request may find its chunk cached or loading by now,
 * and leave the load to the next one.
 */
static void zimg_run_ready(struct zimg_queue *queue)
{
	struct zimg_waiter *waiter;

	for (;;) {
		waiter = zimg_list_take(&queue->ready);
		if (!waiter && queue->free)
			waiter = zimg_list_take(&queue->stalled);
		if (!waiter)
			return;
		zimg_resume(queue, zimg_request_of(waiter));
	}
}

/* A message from another queue: it has woken this request. */
static void zimg_woken(struct ublk_queue *ublk_queue,
		       struct ublk_completion *completion, int result)
{
	struct zimg_request *state = (struct zimg_request *)completion;

	(void)ublk_queue;
	(void)result;
	zimg_resume(state->queue, state);
	zimg_run_ready(state->queue);
}

/*
 * Starts to load the chunk at @offset, if it is not cached or loading. Returns
 * the disk offset after that chunk.
 */
static uint64_t zimg_prefetch(struct zimg_queue *queue, uint64_t offset)
{
	struct zimg *zimg = queue->zimg;
	struct image_chunk chunk = { };
	struct zimg_entry *entry;

	if (!zimg_find_chunk(queue, offset, &chunk))
		return UINT64_MAX;
	if (!chunk.zero) {
		entry = zimg_cache_prefetch(&zimg->cache, chunk.number);
		if (entry)
			zimg_load_start(queue, entry, &chunk);
	}
	return chunk.disk_offset + chunk.disk_length;
}

/* Whether the request continues where an earlier one of this queue ended. */
static bool zimg_is_sequential(struct zimg_queue *queue,
			       const struct ublk_request *request)
{
	uint64_t end = request->offset + request->length;

	for (unsigned int i = 0; i < ZIMG_STREAMS; i++) {
		if (queue->streams[i] != request->offset)
			continue;
		queue->streams[i] = end;
		return end != request->length;	/* unused entries are 0 */
	}
	queue->streams[queue->next_stream++ % ZIMG_STREAMS] = end;
	return false;
}

/*
 * Loads the other chunks of the request in advance and, if it is sequential,
 * the chunk after them.
 */
static void zimg_look_ahead(struct zimg_queue *queue,
			    const struct ublk_request *request)
{
	uint64_t end = request->offset + request->length;
	bool sequential = zimg_is_sequential(queue, request);
	uint64_t disk_size = queue->zimg->image.disk_size;
	struct image_chunk chunk = { };
	uint64_t offset;

	if (request->offset >= disk_size ||
	    !zimg_find_chunk(queue, request->offset, &chunk))
		return;
	offset = chunk.disk_offset + chunk.disk_length;
	/* Keep one load free for requests elsewhere on the disk. */
	while (offset < disk_size && queue->free_count > 1) {
		if (offset >= end && !sequential)
			break;
		if (offset >= end)
			sequential = false;
		offset = zimg_prefetch(queue, offset);
	}
}

int zimg_read(struct zimg_queue *queue, struct ublk_request *request)
{
	struct zimg_request *state = request->state;
	int result;

	state->completion.done = zimg_woken;
	state->queue = queue;
	state->request = request;
	state->done = 0;
	state->chunk.disk_length = 0;
	result = zimg_continue(queue, state);
	zimg_look_ahead(queue, request);
	zimg_run_ready(queue);
	return result;
}
