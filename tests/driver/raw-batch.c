// SPDX-License-Identifier: GPL-2.0
/* The raw commands of a queue with UBLK_F_BATCH_IO; see raw.h. */
#include "tests/driver/raw.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE		4096UL
/* Whole pages, and one for the ring of buffers. */
#define BATCH_SIZE	((sizeof(struct raw_batch) + 2 * PAGE - 1) / PAGE * PAGE)

/* user_data of a command: its op, and its result if it succeeds. */
static uint64_t user_data(uint32_t op, uint16_t good)
{
	return (uint64_t)_IOC_NR(op) << 16 | good;
}

int raw_batch_open(struct raw_queue *queue)
{
	struct io_uring_buf_reg reg = { .ring_entries = RAW_BUFFERS };
	struct raw_batch *batch;
	int err;

	batch = mmap(NULL, BATCH_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (batch == MAP_FAILED)
		return -ENOMEM;
	batch->buffers = (void *)((char *)batch + BATCH_SIZE - PAGE);
	batch->room = RAW_TAGS;
	reg.ring_addr = (uintptr_t)batch->buffers;
	err = io_uring_register_buf_ring(&queue->ring, &reg, 0);
	if (err) {
		munmap(batch, BATCH_SIZE);
		return err;
	}
	queue->batch = batch;
	for (unsigned int i = 0; i < RAW_BUFFERS; i++)
		raw_batch_give(queue, i);
	return 0;
}

void raw_batch_close(struct raw_queue *queue)
{
	/*
	 * The ring may live for a moment; it must not write to a later mapping.
	 */
	munmap(queue->batch, BATCH_SIZE);
	queue->batch = NULL;
}

void raw_batch_give(struct raw_queue *queue, unsigned int index)
{
	struct raw_batch *batch = queue->batch;

	io_uring_buf_ring_add(batch->buffers, batch->space[index],
			      batch->room * sizeof(uint16_t), index,
			      io_uring_buf_ring_mask(RAW_BUFFERS), 0);
	io_uring_buf_ring_advance(batch->buffers, 1);
}

struct io_uring_sqe *raw_batch_command(struct raw_queue *queue, uint32_t op,
				       const struct ublk_batch_io *body,
				       const void *elems)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&queue->ring)))
		raw_submit(queue);
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = queue->cdev;
	sqe->cmd_op = op;
	sqe->addr = (uintptr_t)elems;
	sqe->user_data = user_data(op, op == UBLK_U_IO_COMMIT_IO_CMDS ?
				   body->nr_elem * body->elem_bytes : 0);
	memcpy(sqe->cmd, body, sizeof(*body));
	return sqe;
}

void raw_batch_fetch(struct raw_queue *queue, unsigned int group)
{
	const struct ublk_batch_io body = {
		.q_id = queue->id,
		.elem_bytes = sizeof(uint16_t),
	};
	struct io_uring_sqe *sqe;

	sqe = raw_batch_command(queue, UBLK_U_IO_FETCH_IO_CMDS, &body, NULL);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->uring_cmd_flags = IORING_URING_CMD_MULTISHOT;
	sqe->buf_group = group;
	queue->batch->ended = false;
}

/* The body for elements with what this queue needs. */
static struct ublk_batch_io body_of(const struct raw_queue *queue,
				    unsigned int count)
{
	const bool copies = queue->data;

	return (struct ublk_batch_io){
		.q_id = queue->id,
		.nr_elem = count,
		.flags = copies ? UBLK_BATCH_F_HAS_BUF_ADDR : 0,
		.elem_bytes = copies ? sizeof(struct raw_elem) :
				       sizeof(struct ublk_elem_header),
	};
}

void raw_batch_one(struct raw_queue *queue, uint32_t op, unsigned int tag,
		   int result)
{
	const struct ublk_batch_io body = body_of(queue, 1);
	struct raw_batch *batch = queue->batch;
	struct raw_elem *elem = &batch->elems[batch->sent++ % 256];

	*elem = (struct raw_elem){
		.header = {
			.tag = tag,
			.buf_index = queue->sqe_addr & 0xffff,
			.result = result,
		},
		.addr = (uintptr_t)raw_data(queue, tag),
	};
	raw_batch_command(queue, op, &body, elem);
}

bool raw_batch_next(struct raw_queue *queue, struct raw_done *done)
{
	struct raw_batch *batch = queue->batch;

	if (!batch->count)
		return false;
	done->op = _IOC_NR(UBLK_U_IO_FETCH_IO_CMDS);
	done->tag = batch->tags[batch->first];
	done->result = UBLK_IO_RES_OK;
	batch->first = (batch->first + 1) % UBLK_MAX_QUEUE_DEPTH;
	batch->count--;
	return true;
}

/* Takes the tags from a buffer, and returns it to the ring. */
static void take_tags(struct raw_queue *queue, const struct io_uring_cqe *cqe)
{
	struct raw_batch *batch = queue->batch;
	unsigned int index = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	unsigned int left = cqe->res / sizeof(uint16_t), at;

	batch->completions++;
	for (unsigned int i = 0; i < left; i++) {
		at = batch->first + batch->count++;
		batch->tags[at % UBLK_MAX_QUEUE_DEPTH] = batch->space[index][i];
	}
	if (batch->keeps)
		batch->used[batch->kept++] = index;
	else
		raw_batch_give(queue, index);
}

bool raw_batch_completed(struct raw_queue *queue,
			 const struct io_uring_cqe *cqe, struct raw_done *done)
{
	switch (done->op) {
	case _IOC_NR(UBLK_U_IO_FETCH_IO_CMDS):
		queue->batch->ended = !(cqe->flags & IORING_CQE_F_MORE);
		if (cqe->res > 0) {
			take_tags(queue, cqe);
			return false;
		}
		done->tag = RAW_NO_TAG;
		return true;
	case _IOC_NR(UBLK_U_IO_PREP_IO_CMDS):
	case _IOC_NR(UBLK_U_IO_COMMIT_IO_CMDS):
		if (cqe->res == (int)done->tag)
			return false;
		done->tag = RAW_NO_TAG;
		return true;
	default:
		return true;
	}
}

int raw_batch_call(struct raw_queue *queue, uint32_t op,
		   const struct ublk_batch_io *body, const void *elems)
{
	struct __kernel_timespec patience = { .tv_sec = 20 };
	struct io_uring_cqe *cqe;
	struct raw_done done;
	int err, ret;

	raw_batch_command(queue, op, body, elems);
	err = raw_submit(queue);
	for (;;) {
		if (!err)
			err = io_uring_wait_cqe_timeout(&queue->ring, &cqe,
							&patience);
		if (err)
			return err;
		ret = cqe->res;
		done.op = cqe->user_data >> 16;
		done.tag = cqe->user_data & 0xffff;
		if (done.op != _IOC_NR(op))
			raw_batch_completed(queue, cqe, &done);
		io_uring_cqe_seen(&queue->ring, cqe);
		if (done.op == _IOC_NR(op))
			return ret;
	}
}

int raw_batch_send(struct raw_queue *queue, uint32_t op,
		   const struct raw_elem *elems, unsigned int count)
{
	const struct ublk_batch_io body = body_of(queue, count);
	struct ublk_elem_header headers[256];

	if (queue->data)
		return raw_batch_call(queue, op, &body, elems);
	for (unsigned int i = 0; i < count && i < 256; i++)
		headers[i] = elems[i].header;
	return raw_batch_call(queue, op, &body, headers);
}
