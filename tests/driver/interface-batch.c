// SPDX-License-Identifier: GPL-2.0
/*
 * BATCH_IO in the interface test: commands for many tags at once, right and
 * wrong, and buffers for tags that are too few, too small or missing.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PREP	UBLK_U_IO_PREP_IO_CMDS
#define COMMIT	UBLK_U_IO_COMMIT_IO_CMDS
#define FETCH	UBLK_U_IO_FETCH_IO_CMDS

/* A device whose server has opened it and done nothing yet. */
static bool batch_server(struct rig *rig, uint64_t flags, unsigned int depth)
{
	return rig_add(rig, UBLK_F_BATCH_IO | flags, 1, depth) &&
	       is(raw_set_params(&ctrl, rig->id, &rig->params), 0,
		  "SET_PARAMS") && rig_server(rig);
}

/* A correct element for a tag of queue 0. */
static struct raw_elem elem(const struct rig *rig, unsigned int tag, int result)
{
	return (struct raw_elem){
		.header = { .tag = tag, .result = result },
		.addr = (uintptr_t)raw_data(&rig->queue[0], tag),
	};
}

/* Returns the result of FETCH_IO_CMDS, or -ETIME if it was accepted. */
static int fetch_wrong(struct rig *rig, const struct ublk_batch_io *body,
		       unsigned int sqe_flags, unsigned int cmd_flags)
{
	struct io_uring_sqe *sqe;
	int ret;

	sqe = raw_batch_command(&rig->queue[0], FETCH, body, NULL);
	sqe->flags = sqe_flags;
	sqe->uring_cmd_flags = cmd_flags;
	ret = rig_next(rig, 0, QUIET_MS);
	return ret;
}

static void test_batch_flags(void)
{
	struct ublksrv_ctrl_dev_info info;
	struct rig rig;

	if (!rig_add(&rig, UBLK_F_BATCH_IO | UBLK_F_NEED_GET_DATA |
		     UBLK_F_PER_IO_DAEMON, 1, 2))
		return;
	is(rig.info.flags & UBLK_F_BATCH_IO, UBLK_F_BATCH_IO, "a device of it");
	is(rig.info.flags & UBLK_F_NEED_GET_DATA, 0, "data comes unasked");
	is(rig.info.flags & UBLK_F_PER_IO_DAEMON, 0, "no tag has a task");
	is(raw_info(&ctrl, rig.id, &info), 0, "GET_DEV_INFO");
	is(info.flags, rig.info.flags, "says the same");
	rig_down(&rig);

	info = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = 1,
		.queue_depth = 1,
		.max_io_buf_bytes = MAX_IO,
		.dev_id = ANY_ID,
		.flags = UBLK_F_BATCH_IO,
	};
	if (is(raw_add(&ctrl, &info), 0, "one tag") &&
	    info.dev_id != (uint32_t)ANY_ID)
		raw_del(&ctrl, info.dev_id);
}

static void test_batch_prep(void)
{
	struct ublk_batch_io body = {
		.nr_elem = 2,
		.flags = UBLK_BATCH_F_HAS_BUF_ADDR,
		.elem_bytes = sizeof(struct raw_elem),
	};
	const struct ublk_batch_io good = body;
	struct raw_queue *queue;
	struct raw_elem two[5];
	struct rig rig;

	if (!batch_server(&rig, 0, 4))
		goto down;
	queue = &rig.queue[0];
	for (int i = 0; i < 5; i++)
		two[i] = elem(&rig, i % 4, 0);

	body.q_id = 1;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL, "no such queue");
	body = good;
	body.nr_elem = 5;
	is(raw_batch_call(queue, PREP, &body, two), -E2BIG,
	   "more than there are tags");
	body = good;
	body.flags |= UBLK_BATCH_F_HAS_ZONE_LBA;
	body.elem_bytes += 8;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL, "zones");
	body = good;
	body.flags = UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK;
	body.elem_bytes = 8;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL,
	   "the fallback of AUTO_BUF_REG");
	body = good;
	body.flags |= 1 << 3;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL,
	   "a flag that nobody knows");
	body = good;
	body.elem_bytes = 8;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL,
	   "elements that are too short");
	body.elem_bytes = 24;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL,
	   "elements that are too long");
	body.elem_bytes = 0;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL,
	   "elements of no size");
	body.elem_bytes = 8;
	body.flags = 0;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL, "no addresses");
	body = good;
	is(raw_batch_call(queue, PREP, &body,
			  (void *)(uintptr_t)place(UNMAPPED, NULL)),
	   -EFAULT, "elements that are not there");
	is(raw_batch_call(queue, PREP, &body,
			  (void *)(uintptr_t)place(OF_KERNEL, NULL)),
	   -EFAULT, "elements in the kernel");
	body.nr_elem = 0;
	is(raw_batch_call(queue, PREP, &body, NULL), 0, "no element");
	body = good;
	two[1].addr = 0;
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL,
	   "one without a buffer");
	two[1] = elem(&rig, 4, 0);
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL, "one of no tag");
	two[1] = elem(&rig, 0, 0);
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL, "one tag twice");
	is(raw_start_send(&ctrl, rig.id, getpid()), 0, "START_DEV");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits for the tags");

	two[1] = elem(&rig, 1, 0);
	is(raw_batch_call(queue, PREP, &body, two), 0,
	   "two tags: nothing has come of what was wrong");
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL, "the same again");
	two[0] = elem(&rig, 2, 0);
	is(raw_batch_call(queue, PREP, &body, two), -EINVAL,
	   "one of them again");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME,
	   "START_DEV waits for the others");
	two[1] = elem(&rig, 3, 0);
	is(raw_batch_call(queue, PREP, &body, two), 0, "the others");
	is(raw_ctrl_answer(&ctrl, IO_MS), 0, "START_DEV ends");
	is(raw_batch_call(queue, PREP, &body, two), -EBUSY,
	   "when all are prepared");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_LIVE, "the device is LIVE");
down:
	rig_down(&rig);
}

static void test_batch_commit(void)
{
	struct ublk_batch_io body = {
		.nr_elem = 2,
		.flags = UBLK_BATCH_F_HAS_BUF_ADDR,
		.elem_bytes = sizeof(struct raw_elem),
	};
	const struct ublk_batch_io good = body;
	const int one = sizeof(struct raw_elem);
	char *data = pages(4 * 4096);
	struct raw_queue *queue;
	unsigned int first, second;
	struct raw_elem two[5];
	struct job job[2];
	struct rig rig;

	if (!rig_begin(&rig, UBLK_F_BATCH_IO, 1, 4))
		goto unmap;
	queue = &rig.queue[0];
	two[0] = elem(&rig, 0, 4096);
	two[1] = elem(&rig, 1, 4096);
	is(raw_batch_call(queue, COMMIT, &body, two), -EBUSY,
	   "nothing is served");
	job_start(&job[0], IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "a WRITE");
	first = rig.done.tag;
	job_start(&job[1], IO_WRITE, rig.disk, data, 4096, 4096);
	delivered(&rig, UBLK_IO_OP_WRITE, 8, 8, "another WRITE");
	second = rig.done.tag;
	two[0] = elem(&rig, first, 4096);
	two[1] = elem(&rig, second, 4096);

	body.q_id = 1;
	is(raw_batch_call(queue, COMMIT, &body, two), -EINVAL, "no such queue");
	body = good;
	body.nr_elem = 5;
	is(raw_batch_call(queue, COMMIT, &body, two), -E2BIG,
	   "more than there are tags");
	body = good;
	body.elem_bytes = 8;
	is(raw_batch_call(queue, COMMIT, &body, two), -EINVAL,
	   "elements that are too short");
	body.flags = 0;
	is(raw_batch_call(queue, COMMIT, &body, two), -EINVAL, "no addresses");
	body = good;
	body.flags |= 1 << 5;
	is(raw_batch_call(queue, COMMIT, &body, two), -EINVAL,
	   "a flag that nobody knows");
	body = good;
	body.nr_elem = 0;
	is(raw_batch_call(queue, COMMIT, &body, two), 0, "no element");
	body = good;
	is(raw_batch_call(queue, COMMIT, &body,
			  (void *)(uintptr_t)place(UNMAPPED, NULL)),
	   -EFAULT, "elements that are not there");
	two[0].addr = 0;
	is(raw_batch_call(queue, COMMIT, &body, two), -EINVAL,
	   "the first without a buffer");
	two[0] = elem(&rig, 4, 4096);
	is(raw_batch_call(queue, COMMIT, &body, two), -EINVAL,
	   "the first of no tag");
	ok(job_waits(&job[0]) && job_waits(&job[1]), "nothing has come of it");

	two[0] = elem(&rig, first, 4096);
	two[1] = elem(&rig, first, 4096);
	is(raw_batch_call(queue, COMMIT, &body, two), one,
	   "a tag twice: once is done");
	is(job_end(&job[0]), 4096, "and its WRITE ends");
	ok(job_waits(&job[1]), "the other one waits");
	two[0] = elem(&rig, second, -ENOSPC);
	two[1] = elem(&rig, 4, 0);
	is(raw_batch_call(queue, COMMIT, &body, two), one,
	   "up to one of no tag");
	is(job_end(&job[1]), -ENOSPC, "the other WRITE fails as was said");
	is(raw_batch_call(queue, COMMIT, &body, two), -EBUSY, "again");
	rig_down(&rig);
unmap:
	munmap(data, 4 * 4096);
}

static void test_batch_fetch(void)
{
	struct ublk_batch_io body = { .elem_bytes = sizeof(uint16_t) };
	struct rig rig;

	if (!batch_server(&rig, 0, 2))
		goto down;
	is(fetch_wrong(&rig, &body, 0, 0), -EINVAL, "once only");
	is(fetch_wrong(&rig, &body, IOSQE_BUFFER_SELECT, 0), -EINVAL,
	   "once only, with buffers");
	is(fetch_wrong(&rig, &body, 0, IORING_URING_CMD_MULTISHOT), -EINVAL,
	   "no buffers");
	body.elem_bytes = 4;
	is(fetch_wrong(&rig, &body, IOSQE_BUFFER_SELECT,
		       IORING_URING_CMD_MULTISHOT), -EINVAL,
	   "elements of another size");
	body.elem_bytes = sizeof(uint16_t);
	body.flags = UBLK_BATCH_F_HAS_BUF_ADDR;
	is(fetch_wrong(&rig, &body, IOSQE_BUFFER_SELECT,
		       IORING_URING_CMD_MULTISHOT), -EINVAL, "a flag");
	body.flags = 0;
	body.q_id = 1;
	is(fetch_wrong(&rig, &body, IOSQE_BUFFER_SELECT,
		       IORING_URING_CMD_MULTISHOT), -EINVAL, "no such queue");
	body.q_id = 0;
	body.nr_elem = 9999;
	is(fetch_wrong(&rig, &body, IOSQE_BUFFER_SELECT,
		       IORING_URING_CMD_MULTISHOT), -ETIME,
	   "as it should be: before any tag is prepared, of how many whatever");
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "gives it back");
	is(fetch_wrong(&rig, &body, IOSQE_BUFFER_SELECT,
		       IORING_URING_CMD_MULTISHOT), -ENODEV,
	   "to a server that was stopped");
down:
	rig_down(&rig);
}

/* Data in both directions; one FETCH is enough for all requests. */
static void batch_io(struct rig *rig)
{
	char *data = pages(8192);
	struct job job;

	fill(data, 8192, 1);
	job_start(&job, IO_WRITE, rig->disk, data, 8192, 4096);
	delivered(rig, UBLK_IO_OP_WRITE, 8, 16, "WRITE");
	ok(holds(rig_data(rig, 0), 8192, 1, 0), "with its data");
	commit(rig, 8192);
	is(job_end(&job), 8192, "it ends");

	job_start(&job, IO_READ, rig->disk, data, 8192, 8192);
	delivered(rig, UBLK_IO_OP_READ, 16, 16, "READ");
	fill(rig_data(rig, 0), 8192, 2);
	commit(rig, 4096);
	delivered(rig, UBLK_IO_OP_READ, 24, 8, "its rest, after a short answer");
	fill(rig_data(rig, 0), 4096, 3);
	commit(rig, 4096);
	is(job_end(&job), 8192, "it ends, too");
	ok(holds(data, 4096, 2, 0) && holds(data + 4096, 4096, 3, 0),
	   "with the server's data");

	job_start(&job, IO_FSYNC, rig->disk, NULL, 0, 0);
	delivered(rig, UBLK_IO_OP_FLUSH, 0, 0, "FLUSH");
	commit(rig, 0);
	is(job_end(&job), 0, "FLUSH ends");
	job_start(&job, IO_DISCARD, rig->disk, NULL, 8192, 4096);
	delivered(rig, UBLK_IO_OP_DISCARD, 8, 16, "DISCARD");
	commit(rig, 0);
	is(job_end(&job), 0, "DISCARD ends");
	munmap(data, 8192);
}

static void test_batch_io(void)
{
	struct rig rig;

	if (!rig_begin(&rig, UBLK_F_BATCH_IO, 1, 4))
		return;
	batch_io(&rig);
	ok(!rig.queue[0].batch->ended, "all by one FETCH");
	ok(rig.queue[0].batch->completions >= 5, "which completed each time");
	rig_close_disk(&rig);
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "gives it back");
	ok(rig.queue[0].batch->ended, "for good");
	rig_down(&rig);
}

#define MANY	16

/*
 * MANY WRITEs at once: each is delivered once, whatever room the buffers have.
 */
static void batch_many(unsigned int room)
{
	struct raw_elem elems[MANY];
	char *data = pages(MANY * 4096);
	struct job job[MANY];
	bool seen[MANY] = { false };
	struct raw_batch *batch;
	unsigned int good = 0, before;
	struct rig rig;

	if (!batch_server(&rig, 0, MANY))
		goto down;
	batch = rig.queue[0].batch;
	rig_fetch_all(&rig);
	is(rig_start(&rig), 0, "START_DEV");
	if (!ok(rig_open_disk(&rig) >= 0, "open /dev/ublkbN"))
		goto down;
	/* the existing buffers are used up first */
	batch->keeps = true;
	for (int i = 0; i < RAW_BUFFERS; i++) {
		job_start(&job[0], IO_FSYNC, rig.disk, NULL, 0, 0);
		if (rig_next(&rig, 0, IO_MS))
			break;
		commit(&rig, 0);
		job_end(&job[0]);
	}
	is(batch->kept, RAW_BUFFERS, "all buffers were used");
	batch->room = room;
	batch->keeps = false;
	while (batch->kept)
		raw_batch_give(&rig.queue[0], batch->used[--batch->kept]);
	before = batch->completions;

	for (int i = 0; i < MANY; i++) {
		fill(data + i * 4096, 4096, i);
		/* not adjacent, so that no scheduler merges them */
		job_start(&job[i], IO_WRITE, rig.disk, data + i * 4096, 4096,
			  i * 8192);
	}
	for (int i = 0; i < MANY; i++) {
		const struct ublksrv_io_desc *desc;
		unsigned int which;
		int ret = rig_next(&rig, 0, IO_MS);

		/* all buffers may be full before one of them was read */
		while (ret == -ENOBUFS) {
			raw_batch_fetch(&rig.queue[0], 0);
			ret = rig_next(&rig, 0, IO_MS);
		}
		if (ret) {
			note("%d came, and then %d", i, ret);
			break;
		}
		desc = rig_desc(&rig, 0);
		which = desc->start_sector / 16;
		good += which < MANY && !seen[which] &&
			holds(rig_data(&rig, 0), 4096, which, 0);
		if (which < MANY)
			seen[which] = true;
		elems[i] = elem(&rig, rig.done.tag, 4096);
	}
	is(good, MANY, "each comes once, with its data");
	ok(batch->completions - before >= MANY / room,
	   "no completion says more than there is room for");
	is(raw_batch_send(&rig.queue[0], COMMIT, elems, MANY),
	   MANY * sizeof(struct raw_elem), "COMMIT of all");
	good = 0;
	for (int i = 0; i < MANY; i++)
		good += job_end(&job[i]) == 4096;
	is(good, MANY, "all end");
down:
	rig_down(&rig);
	munmap(data, MANY * 4096);
}

static void test_batch_many(void)
{
	batch_many(RAW_TAGS);
}

static void test_batch_room(void)
{
	batch_many(2);
}

static void test_batch_room_one(void)
{
	batch_many(1);
}

/* Answers half of the tags of a completion, and the rest later. */
static void test_batch_half(void)
{
	char *data = pages(4 * 4096);
	struct raw_elem elems[4];
	struct job job[4];
	struct rig rig;

	if (!rig_begin(&rig, UBLK_F_BATCH_IO, 1, 4))
		goto unmap;
	for (int i = 0; i < 4; i++) {
		job_start(&job[i], IO_WRITE, rig.disk, data + i * 4096, 4096,
			  i * 4096);
		delivered(&rig, UBLK_IO_OP_WRITE, i * 8, 8, "a WRITE");
		elems[i] = elem(&rig, rig.done.tag, 4096);
	}
	is(raw_batch_send(&rig.queue[0], COMMIT, elems, 2),
	   2 * sizeof(struct raw_elem), "COMMIT of two");
	is(job_end(&job[0]), 4096, "the first ends");
	is(job_end(&job[1]), 4096, "the second ends");
	ok(job_waits(&job[2]) && job_waits(&job[3]), "the others wait");
	for (int i = 0; i < 2; i++) {
		job_start(&job[i], IO_WRITE, rig.disk, data + i * 4096, 4096,
			  i * 4096);
		delivered(&rig, UBLK_IO_OP_WRITE, i * 8, 8, "one more");
		elems[i] = elem(&rig, rig.done.tag, 4096);
	}
	is(raw_batch_send(&rig.queue[0], COMMIT, elems, 4),
	   4 * sizeof(struct raw_elem), "COMMIT of all");
	for (int i = 0; i < 4; i++)
		is(job_end(&job[i]), 4096, "it ends");
	rig_down(&rig);
unmap:
	munmap(data, 4 * 4096);
}

/* Without a buffer, the FETCH ends. The next FETCH gets the request. */
static void test_batch_no_buffer(void)
{
	char *data = pages(4096);
	struct raw_queue *queue;
	struct raw_batch *batch;
	struct job job;
	struct rig rig;

	if (!batch_server(&rig, 0, 2))
		goto down;
	queue = &rig.queue[0];
	batch = queue->batch;
	raw_fetch(queue, 0);
	raw_fetch(queue, 1);
	raw_batch_fetch(queue, 7);
	raw_submit(queue);
	is(rig_start(&rig), 0, "START_DEV");
	if (!ok(rig_open_disk(&rig) >= 0, "open /dev/ublkbN"))
		goto down;
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), -ENOBUFS, "a group that is not there");
	ok(batch->ended, "ends the FETCH");
	ok(job_waits(&job), "the WRITE waits");
	raw_batch_fetch(queue, 7);
	is(rig_next(&rig, 0, IO_MS), -ENOBUFS, "the same again");
	raw_batch_fetch(queue, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "one that is there gets it");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "it ends");

	batch->keeps = true;
	for (int i = 0; i < RAW_BUFFERS; i++) {
		job_start(&job, IO_READ, rig.disk, data, 4096, 0);
		delivered(&rig, UBLK_IO_OP_READ, 0, 8, "a READ");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "READ ends");
	}
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), -ENOBUFS, "all buffers are used up");
	batch->keeps = false;
	raw_batch_give(queue, batch->used[0]);
	ok(job_waits(&job), "one more does not help");
	raw_batch_fetch(queue, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "but with the next FETCH");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "the READ ends");
down:
	rig_down(&rig);
	munmap(data, 4096);
}

/* Buffers that cannot take a tag: replaces the first one in the ring. */
static void bad_buffer(struct rig *rig, uint64_t addr, unsigned int len,
		       const char *what)
{
	char *data = pages(4096);
	struct raw_queue *queue;
	struct job job;

	if (!batch_server(rig, 0, 2))
		goto down;
	queue = &rig->queue[0];
	queue->batch->buffers->bufs[0].addr = addr;
	queue->batch->buffers->bufs[0].len = len;
	rig_fetch_all(rig);
	is(rig_start(rig), 0, "START_DEV");
	if (!ok(rig_open_disk(rig) >= 0, "open /dev/ublkbN"))
		goto down;
	fill(data, 4096, 1);
	job_start(&job, IO_WRITE, rig->disk, data, 4096, 0);
	is(rig_next(rig, 0, IO_MS), -ENOBUFS, what);
	ok(job_waits(&job), "the WRITE waits");
	queue->batch->buffers->bufs[0].addr =
		(uintptr_t)queue->batch->space[0];
	queue->batch->buffers->bufs[0].len = RAW_TAGS * sizeof(uint16_t);
	raw_batch_fetch(queue, 0);
	delivered(rig, UBLK_IO_OP_WRITE, 0, 8, "a good one gets it");
	ok(holds(rig_data(rig, 0), 4096, 1, 0), "with its data");
	commit(rig, 4096);
	is(job_end(&job), 4096, "it ends");
down:
	rig_down(rig);
	munmap(data, 4096);
}

static void test_batch_bad_buffer(void)
{
	char *read_only = pages(4096);
	struct rig rig;

	bad_buffer(&rig, place(UNMAPPED, NULL), 128, "one that is not there");
	mprotect(read_only, 4096, PROT_READ);
	bad_buffer(&rig, (uintptr_t)read_only, 128, "one of a page to read");
	bad_buffer(&rig, place(OF_KERNEL, NULL), 128, "one in the kernel");
	bad_buffer(&rig, (uintptr_t)read_only, 1, "one of a byte");
	munmap(read_only, 4096);
}

/* Buffers from PROVIDE_BUFFERS, each used once. */
static void test_batch_provided(void)
{
	char *data = pages(4096);
	static uint16_t tags[2][16];
	struct raw_elem one;
	unsigned int tag;
	struct io_uring_sqe *sqe;
	struct raw_queue *queue;
	struct io_uring_cqe *cqe;
	struct job job;
	struct rig rig;

	if (!batch_server(&rig, 0, 2))
		goto down;
	queue = &rig.queue[0];
	sqe = io_uring_get_sqe(&queue->ring);
	if (!sqe)
		goto down;
	memset(sqe, 0, 2 * sizeof(*sqe));
	io_uring_prep_provide_buffers(sqe, tags, sizeof(tags[0]), 2, 5, 0);
	raw_submit(queue);
	is(io_uring_wait_cqe(&queue->ring, &cqe) ?: cqe->res, 0,
	   "provide two buffers");
	io_uring_cqe_seen(&queue->ring, cqe);
	raw_fetch(queue, 0);
	raw_fetch(queue, 1);
	raw_batch_fetch(queue, 5);
	raw_submit(queue);
	is(rig_start(&rig), 0, "START_DEV");
	if (!ok(rig_open_disk(&rig) >= 0, "open /dev/ublkbN"))
		goto down;
	tags[0][0] = 99;
	tags[1][0] = 99;
	for (int i = 0; i < 2; i++) {
		job_start(&job, IO_READ, rig.disk, data, 4096, 0);
		if (!is(io_uring_wait_cqe(&queue->ring, &cqe), 0, "a READ"))
			goto down;
		is(cqe->res, sizeof(uint16_t), "one tag");
		ok(cqe->flags & IORING_CQE_F_MORE, "more may come");
		tag = tags[cqe->flags >> IORING_CQE_BUFFER_SHIFT & 1][0];
		ok(tag < 2, "it is in the buffer");
		io_uring_cqe_seen(&queue->ring, cqe);
		one = elem(&rig, tag, 4096);
		is(raw_batch_send(queue, COMMIT, &one, 1), sizeof(one),
		   "COMMIT");
		is(job_end(&job), 4096, "it ends");
	}
	ok(tags[0][0] < 2 && tags[1][0] < 2, "each buffer was used");
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), -ENOBUFS, "there is none left");
	raw_batch_fetch(queue, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "another group has");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "it ends at last");
down:
	rig_down(&rig);
	munmap(data, 4096);
}

/* BATCH_IO commands to a device without it, and the reverse. */
static void test_batch_kinds(void)
{
	struct ublk_batch_io body = { .elem_bytes = sizeof(uint16_t) };
	struct raw_elem one;
	struct rig rig;

	if (!batch_server(&rig, 0, 2))
		goto down;
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, 4096), -EOPNOTSUPP,
	   "FETCH_REQ");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, 4096), -EOPNOTSUPP,
	   "COMMIT_AND_FETCH_REQ");
	is(wrong(&rig, UBLK_U_IO_NEED_GET_DATA, 0, 0, 4096), -EOPNOTSUPP,
	   "NEED_GET_DATA");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 2, 4096), -EINVAL,
	   "FETCH_REQ of no tag");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 1, 0, 4096), -EINVAL,
	   "FETCH_REQ of no queue");
	is(wrong(&rig, UBLK_U_IO_REGISTER_IO_BUF, 0, 0, 0), -EINVAL,
	   "REGISTER_IO_BUF without the flag");
	rig_fetch_all(&rig);
	is(rig_start(&rig), 0, "START_DEV");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, 4096), -EOPNOTSUPP,
	   "COMMIT_AND_FETCH_REQ when it is LIVE");
down:
	rig_down(&rig);

	if (!rig_add(&rig, 0, 1, 2))
		return;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS again");
	if (rig_server(&rig) &&
	    is(raw_batch_open(&rig.queue[0]), 0, "buffers for tags")) {
		is(fetch_wrong(&rig, &body, IOSQE_BUFFER_SELECT,
			       IORING_URING_CMD_MULTISHOT), -EINVAL,
		   "FETCH_IO_CMDS to another device");
		one = elem(&rig, 0, 0);
		is(raw_batch_send(&rig.queue[0], PREP, &one, 1), -EINVAL,
		   "PREP_IO_CMDS");
		is(raw_batch_send(&rig.queue[0], COMMIT, &one, 1), -EINVAL,
		   "COMMIT_IO_CMDS");
	}
	rig_down(&rig);
}

/* Issued by an io_uring worker, which passes them back to the task. */
static void test_batch_async(void)
{
	struct ublk_batch_io body = {
		.nr_elem = 2,
		.flags = UBLK_BATCH_F_HAS_BUF_ADDR,
		.elem_bytes = sizeof(struct raw_elem),
	};
	char *data = pages(4096);
	struct io_uring_sqe *sqe;
	struct raw_queue *queue;
	struct raw_elem two[2];
	struct job job;
	struct rig rig;

	if (!batch_server(&rig, 0, 2))
		goto down;
	queue = &rig.queue[0];
	two[0] = elem(&rig, 0, 4096);
	two[1] = elem(&rig, 1, 4096);
	sqe = raw_batch_command(queue, PREP, &body, two);
	sqe->flags = IOSQE_ASYNC;
	raw_submit(queue);
	is(raw_start_send(&ctrl, rig.id, getpid()), 0, "START_DEV");
	is(rig_answer(&rig), 0, "PREP by a worker");
	if (!ok(rig_open_disk(&rig) >= 0, "open /dev/ublkbN"))
		goto down;
	fill(data, 4096, 1);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	ok(job_waits(&job), "a WRITE waits for FETCH");
	raw_batch_fetch(queue, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "which finds it there");
	ok(holds(rig_data(&rig, 0), 4096, 1, 0), "with its data");
	body.nr_elem = 1;
	two[0] = elem(&rig, rig.done.tag, 4096);
	sqe = raw_batch_command(queue, COMMIT, &body, two);
	sqe->flags = IOSQE_ASYNC;
	is(rig_next(&rig, 0, QUIET_MS), -ETIME, "COMMIT by a worker");
	is(job_end(&job), 4096, "it ends");
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 4096);
	delivered(&rig, UBLK_IO_OP_WRITE, 8, 8, "the next one");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "ends as well");
down:
	rig_down(&rig);
	munmap(data, 4096);
}

const struct group batch_groups[] = {
	{ "batch-flags", test_batch_flags, UBLK_F_BATCH_IO },
	{ "batch-prep", test_batch_prep, UBLK_F_BATCH_IO },
	{ "batch-commit", test_batch_commit, UBLK_F_BATCH_IO },
	{ "batch-fetch", test_batch_fetch, UBLK_F_BATCH_IO },
	{ "batch-io", test_batch_io, UBLK_F_BATCH_IO },
	{ "batch-many", test_batch_many, UBLK_F_BATCH_IO },
	{ "batch-room", test_batch_room, UBLK_F_BATCH_IO },
	{ "batch-room-one", test_batch_room_one, UBLK_F_BATCH_IO },
	{ "batch-half", test_batch_half, UBLK_F_BATCH_IO },
	{ "batch-no-buffer", test_batch_no_buffer, UBLK_F_BATCH_IO },
	{ "batch-bad-buffer", test_batch_bad_buffer, UBLK_F_BATCH_IO },
	{ "batch-provided", test_batch_provided, UBLK_F_BATCH_IO },
	{ "batch-kinds", test_batch_kinds, UBLK_F_BATCH_IO },
	{ "batch-async", test_batch_async, UBLK_F_BATCH_IO },
	{ NULL, NULL, 0 },
};
