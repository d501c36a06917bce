// SPDX-License-Identifier: GPL-2.0
/*
 * Serves the requests to a disk with copy on write.
 *
 * The map has a bit for each block: the block is stored here ("present"), or it
 * is the base's. A bit is set once all of its block has been written, and it is
 * never cleared: a discarded block stays present, as a hole that reads as
 * zeroes, so that the data of the base does not come back.
 *
 * So requests for present blocks need no synchronization. A request that
 * changes other blocks first claims their range, and waits until no other claim
 * overlaps it. Otherwise, filling the rest of a block from the base could
 * overwrite data of another request. The map in the file is written only by
 * FLUSH, between two syncs.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "lib/message.h"
#include "lib/size.h"
#include "lib/whole-io.h"
#include "targets/cow/layer.h"

#define PAGE_WORDS (COW_BLOCK / sizeof(bits_word))	/* of the map */
#define PAGE_BITS (COW_BLOCK * 8ULL)

static bool cow_is_present(const struct cow *cow, uint64_t block)
{
	return bits_has(cow->present, block);
}

/* Whether the block can be written in place. */
static bool cow_is_ready(const struct cow *cow, uint64_t block)
{
	return cow_is_present(cow, block) &&
	       (!cow_in_memory(cow) ||
		bits_has(cow->has_memory, block >> cow->page_shift));
}

/* Returns whether it was not present yet. */
static bool cow_mark_present(struct cow *cow, uint64_t block)
{
	if (bits_set(cow->present, block))
		return false;
	if (!cow_in_memory(cow))
		bits_set(cow->changed, block / PAGE_BITS);
	return true;
}

/*
 * Continues a request with the result of what it waited for. In the thread of
 * its queue. If another request is running there, this one runs after it.
 */
static void cow_continue(struct cow_request *state, int result)
{
	struct ublk_queue *ublk_queue = state->queue;
	struct cow_queue *queue =
		&state->cow->queues[ublk_queue_id(ublk_queue)];

	state->result = result;
	state->next_ready = queue->ready;
	queue->ready = state;
	if (queue->running)
		return;
	queue->running = true;
	while ((state = queue->ready)) {
		queue->ready = state->next_ready;
		result = state->result;
		while (state->step && result != UBLK_LATER)
			result = state->step(state, result);
		if (!state->step)
			ublk_request_done(ublk_queue, state->request, result);
	}
	queue->running = false;
}

/* Ends a request: @result is its answer. */
static int cow_end(struct cow_request *state, int result)
{
	state->step = NULL;
	return result;
}

static void cow_woken(struct ublk_queue *queue, struct ublk_completion *self,
		      int result)
{
	(void)queue;
	cow_continue((struct cow_request *)self, result);
}

/*
 * Claims the blocks from state->first to state->last. Returns false if another
 * claim overlaps: when that one ends, the current step is called again.
 */
static bool cow_claim(struct cow_request *state)
{
	struct cow *cow = state->cow;
	struct cow_request *other;

	if (cow->shared)
		pthread_mutex_lock(&cow->lock);
	for (other = cow->claims; other; other = other->next_claim)
		if (other->first <= state->last && state->first <= other->last)
			break;
	if (other) {
		state->completion.done = cow_woken;
		state->next_waiter = other->waiters;
		other->waiters = state;
	} else {
		state->next_claim = cow->claims;
		cow->claims = state;
	}
	if (cow->shared)
		pthread_mutex_unlock(&cow->lock);
	return !other;
}

static void cow_unclaim(struct cow_request *state)
{
	struct cow *cow = state->cow;
	struct cow_request **at, *waiter, *next;

	if (cow->shared)
		pthread_mutex_lock(&cow->lock);
	for (at = &cow->claims; *at != state; at = &(*at)->next_claim)
		;
	*at = state->next_claim;
	waiter = state->waiters;
	state->waiters = NULL;
	if (cow->shared)
		pthread_mutex_unlock(&cow->lock);
	for (; waiter; waiter = next) {
		next = waiter->next_waiter;
		if (waiter->queue == state->queue)
			cow_continue(waiter, 0);
		else
			ublk_queue_send(waiter->queue, &waiter->completion, 0);
	}
}

static void cow_report_full(struct cow *cow)
{
	uint64_t bytes = (cow->limit * COW_BLOCK) << cow->page_shift;
	char size[SIZE_TEXT_MAX];

	if (atomic_exchange(&cow->full_reported, 1))
		return;
	if (cow_in_memory(cow))
		message("--cow: the %s for changes are used up; writes fail",
			size_text(bytes, size));
	else
		message("--cow: no space is left for %s to grow; writes fail",
			cow->file.path);
}

/* Ends a request that has a claim. */
static int cow_end_claimed(struct cow_request *state, int result)
{
	if (result == -ENOSPC)
		cow_report_full(state->cow);
	cow_unclaim(state);
	return cow_end(state, result);
}

static void cow_ring_submit(struct cow_request *state)
{
	struct io_uring_sqe *sqe = ublk_queue_sqe(state->queue,
						  &state->completion);

	sqe->opcode = state->opcode;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = state->cow->store;
	sqe->off = state->offset;
	if (state->opcode == IORING_OP_FALLOCATE) {
		sqe->addr = state->left;	/* fallocate: the length */
		sqe->len = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	} else if (state->opcode == IORING_OP_FSYNC) {
		sqe->off = 0;
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
	} else {
		ublk_queue_transfer(state->queue, sqe,
				    state->opcode == IORING_OP_WRITE,
				    state->data, state->left);
	}
}

static void cow_ring_done(struct ublk_queue *queue,
			  struct ublk_completion *self, int result)
{
	struct cow_request *state = (struct cow_request *)self;
	bool moves = state->opcode == IORING_OP_READ ||
		     state->opcode == IORING_OP_WRITE;

	(void)queue;
	if (result == -EINTR || result == -EAGAIN)
		return cow_ring_submit(state);
	if (moves && result > 0 && (uint32_t)result < state->left) {
		state->offset += result;
		state->data += result;
		state->left -= result;
		return cow_ring_submit(state);
	}
	if (moves && !result)
		result = -EIO;	/* the file has shrunk */
	cow_continue(state, result < 0 ? result : (int)state->wanted);
}

/*
 * For a store in memory, which io_uring would use only from threads of its own.
 */
static int cow_memory_operation(const struct cow_request *state)
{
	int fd = state->cow->store_fd;
	int err;

	if (state->opcode == IORING_OP_READ)
		err = whole_pread(fd, state->data, state->left, state->offset);
	else if (state->opcode == IORING_OP_WRITE)
		err = whole_pwrite(fd, state->data, state->left, state->offset);
	else if (state->opcode == IORING_OP_FSYNC)
		err = whole_sync(fd);
	else
		err = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				state->offset, state->left) ? -errno : 0;
	if (err == -ENODATA)	/* the file has shrunk */
		err = -EIO;
	return err ? err : (int)state->wanted;
}

/*
 * Starts an operation on the stored blocks. It transfers everything or fails:
 * the result is @length or -errno. It is returned, or passed to the next step
 * if this returns UBLK_LATER.
 */
static int cow_operate(struct cow_request *state, uint8_t opcode,
		       uint64_t offset, void *data, uint32_t length)
{
	state->opcode = opcode;
	state->offset = offset;
	state->data = data;
	state->left = length;
	state->wanted = length;
	if (state->cow->at_once)
		return cow_memory_operation(state);
	state->completion.done = cow_ring_done;
	cow_ring_submit(state);
	return UBLK_LATER;
}

static void cow_base_done(struct ublk_queue *queue, struct ublk_request *inner,
			  int result)
{
	char *state = (char *)inner - offsetof(struct cow_request, inner);

	(void)queue;
	cow_continue((struct cow_request *)state, result);
}

/* Reads from the base. The result may be less than @length. */
static int cow_read_base(struct cow_request *state, uint64_t offset, void *data,
			 uint32_t length)
{
	state->wanted = length;
	state->inner = (struct ublk_request){
		.tag = state->request->tag,
		.op = UBLK_IO_OP_READ,
		.offset = offset,
		.length = length,
		.data = data,
		.state = state->request->state,
		.done = cow_base_done,
	};
	return state->cow->base->submit(state->queue, &state->inner);
}

/*
 * One step of a READ: reads the next range of blocks that are all present or
 * all the base's. After an error, the READ is cut short: the kernel asks for
 * the rest again, and then gets the error.
 */
static int cow_read_next(struct cow_request *state, int result)
{
	const struct ublk_request *request = state->request;
	struct cow *cow = state->cow;
	uint64_t at, end, block;
	char *data;
	bool present;

	if (result < 0)
		return cow_end(state, state->done ? (int)state->done : result);
	state->done += result;
	if (state->done == request->length || (uint32_t)result < state->wanted)
		return cow_end(state, state->done ? (int)state->done : -EIO);
	at = request->offset + state->done;
	end = request->offset + request->length;
	data = (char *)request->data + state->done;
	block = at / COW_BLOCK;
	present = cow_is_present(cow, block);
	do
		block++;
	while (block * COW_BLOCK < end &&
	       cow_is_present(cow, block) == present);
	if (end > block * COW_BLOCK)
		end = block * COW_BLOCK;
	if (!present)
		return cow_read_base(state, at, data, end - at);
	return cow_operate(state, IORING_OP_READ, cow->data + at, data,
			   end - at);
}

/*
 * The part of the first (@part 0) or last (@part 1) block that the change does
 * not cover, and that must be filled from the base. Returns its length: 0 if
 * there is no such part, or the block is present.
 */
static uint32_t cow_part_left(const struct cow_request *state,
			      unsigned int part, uint64_t *start)
{
	uint64_t block = part ? state->last : state->first;
	uint64_t end = (block + 1) * COW_BLOCK;

	if (cow_is_present(state->cow, block))
		return 0;
	*start = part ? state->to : block * COW_BLOCK;
	if (!part)
		end = state->from;
	if (end > state->cow->disk_size)
		end = state->cow->disk_size;
	return end > *start ? end - *start : 0;
}

/* Whether the block will have data, and not only zeroes. */
static bool cow_gets_data(const struct cow_request *state, uint64_t block)
{
	uint64_t start;

	return state->request->op == UBLK_IO_OP_WRITE ||
	       (block == state->first && cow_part_left(state, 0, &start)) ||
	       (block == state->last && cow_part_left(state, 1, &start));
}

/*
 * Reserves memory for those pages of blocks that have none. Returns 0 or
 * -ENOSPC.
 */
static int cow_reserve(struct cow_request *state)
{
	uint64_t block, page, before = UINT64_MAX, count = 0;
	struct cow *cow = state->cow;

	for (block = state->first; block <= state->last; block++) {
		page = block >> cow->page_shift;
		if (page == before || !cow_gets_data(state, block))
			continue;
		count += !bits_has(cow->has_memory, page);
		before = page;
	}
	if (!count)
		return 0;
	if (atomic_fetch_add(&cow->used, count) + count > cow->limit) {
		cow->used -= count;
		return -ENOSPC;
	}
	for (block = state->first; block <= state->last; block++)
		if (cow_gets_data(state, block) &&
		    !bits_set(cow->has_memory, block >> cow->page_shift))
			count--;
	/* A request for other blocks of a page may have been faster. */
	cow->used -= count;
	return 0;
}

/* Gives back the memory of pages that were zeroed as a whole. */
static void cow_unreserve(struct cow_request *state)
{
	struct cow *cow = state->cow;
	uint64_t bytes = (uint64_t)COW_BLOCK << cow->page_shift;
	uint64_t page = (state->from + bytes - 1) / bytes;
	uint64_t end = state->to / bytes;

	for (; page < end; page++)
		if (bits_clear(cow->has_memory, page))
			cow->used--;
}

static int cow_change_done(struct cow_request *state, int result)
{
	bool write = state->request->op == UBLK_IO_OP_WRITE;
	uint64_t block, kept = 0;

	if (result < 0)
		return cow_end_claimed(state, result);
	if (!write && cow_in_memory(state->cow))
		cow_unreserve(state);
	for (block = state->first; block <= state->last; block++)
		kept += cow_mark_present(state->cow, block);
	ublk_queue_count(state->queue, UBLK_COUNT_KEPT, kept * COW_BLOCK);
	return cow_end_claimed(state, write ? result : 0);
}

/* Makes the change. The rest of its blocks has been filled. */
static int cow_change(struct cow_request *state)
{
	return cow_operate(state, state->request->op == UBLK_IO_OP_WRITE ?
			   IORING_OP_WRITE : IORING_OP_FALLOCATE,
			   state->cow->data + state->from, state->request->data,
			   state->to - state->from);
}

static int cow_fill_read(struct cow_request *state, int result);

/* Fills the next part from the base, or makes the change if all are filled. */
static int cow_fill_next(struct cow_request *state, int result)
{
	uint64_t start = 0;
	uint32_t length = 0;

	if (result < 0)
		return cow_end_claimed(state, result);
	while (state->part < 2 &&
	       !(length = cow_part_left(state, state->part, &start)))
		state->part++;
	if (state->part == 2) {
		state->step = cow_change_done;
		return cow_change(state);
	}
	state->step = cow_fill_read;
	return cow_read_base(state, start, state->fill, length);
}

static int cow_fill_read(struct cow_request *state, int result)
{
	uint64_t start = 0;

	if (result >= 0 && (uint32_t)result < state->wanted)
		result = -EIO;
	if (result < 0)
		return cow_end_claimed(state, result);
	cow_part_left(state, state->part++, &start);
	state->step = cow_fill_next;
	return cow_operate(state, IORING_OP_WRITE, state->cow->data + start,
			   state->fill, state->wanted);
}

/* Written in place: only the data has changed. */
static int cow_written(struct cow_request *state, int result)
{
	if (result == -ENOSPC)
		cow_report_full(state->cow);
	return cow_end(state, result);
}

static int cow_change_start(struct cow_request *state, int result)
{
	struct cow *cow = state->cow;
	uint64_t block = state->first;

	(void)result;
	while (block <= state->last && cow_is_ready(cow, block))
		block++;
	if (state->request->op == UBLK_IO_OP_WRITE && block > state->last) {
		state->step = cow_written;
		return cow_change(state);
	}
	if (!cow_claim(state))
		return UBLK_LATER;
	if (cow_in_memory(cow) && cow_reserve(state))
		return cow_end_claimed(state, -ENOSPC);
	state->part = 0;
	state->step = cow_fill_next;
	return 0;
}

void cow_take_map(struct cow *cow)
{
	uint64_t page, word;

	for (page = 0; page * COW_BLOCK < cow->layout.map_size; page++) {
		if (!bits_clear(cow->changed, page))
			continue;
		for (word = page * PAGE_WORDS; word < (page + 1) * PAGE_WORDS;
		     word++)
			bits_put_file(cow->map + word * sizeof(bits_word),
				      cow->present[word]);
		cow->stale[page] = 1;
	}
}

static int cow_flushed(struct cow_request *state, int result)
{
	if (result >= 0)
		memset(state->cow->stale, 0,
		       state->cow->layout.map_size / COW_BLOCK);
	return cow_end_claimed(state, result);
}

/* Writes the stale pages of the map, one per step. */
static int cow_flush_map(struct cow_request *state, int result)
{
	struct cow *cow = state->cow;
	unsigned int count = cow->layout.map_size / COW_BLOCK;
	unsigned int page = state->part;

	if (result < 0)
		return cow_end_claimed(state, result);
	while (page < count && !cow->stale[page])
		page++;
	if (page == count && !state->part)
		return cow_end_claimed(state, 0);	/* none was stale */
	if (page == count) {
		state->step = cow_flushed;
		return cow_operate(state, IORING_OP_FSYNC, 0, NULL, 0);
	}
	state->part = page + 1;
	return cow_operate(state, IORING_OP_WRITE,
			   COW_MAP_AT + (uint64_t)page * COW_BLOCK,
			   cow->map + (uint64_t)page * COW_BLOCK, COW_BLOCK);
}

/*
 * The map must never name a block whose data is not permanent. So the file is
 * synced after the changed pages are copied, and before they are written.
 */
static int cow_flush_start(struct cow_request *state, int result)
{
	(void)result;
	if (!cow_claim(state))
		return UBLK_LATER;
	cow_take_map(state->cow);
	state->part = 0;
	state->step = cow_flush_map;
	return cow_operate(state, IORING_OP_FSYNC, 0, NULL, 0);
}

/* Sets the range of bytes to change. A discard is reduced to whole blocks. */
static void cow_set_range(struct cow_request *state)
{
	const struct ublk_request *request = state->request;
	uint64_t disk_size = state->cow->disk_size;

	state->from = request->offset;
	state->to = request->offset + request->length;
	if (request->op != UBLK_IO_OP_WRITE && state->to == disk_size)
		state->to = state->cow->layout.blocks * COW_BLOCK;
	if (request->op == UBLK_IO_OP_DISCARD) {
		state->from = (state->from + COW_BLOCK - 1) / COW_BLOCK *
			      COW_BLOCK;
		state->to = state->to / COW_BLOCK * COW_BLOCK;
	}
	state->first = state->from / COW_BLOCK;
	state->last = (state->to - 1) / COW_BLOCK;
}

int cow_submit(struct ublk_queue *queue, struct ublk_request *request)
{
	struct cow *cow = ublk_device_wrapper(ublk_queue_device(queue));
	struct cow_request *state =
		&cow->requests[ublk_queue_id(queue) * cow->depth +
			       request->tag];

	state->queue = queue;
	state->request = request;
	state->done = 0;
	state->wanted = 0;
	switch (request->op) {
	case UBLK_IO_OP_READ:
		state->step = cow_read_next;
		break;
	case UBLK_IO_OP_FLUSH:
		if (cow_in_memory(cow))
			return 0;
		/*
		 * One FLUSH at a time: each claims the block number after the
		 * last.
		 */
		state->first = state->last = cow->layout.blocks;
		state->step = cow_flush_start;
		break;
	case UBLK_IO_OP_WRITE:
	case UBLK_IO_OP_DISCARD:
	case UBLK_IO_OP_WRITE_ZEROES:
		cow_set_range(state);
		if (state->from >= state->to)
			return 0;
		state->step = cow_change_start;
		break;
	default:
		return -EOPNOTSUPP;
	}
	cow_continue(state, 0);
	return UBLK_LATER;
}
