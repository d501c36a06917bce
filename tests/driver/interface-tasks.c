// SPDX-License-Identifier: GPL-2.0
/*
 * Which task gets a request, in the interface test: that of its queue or, with
 * PER_IO_DAEMON, that of its tag, in whichever way its commands came.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Every queue delivers the requests of its own CPUs. */
static void test_queues(void)
{
	rig_queues_deliver(0);
}

/* A task of a device with PER_IO_DAEMON, for some of the tags of queue 0. */
struct daemon {
	struct rig *rig;
	pthread_t thread;
	unsigned int first;
	unsigned int count;
	unsigned int foreign;	/* requests for tags of other tasks */
	int err;
};

static atomic_uint daemons_have;	/* requests not answered yet */
static atomic_uint daemons_wait_for;	/* needed before any is answered */

/* Answers each READ with the number of its task, starting with 1. */
static void daemon_answer(struct daemon *daemon, struct raw_queue *queue,
			  unsigned int tag)
{
	if (tag < daemon->first || tag >= daemon->first + daemon->count)
		daemon->foreign++;
	memset(raw_data(queue, tag), 1 + daemon->first / daemon->count, 4096);
	raw_commit(queue, tag, queue->desc[tag].nr_sectors << 9);
	raw_submit(queue);
}

static void *daemon_run(void *arg)
{
	struct daemon *daemon = arg;
	unsigned int held[8], n = 0, tag;
	struct raw_queue queue;
	struct raw_done done;

	daemon->err = raw_queue_open(&queue, &ctrl, daemon->rig->cdev, 0,
				     daemon->rig->info.queue_depth, MAX_IO);
	if (daemon->err)
		return NULL;
	for (tag = 0; tag < daemon->count; tag++)
		raw_fetch(&queue, daemon->first + tag);
	for (;;) {
		daemon->err = raw_reap(&queue, &done, 10);
		if (!daemon->err && done.result)
			break;		/* stopped */
		if (!daemon->err && n < 8) {
			held[n++] = done.tag;
			atomic_fetch_add(&daemons_have, 1);
		}
		if (atomic_load(&daemons_have) < atomic_load(&daemons_wait_for))
			continue;
		while (n)
			daemon_answer(daemon, &queue, held[--n]);
	}
	daemon->err = done.result;
	raw_queue_close(&queue);
	return NULL;
}

/* Uses all tags at once, and answers when each task has its own. */
static void daemons(unsigned int tasks)
{
	const unsigned int depth = 4;
	struct daemon daemon[4];
	struct job job[4];
	unsigned int answered[5] = { 0 };
	char *data = pages(depth * 4096);
	struct rig rig;

	if (!rig_add(&rig, UBLK_F_PER_IO_DAEMON, 1, depth))
		return;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (!rig_server(&rig))
		goto down;
	atomic_store(&daemons_have, 0);
	atomic_store(&daemons_wait_for, 0);
	for (unsigned int i = 0; i < tasks; i++) {
		daemon[i] = (struct daemon){
			.rig = &rig,
			.first = i * depth / tasks,
			.count = depth / tasks,
		};
		pthread_create(&daemon[i].thread, NULL, daemon_run, &daemon[i]);
	}
	is(raw_start(&ctrl, rig.id, getpid()), 0, "START_DEV");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0,
		 (uintptr_t)rig.queue[0].data) < 0, true,
	   "COMMIT of another task is refused");
	if (rig_open_disk(&rig) >= 0) {
		atomic_store(&daemons_have, 0);
		atomic_store(&daemons_wait_for, depth);
		for (unsigned int i = 0; i < depth; i++)
			job_start(&job[i], IO_READ, rig.disk, data + i * 4096,
				  4096, i * 16384);
		for (unsigned int i = 0; i < depth; i++) {
			is(job_end(&job[i]), 4096, "a reader's bytes");
			if (data[i * 4096] <= 4 &&
			    all_bytes(data + i * 4096, 4096, data[i * 4096]))
				answered[(int)data[i * 4096]]++;
		}
		for (unsigned int i = 0; i < tasks; i++)
			is(answered[i + 1], depth / tasks,
			   "a task answered as many as it has tags");
		rig_close_disk(&rig);
	}
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	for (unsigned int i = 0; i < tasks; i++) {
		step("the tasks end");
		pthread_join(daemon[i].thread, NULL);
		is(daemon[i].err, -ENODEV, "a task's commands came back");
		is(daemon[i].foreign, 0, "it saw its own tags only");
	}
down:
	rig_down(&rig);
	munmap(data, depth * 4096);
}

static void test_per_io_daemon(void)
{
	daemons(4);
}

static void test_per_io_two(void)
{
	daemons(2);
}

/*
 * Makes an io_uring worker issue the last prepared command. Nobody requests
 * that, but a command in a chain of SQEs may be issued so.
 */
static void by_worker(struct raw_queue *queue)
{
	struct io_uring_sq *sq = &queue->ring.sq;
	unsigned int last = (sq->sqe_tail - 1) & sq->ring_mask;

	sq->sqes[last << 1].flags |= IOSQE_ASYNC;	/* SQEs of 128 bytes */
}

#define ASYNC_TAGS	4

/* The queue's task is the one that submits, whoever issues its commands. */
static void async_reads(struct rig *rig, char *data)
{
	struct raw_queue *queue = &rig->queue[0];
	struct job job[ASYNC_TAGS];
	unsigned int tags = 0, i;

	job_start(job, IO_READ, rig->disk, data, 4096, 8192);
	delivered(rig, UBLK_IO_OP_READ, 16, 8, "READ");
	is(of_stranger(rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, rig->done.tag),
	   -EINVAL, "COMMIT of another task");
	fill(rig_data(rig, 0), 4096, 1);
	commit(rig, 4096);
	is(job_end(job), 4096, "COMMIT ends it");
	ok(holds(data, 4096, 1, 0), "with its data");

	job_start(job, IO_READ, rig->disk, data, 4096, 16384);
	delivered(rig, UBLK_IO_OP_READ, 32, 8, "the next READ");
	fill(rig_data(rig, 0), 4096, 2);
	raw_commit(queue, rig->done.tag, 4096);
	by_worker(queue);
	raw_submit(queue);
	is(job_end(job), 4096, "COMMIT by a worker ends it");
	ok(holds(data, 4096, 2, 0), "with its data");

	for (i = 0; i < ASYNC_TAGS; i++)
		job_start(&job[i], IO_READ, rig->disk, data + i * 4096, 4096,
			  i * 16384);
	for (i = 0; i < ASYNC_TAGS && !rig_next(rig, 0, IO_MS); i++) {
		tags |= 1 << rig->done.tag;
		fill(rig_data(rig, 0), 4096,
		     10 + rig_desc(rig, 0)->start_sector / 32);
	}
	is(tags, (1 << ASYNC_TAGS) - 1, "a READ for each tag");
	for (i = 0; i < ASYNC_TAGS; i++) {
		raw_commit(queue, i, 4096);
		by_worker(queue);
	}
	raw_submit(queue);
	for (i = 0; i < ASYNC_TAGS; i++) {
		is(job_end(&job[i]), 4096, "COMMIT by a worker ends each");
		ok(holds(data + i * 4096, 4096, 10 + i, 0), "with its data");
	}
}

static void test_async(void)
{
	char *data = pages(ASYNC_TAGS * 4096);
	struct rig rig;
	int ret;

	if (!ours && kernel < 607) {
		skip("all", "Linux's driver knows of it since 6.7");
		return;
	}
	if (!rig_add(&rig, 0, 1, ASYNC_TAGS))
		return;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (!rig_server(&rig))
		goto down;
	for (unsigned int tag = 0; tag < ASYNC_TAGS; tag++) {
		raw_fetch(&rig.queue[0], tag);
		by_worker(&rig.queue[0]);
	}
	is(rig_next(&rig, 0, QUIET_MS), -ETIME, "FETCH by a worker is held");
	ret = rig_start(&rig);
	if (ret == -ETIME) {
		raw_ctrl_cancel(&ctrl);
		raw_ctrl_answer(&ctrl, IO_MS);
	}
	is(ret, 0, "START_DEV");
	if (!ret && ok(rig_open_disk(&rig) >= 0, "open /dev/ublkbN"))
		async_reads(&rig, data);
down:
	rig_down(&rig);
	munmap(data, ASYNC_TAGS * 4096);
}

const struct group task_groups[] = {
	{ "queues", test_queues, 0 },
	{ "async", test_async, 0 },
	{ "per-io-daemon", test_per_io_daemon, UBLK_F_PER_IO_DAEMON },
	{ "per-io-two", test_per_io_two, UBLK_F_PER_IO_DAEMON },
	{ NULL, NULL, 0 },
};
