// SPDX-License-Identifier: GPL-2.0
/*
 * Servers with BATCH_IO in the interface test: with several tasks or queues,
 * with the other ways to transfer data, of ordinary users, and servers that
 * stop or are killed when they have fetched some of the requests.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH		UBLK_F_BATCH_IO
#define RECOVERS	UBLK_F_USER_RECOVERY
#define REISSUES	(UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE)

/* Each queue has its own tags and FETCHes. */
static void test_batch_queues(void)
{
	rig_queues_deliver(BATCH);
}

/* A second task of a server, which also fetches from queue 0. */
struct task {
	struct rig *rig;
	pthread_t thread;
	int orders[2], news[2];	/* a byte for each step */
	struct raw_queue queue;
	struct raw_done done;
	int err;
};

static bool task_waits(struct task *task)
{
	char byte;

	return read(task->orders[0], &byte, 1) == 1;
}

static void task_tells(struct task *task)
{
	if (write(task->news[1], "", 1) != 1)
		note("nobody hears of a task");
}

/*
 * Fetches, gets a request that the main task answers, and ends with its ring.
 */
static void *task_run(void *arg)
{
	struct task *task = arg;

	task->err = raw_queue_open(&task->queue, &ctrl, task->rig->cdev, 0,
				   task->rig->info.queue_depth,
				   rig_buffers(task->rig)) ?:
		    raw_batch_open(&task->queue);
	if (!task->err) {
		raw_batch_fetch(&task->queue, 0);
		task->err = raw_submit(&task->queue);
	}
	task_tells(task);
	if (!task->err)
		task->err = raw_reap(&task->queue, &task->done, IO_MS);
	task_tells(task);
	task_waits(task);
	raw_queue_close(&task->queue);
	return NULL;
}

static bool task_step(struct task *task, const char *what)
{
	char byte;

	return is(read(task->news[0], &byte, 1), 1, what) &&
	       is(task->err, 0, "it is well");
}

static bool task_begin(struct task *task, struct rig *rig)
{
	*task = (struct task){ .rig = rig };
	if (pipe(task->orders) || pipe(task->news))
		return false;
	pthread_create(&task->thread, NULL, task_run, task);
	return task_step(task, "another task fetches");
}

static void task_end(struct task *task)
{
	if (write(task->orders[1], "", 1) == 1)
		pthread_join(task->thread, NULL);
	for (int i = 0; i < 2; i++) {
		close(task->orders[i]);
		close(task->news[i]);
	}
}

/*
 * Both tasks have a FETCH. When the first one's FETCH ends for lack of buffers,
 * the other one gets the request. Any task may answer it.
 */
static void test_batch_tasks(void)
{
	char *data = pages(2 * 4096);
	struct task task;
	struct job job;
	struct rig rig;

	if (unanswered("the other one gets the WRITE"))
		return;
	if (!rig_add(&rig, BATCH, 1, 4) ||
	    !is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS") ||
	    !rig_server(&rig))
		goto down;
	for (int tag = 0; tag < 4; tag++)
		raw_fetch(&rig.queue[0], tag);
	raw_batch_fetch(&rig.queue[0], 9);
	raw_submit(&rig.queue[0]);
	if (!task_begin(&task, &rig))
		goto down;
	is(rig_start(&rig), 0, "START_DEV");
	if (!ok(rig_open_disk(&rig) >= 0, "open /dev/ublkbN"))
		goto down;
	fill(data, 4096, 3);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), -ENOBUFS, "the first has no buffer");
	task_step(&task, "the other one gets the WRITE");
	is(task.done.result, UBLK_IO_RES_OK, "as a request");
	rig.done.tag = task.done.tag;
	ok(holds(rig_data(&rig, 0), 4096, 3, 0),
	   "its data is where PREP has said");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "the first one answers it");
	raw_batch_fetch(&rig.queue[0], 0);
	is(rig_next(&rig, 0, QUIET_MS), -ETIME, "it fetches again");
	task_end(&task);
	rig_close_disk(&rig);
	rig_becomes(&rig, UBLK_S_DEV_DEAD,
		    "when a ring goes that has fetched, the device does");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "and the other FETCH comes back");
	rig_down(&rig);
	munmap(data, 2 * 4096);
	return;
down:
	rig_down(&rig);
	munmap(data, 2 * 4096);
}

static void test_batch_user_copy(void)
{
	char *data = pages(4096), *copy = pages(4096);
	struct job job;
	struct rig rig;

	if (!rig_begin(&rig, BATCH | UBLK_F_USER_COPY, 1, 2))
		return;
	fill(data, 4096, 4);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(pread(rig.cdev, copy, 4096, raw_copy_offset(0, rig.done.tag, 0)),
	   4096, "its data is read");
	ok(holds(copy, 4096, 4, 0), "as it is");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "it ends");
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "READ");
	fill(copy, 4096, 5);
	is(pwrite(rig.cdev, copy, 4096, raw_copy_offset(0, rig.done.tag, 0)),
	   4096, "its data is written");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "READ ends");
	ok(holds(data, 4096, 5, 0), "with that");
	rig_down(&rig);
	munmap(data, 4096);
	munmap(copy, 4096);
}

static void test_batch_lent(void)
{
	char *data = pages(4096);
	struct raw_queue *queue;
	struct job job;
	struct rig rig;
	int fd = memfd_create("batch", 0);

	if (!rig_begin(&rig, BATCH | UBLK_F_SUPPORT_ZERO_COPY, 1, 2))
		return;
	queue = &rig.queue[0];
	takes_pages(&queue->ring);
	is(lend(queue, UBLK_U_IO_REGISTER_IO_BUF, 0, 0, 0), -EINVAL,
	   "REGISTER of a tag that has no request");
	fill(data, 4096, 6);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(lend(queue, UBLK_U_IO_REGISTER_IO_BUF, 0, rig.done.tag, 1), 0,
	   "REGISTER");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 1), 4096,
	   "its pages are written to a file");
	commit(&rig, 4096);
	ok(job_waits(&job), "committed, it waits for its pages");
	is(lend(queue, UBLK_U_IO_UNREGISTER_IO_BUF, 0, 0, 1), 0, "UNREGISTER");
	is(job_end(&job), 4096, "it ends");
	memset(data, 0, 4096);
	is(pread(fd, data, 4096, 0), 4096, "the file");
	ok(holds(data, 4096, 6, 0), "has its data");
	rig_down(&rig);
	close(fd);
	munmap(data, 4096);
}

/*
 * Everything up to an open disk; the pages of tag 0's first request go to
 * buffer @index.
 */
static bool auto_begin(struct rig *rig, unsigned int index, bool fallback)
{
	struct ublk_batch_io body = {
		.nr_elem = 1,
		.flags = fallback ? UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK : 0,
		.elem_bytes = sizeof(struct ublk_elem_header),
	};
	const struct ublk_elem_header header = { .buf_index = index };

	rig->id = -1;
	rig->disk = -1;
	if (unanswered("one tag") ||
	    !rig_add(rig, BATCH | UBLK_F_AUTO_BUF_REG, 1, 1) ||
	    !is(raw_set_params(&ctrl, rig->id, &rig->params), 0,
		"SET_PARAMS") || !rig_server(rig))
		return false;
	body.flags ^= UBLK_BATCH_F_HAS_BUF_ADDR;
	is(raw_batch_call(&rig->queue[0], UBLK_U_IO_PREP_IO_CMDS, &body,
			  &header), -EINVAL, "PREP with addresses");
	body.flags ^= UBLK_BATCH_F_HAS_BUF_ADDR;
	is(raw_batch_call(&rig->queue[0], UBLK_U_IO_PREP_IO_CMDS, &body,
			  &header), 0, "PREP");
	raw_batch_fetch(&rig->queue[0], 0);
	raw_submit(&rig->queue[0]);
	return is(rig_start(rig), 0, "START_DEV") &&
	       ok(rig_open_disk(rig) >= 0, "open /dev/ublkbN");
}

/* A COMMIT whose own completion is consumed; sets the next request's buffer. */
static void commit_at(struct rig *rig, int result, unsigned int index)
{
	const struct raw_elem elem = {
		.header = {
			.tag = rig->done.tag,
			.buf_index = index,
			.result = result,
		},
	};

	is(raw_batch_send(&rig->queue[0], UBLK_U_IO_COMMIT_IO_CMDS, &elem, 1),
	   sizeof(elem.header), "COMMIT");
}

static void test_batch_auto(void)
{
	char *data = pages(4096);
	struct raw_queue *queue;
	struct job job;
	struct rig rig;
	int fd = memfd_create("batch", 0);

	if (!auto_begin(&rig, 2, false))
		goto down;
	queue = &rig.queue[0];
	fill(data, 4096, 7);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 2), 4096,
	   "its pages are where PREP has said");
	commit_at(&rig, 4096, 3);
	is(job_end(&job), 4096, "COMMIT takes them back");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 2), -EFAULT,
	   "they are there no more");
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "READ");
	is(by_buffer(&queue->ring, true, fd, 4096, 0, 3), 4096,
	   "its pages are where COMMIT has said");
	commit_at(&rig, 4096, LENT_BUFFERS);
	is(job_end(&job), 4096, "READ ends");
	ok(holds(data, 4096, 7, 0), "with what was in the file");
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	is(job_end(&job), -EIO, "where there is no room it fails");
	is(rig_next(&rig, 0, QUIET_MS), -ETIME, "the server hears nothing");
	job_start(&job, IO_FSYNC, rig.disk, NULL, 0, 0);
	delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "FLUSH has no pages");
	commit(&rig, 0);
	is(job_end(&job), 0, "FLUSH ends");
down:
	rig_down(&rig);
	close(fd);
	munmap(data, 4096);
}

static void test_batch_fallback(void)
{
	char *data = pages(4096);
	struct job job;
	struct rig rig;

	if (auto_begin(&rig, LENT_BUFFERS, true)) {
		job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
		delivered(&rig, UBLK_IO_OP_WRITE | UBLK_IO_F_NEED_REG_BUF, 0, 8,
			  "a WRITE that is not lent");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "it ends");
	}
	rig_down(&rig);
	munmap(data, 4096);
}

/*
 * Delivery lends the pages, but then the server cannot be told. The next FETCH
 * lends them again.
 */
static void test_batch_auto_untold(void)
{
	char *data = pages(4096);
	struct raw_queue *queue;
	struct job job;
	struct rig rig;
	int fd = memfd_create("batch", 0);

	if (!auto_begin(&rig, 2, false))
		goto down;
	queue = &rig.queue[0];
	queue->batch->buffers->bufs[0].addr = place(UNMAPPED, NULL);
	fill(data, 4096, 8);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), -ENOBUFS, "a bad buffer ends the FETCH");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 2), -EFAULT,
	   "no pages are lent");
	queue->batch->buffers->bufs[0].addr =
		(uintptr_t)queue->batch->space[0];
	raw_batch_fetch(queue, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "the next one gets the WRITE");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 2), 4096,
	   "its pages are lent");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "it ends");
down:
	rig_down(&rig);
	close(fd);
	munmap(data, 4096);
}

#define USER	65534

static void test_batch_user(void)
{
	char *data = pages(4096);
	const char *before = ctrl.path;
	struct job job;
	struct rig rig;
	char path[32];

	chmod("/dev/ublk-control", 0666);
	setresuid(USER, USER, 0);
	if (!rig_add(&rig, BATCH | UBLK_F_UNPRIVILEGED_DEV, 1, 2)) {
		setresuid(0, 0, 0);
		return;
	}
	setresuid(0, 0, 0);
	snprintf(path, sizeof(path), "/dev/ublkc%d", rig.id);
	is(chown(path, USER, -1), 0, "give the node to the user");
	setresuid(USER, USER, 0);
	ctrl.path = path;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (rig_server(&rig)) {
		rig_fetch_all(&rig);
		is(rig_start(&rig), 0, "START_DEV");
	}
	setresuid(0, 0, 0);
	if (ok(rig_open_disk(&rig) >= 0, "open /dev/ublkbN")) {
		fill(data, 4096, 1);
		job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
		delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
		ok(holds(rig_data(&rig, 0), 4096, 1, 0), "with its data");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "it ends");
	}
	rig_down(&rig);
	ctrl.path = before;
	munmap(data, 4096);
}

/* QUIESCE_DEV aborts the FETCH, and the next server continues. */
static void test_batch_quiesce(void)
{
	char *data = pages(4096);
	struct job job;
	struct rig rig;

	if (!rig_begin(&rig, BATCH | RECOVERS | UBLK_F_QUIESCE, 1, 2))
		return;
	is(raw_quiesce(&ctrl, rig.id, IO_MS), 0, "QUIESCE_DEV");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "gives the FETCH back");
	raw_batch_fetch(&rig.queue[0], 0);
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "it can fetch no more");
	rig_server_dies(&rig);
	rig_becomes(&rig, UBLK_S_DEV_QUIESCED, "the device is QUIESCED");
	if (unanswered("a WRITE waits"))
		goto down;
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	ok(job_waits(&job), "a WRITE waits");
	if (rig_recovered(&rig)) {
		delivered(&rig, UBLK_IO_OP_WRITE, 0, 8,
			  "for the next server");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "and ends");
	}
down:
	rig_down(&rig);
	munmap(data, 4096);
}

/*
 * A server in its own process. It answers one request, fetches two more, and
 * then has no buffer for tags, so that nobody fetches the last one.
 */
#define FETCHED	2
#define ALL	(FETCHED + 1)

struct mortal {
	struct rig rig;
	struct rig_child server;
	bool kinds;		/* it also sends commands without BATCH_IO */
	bool leaves;		/* another process keeps its files open */
	pid_t group;		/* the server and that process */
	char *data;
	struct job job[ALL];
};

static void __attribute__((noreturn)) mortal_serves(void *arg, int news)
{
	struct mortal *m = arg;
	struct rig *rig = &m->rig;
	struct raw_queue *queue = &rig->queue[0];

	setpgid(0, 0);
	if (raw_ctrl_open(&ctrl) || !rig_server(rig))
		_exit(1);
	queue->batch->keeps = true;
	for (int i = 0; i < RAW_BUFFERS; i++)
		queue->batch->buffers->bufs[i].len =
			i <= FETCHED ? sizeof(uint16_t) : 0;
	rig_fetch_all(rig);
	rig_child_tell(news);
	if (rig_next(rig, 0, RAW_PATIENCE_MS))
		_exit(1);
	commit(rig, 4096);
	for (int i = 0; i < FETCHED; i++)
		if (rig_next(rig, 0, RAW_PATIENCE_MS))
			_exit(1);
	if (rig_next(rig, 0, RAW_PATIENCE_MS) != -ENOBUFS)
		_exit(1);
	if (m->kinds) {
		raw_batch_fetch(queue, 0);
		raw_io(queue, UBLK_U_IO_FETCH_REQ, 0, 0, 0, 4096);
		raw_io(queue, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 1, 0, 4096);
		raw_submit(queue);
	}
	if (!m->leaves || fork())
		rig_child_tell(news);
	for (;;)
		pause();
}

static bool mortal_begin(struct mortal *m, uint64_t flags)
{
	struct rig *rig = &m->rig;
	struct job job;
	bool begun;

	m->server = (struct rig_child){ .news = -1 };
	m->data = pages((1 + ALL) * 4096);
	begun = rig_add(rig, BATCH | flags, 1, 8) &&
		rig_child_begin(rig, &m->server, mortal_serves, m);
	m->group = m->server.pid;
	if (!begun)
		return false;
	job_start(&job, IO_READ, rig->disk, m->data, 4096, 0);
	is(job_end(&job), 4096, "a READ is answered");
	for (int i = 0; i < ALL; i++) {
		fill(m->data + i * 4096, 4096, i);
		job_start(&m->job[i], IO_WRITE, rig->disk,
			  m->data + i * 4096, 4096, i * 4096);
		/* one at a time, so that the last one is not fetched */
		if (!ok(job_waits(&m->job[i]), "a WRITE waits"))
			return false;
	}
	return rig_child_step(&m->server, "the server has fetched all but the last");
}

static void mortal_end(struct mortal *m)
{
	pid_t group = m->group;

	rig_child_end(&m->server);
	/* the process that keeps its files open */
	if (group > 0)
		kill(-group, SIGKILL);
	rig_down(&m->rig);
	munmap(m->data, (1 + ALL) * 4096);
}

/* The next server gets all WRITEs from @first on, with their data. */
static void mortal_succeeded(struct mortal *m, int first)
{
	struct rig *rig = &m->rig;
	bool seen[ALL] = { false };
	int good = 0;

	/* fetches with the same kind of command */
	if (!rig_recovered(rig))
		return;
	for (int i = first; i < ALL; i++) {
		unsigned int which;

		if (rig_next(rig, 0, IO_MS))
			break;
		which = rig_desc(rig, 0)->start_sector / 8;
		good += which < ALL && !seen[which] &&
			holds(rig_data(rig, 0), 4096, which, 0);
		if (which < ALL)
			seen[which] = true;
		commit(rig, 4096);
	}
	is(good, ALL - first, "the next server gets them");
	for (int i = first; i < ALL; i++)
		is(job_end(&m->job[i]), 4096, "a WRITE ends");
}

static void killed(struct mortal *m, uint64_t flags)
{
	int first = 0;

	if (!mortal_begin(m, flags))
		goto end;
	rig_child_kill(&m->server);
	if (!(flags & UBLK_F_USER_RECOVERY_REISSUE))
		for (; first < FETCHED; first++)
			is(job_end(&m->job[first]), -EIO,
			   "what it had fetched fails");
	if (!(flags & RECOVERS) ||
	    (!ours && !(flags & UBLK_F_USER_RECOVERY_REISSUE))) {
		is(job_end(&m->job[ALL - 1]), -EIO,
		   "what it had not fetched fails, too");
		first = ALL;
	} else {
		ok(job_waits(&m->job[ALL - 1]), "what it had not fetched waits");
	}
	if (flags & RECOVERS) {
		mortal_succeeded(m, first);
	} else if (!m->leaves) {
		rig_close_disk(&m->rig);
		rig_becomes(&m->rig, UBLK_S_DEV_DEAD, "the device is DEAD");
	}
end:
	mortal_end(m);
}

static void test_batch_killed(void)
{
	struct mortal m = { .kinds = false };

	killed(&m, 0);
}

static void test_batch_killed_recovery(void)
{
	struct mortal m = { .kinds = false };

	killed(&m, RECOVERS);
}

static void test_batch_killed_reissue(void)
{
	struct mortal m = { .kinds = false };

	killed(&m, REISSUES);
}

static void test_batch_killed_kinds(void)
{
	struct mortal m = { .kinds = true };

	killed(&m, REISSUES);
}

/*
 * All its commands have completed, but its files stay open: a timer is needed.
 */
static void test_batch_killed_left(void)
{
	struct mortal m = { .leaves = true };

	if (!unanswered("what it had fetched fails"))
		killed(&m, 0);
}

/* STOP_DEV and DEL_DEV of a device whose server is killed while they wait. */
static void test_batch_killed_stop(void)
{
	struct mortal m = { .kinds = false };

	if (mortal_begin(&m, REISSUES)) {
		is(raw_command_send(&ctrl, UBLK_U_CMD_STOP_DEV, m.rig.id, 0), 0,
		   "STOP_DEV");
		is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME,
		   "it waits for the server");
		rig_child_kill(&m.server);
		for (int i = 0; i < ALL; i++)
			is(job_end(&m.job[i]), -EIO, "a WRITE fails");
		is(raw_ctrl_answer(&ctrl, IO_MS), 0, "STOP_DEV ends");
	}
	mortal_end(&m);
}

const struct group batch_server_groups[] = {
	{ "batch-queues", test_batch_queues, BATCH },
	{ "batch-tasks", test_batch_tasks, BATCH },
	{ "batch-user-copy", test_batch_user_copy, BATCH },
	{ "batch-lent", test_batch_lent, BATCH | UBLK_F_SUPPORT_ZERO_COPY },
	{ "batch-auto", test_batch_auto, BATCH | UBLK_F_AUTO_BUF_REG },
	{ "batch-fallback", test_batch_fallback, BATCH | UBLK_F_AUTO_BUF_REG },
	{ "batch-auto-untold", test_batch_auto_untold,
	  BATCH | UBLK_F_AUTO_BUF_REG },
	{ "batch-user", test_batch_user, BATCH },
	{ "batch-quiesce", test_batch_quiesce, BATCH | UBLK_F_QUIESCE },
	{ "batch-killed", test_batch_killed, BATCH },
	{ "batch-killed-recovery", test_batch_killed_recovery, BATCH },
	{ "batch-killed-reissue", test_batch_killed_reissue, BATCH },
	{ "batch-killed-kinds", test_batch_killed_kinds, BATCH },
	{ "batch-killed-left", test_batch_killed_left, BATCH },
	{ "batch-killed-stop", test_batch_killed_stop, BATCH },
	{ NULL, NULL, 0 },
};
