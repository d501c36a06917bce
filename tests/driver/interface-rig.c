// SPDX-License-Identifier: GPL-2.0
/*
 * The tools of the interface test: a device whose server takes one step at a
 * time, as the test says; users of its disk; and another task.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long job_do(struct job *job)
{
	struct iovec iov = { job->data, job->len };
	uint64_t range[2] = { job->offset, job->len };

	switch (job->io) {
	case IO_READ:
		return pread(job->fd, job->data, job->len, job->offset);
	case IO_WRITE:
		return pwrite(job->fd, job->data, job->len, job->offset);
	case IO_WRITE_DSYNC:
		/* musl has no pwritev2() */
		return syscall(SYS_pwritev2, job->fd, &iov, 1L,
			       (long)job->offset, 0L, RWF_DSYNC);
	case IO_FSYNC:
		return fsync(job->fd);
	case IO_DISCARD:
		return ioctl(job->fd, BLKDISCARD, range);
	case IO_ZEROOUT:
		return ioctl(job->fd, BLKZEROOUT, range);
	case IO_PUNCH:
		return fallocate(job->fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 job->offset, job->len);
	case IO_READAHEAD:
		return readahead(job->fd, job->offset, job->len);
	}
	return -1;
}

static void *job_run(void *arg)
{
	struct job *job = arg;

	job->result = job_do(job);
	if (job->result < 0)
		job->result = -errno;
	return NULL;
}

void job_start(struct job *job, enum io io, int fd, void *data, size_t len,
	       off_t offset)
{
	*job = (struct job){
		.io = io,
		.fd = fd,
		.data = data,
		.len = len,
		.offset = offset,
	};
	pthread_create(&job->thread, NULL, job_run, job);
}

bool job_waits(struct job *job)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += QUIET_MS * 1000000L;
	end.tv_sec += end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	if (pthread_timedjoin_np(job->thread, NULL, &end))
		return true;
	job->thread = 0;
	return false;
}

long job_end(struct job *job)
{
	struct timespec end;

	if (!job->thread)	/* job_waits() has joined it */
		return job->result;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += IO_MS / 1000;
	if (pthread_timedjoin_np(job->thread, NULL, &end))
		return -ETIME;
	job->thread = 0;
	return job->result;
}

/* Builds the check's name "what: step" without its own buffer. */
static bool rig_check(long got, const char *what)
{
	return got >= 0 ? true : is(got, 0, what);
}

bool rig_scans;

size_t rig_buffers(const struct rig *rig)
{
	return rig->info.flags & (UBLK_F_USER_COPY | UBLK_F_SUPPORT_ZERO_COPY |
				  UBLK_F_AUTO_BUF_REG) ? 0 : MAX_IO;
}

bool rig_add(struct rig *rig, uint64_t flags, unsigned int queues,
	     unsigned int depth)
{
	*rig = (struct rig){
		.info = {
			.nr_hw_queues = queues,
			.queue_depth = depth,
			.max_io_buf_bytes = MAX_IO,
			.dev_id = ANY_ID,
			.flags = flags |
				 (rig_scans ? 0 : UBLK_F_NO_AUTO_PART_SCAN),
		},
		.id = -1,
		.cdev = -1,
		.disk = -1,
	};
	raw_params(&rig->params, DISK_BYTES, MAX_IO);
	step("ADD_DEV");
	if (!rig_check(raw_add(&ctrl, &rig->info), "ADD_DEV"))
		return false;
	rig->id = rig->info.dev_id;
	return true;
}

bool rig_server(struct rig *rig)
{
	step("open /dev/ublkcN and the queues");
	rig->cdev = raw_open_char(rig->id, 5000);
	if (!rig_check(rig->cdev, "open /dev/ublkcN"))
		return false;
	for (int q = 0; q < rig->info.nr_hw_queues; q++)
		if (!rig_check(raw_queue_open(&rig->queue[q], &ctrl, rig->cdev,
					      q, rig->info.queue_depth,
					      rig_buffers(rig)),
			       "open a queue") ||
		    (rig->info.flags & UBLK_F_AUTO_BUF_REG &&
		     !rig_check(io_uring_register_buffers_sparse(
				&rig->queue[q].ring, LENT_BUFFERS),
				"room for pages")) ||
		    (rig->info.flags & UBLK_F_BATCH_IO &&
		     !rig_check(raw_batch_open(&rig->queue[q]),
				"buffers for tags")))
			return false;
	return true;
}

void rig_server_dies(struct rig *rig)
{
	step("the server goes");
	for (int q = 0; q < RIG_QUEUES; q++) {
		if (rig->queue[q].desc)
			raw_queue_close(&rig->queue[q]);
		rig->queue[q].desc = NULL;
	}
	if (rig->cdev >= 0)
		close(rig->cdev);
	rig->cdev = -1;
}

void rig_fetch_all(struct rig *rig)
{
	for (int q = 0; q < rig->info.nr_hw_queues; q++) {
		for (int tag = 0; tag < rig->info.queue_depth; tag++)
			raw_fetch(&rig->queue[q], tag);
		if (rig->queue[q].batch)
			raw_batch_fetch(&rig->queue[q], 0);
		raw_submit(&rig->queue[q]);
	}
}

int rig_next(struct rig *rig, int q, int timeout_ms)
{
	int err = raw_reap(&rig->queue[q], &rig->done, timeout_ms);

	return err ? err : rig->done.result;
}

const struct ublksrv_io_desc *rig_desc(const struct rig *rig, int q)
{
	return &rig->queue[q].desc[rig->done.tag];
}

size_t rig_bytes(const struct rig *rig, int q)
{
	return (size_t)rig_desc(rig, q)->nr_sectors << 9;
}

char *rig_data(const struct rig *rig, int q)
{
	return raw_data(&rig->queue[q], rig->done.tag);
}

/* Answers one request, if there is any, with success and zeroes. */
static bool rig_serve_one(struct rig *rig, int q, int timeout_ms)
{
	int result = rig_next(rig, q, timeout_ms);

	if (result == UBLK_IO_RES_NEED_GET_DATA) {
		raw_get_data(&rig->queue[q], rig->done.tag);
		raw_submit(&rig->queue[q]);
		return true;
	}
	if (result)
		return false;
	if (ublksrv_get_op(rig_desc(rig, q)) == UBLK_IO_OP_READ &&
	    rig_buffers(rig))
		memset(rig_data(rig, q), 0, rig_bytes(rig, q));
	raw_commit(&rig->queue[q], rig->done.tag, rig_bytes(rig, q));
	raw_submit(&rig->queue[q]);
	return true;
}

int rig_answer(struct rig *rig)
{
	int64_t end = seconds_now() + RAW_PATIENCE_MS / 1000;
	int ret;

	do {
		for (int q = 0; q < rig->info.nr_hw_queues; q++)
			rig_serve_one(rig, q, 5);
		ret = raw_ctrl_answer(&ctrl, 5);
	} while (ret == -ETIME && seconds_now() < end);
	return ret;
}

int rig_start(struct rig *rig)
{
	int err = raw_start_send(&ctrl, rig->id, getpid());

	return err ? err : rig_answer(rig);
}

int rig_open_disk(struct rig *rig)
{
	step("open /dev/ublkbN");
	rig->disk = raw_open_disk(rig->id, O_RDWR | O_DIRECT, 5000);
	return rig->disk;
}

void rig_serve_rest(struct rig *rig)
{
	bool any;

	do {
		any = false;
		for (int q = 0; q < rig->info.nr_hw_queues; q++)
			any |= rig_serve_one(rig, q, 50);
	} while (any);
}

bool rig_up(struct rig *rig)
{
	step("SET_PARAMS");
	if (!rig_check(raw_set_params(&ctrl, rig->id, &rig->params),
		       "SET_PARAMS") || !rig_server(rig))
		return false;
	rig_fetch_all(rig);
	step("START_DEV");
	return rig_check(rig_start(rig), "START_DEV") &&
	       rig_check(rig_open_disk(rig), "open /dev/ublkbN");
}

void rig_close_disk(struct rig *rig)
{
	step("close /dev/ublkbN");
	if (rig->disk >= 0)
		close(rig->disk);
	rig->disk = -1;
}

void rig_down(struct rig *rig)
{
	rig_close_disk(rig);
	if (rig->id < 0)
		return;
	step("STOP_DEV at the end");
	rig_check(raw_stop(&ctrl, rig->id), "STOP_DEV at the end");
	rig_server_dies(rig);
	step("DEL_DEV at the end");
	rig_check(raw_del(&ctrl, rig->id), "DEL_DEV at the end");
	rig->id = -1;
}

bool rig_begin(struct rig *rig, uint64_t flags, unsigned int queues,
	       unsigned int depth)
{
	if (rig_add(rig, flags, queues, depth) && rig_up(rig))
		return true;
	rig_down(rig);
	return false;
}

/*
 * The kernel destroys a closed ring some time later, and until then the node
 * may still be open: EBUSY for a moment.
 */
int rig_start_recovery(const struct rig *rig)
{
	int ret = -EBUSY;

	for (int tries = 0; ret == -EBUSY && tries < 200; tries++) {
		usleep(tries ? 20000 : 0);
		ret = raw_start_recovery(&ctrl, rig->id);
	}
	return ret;
}

/*
 * As ublksrv does: it opens the node and closes it, to see that udev is done
 * with it, before it opens it as the server.
 */
static bool rig_looked_at(const struct rig *rig)
{
	int cdev;

	step("open and close /dev/ublkcN");
	cdev = raw_open_char(rig->id, 5000);
	if (cdev >= 0)
		close(cdev);
	return ok(cdev >= 0, "the node is looked at meanwhile");
}

bool rig_recovered(struct rig *rig)
{
	if (!is(rig_start_recovery(rig), 0, "START_USER_RECOVERY") ||
	    !rig_looked_at(rig) || !rig_server(rig))
		return false;
	is(raw_end_recovery_send(&ctrl, rig->id, getpid()), 0,
	   "END_USER_RECOVERY");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits for the tags");
	rig_fetch_all(rig);
	return is(raw_ctrl_answer(&ctrl, IO_MS), 0, "and ends then");
}

bool rig_becomes(const struct rig *rig, int state, const char *what)
{
	/* 4 s; Linux 6.1 looks for dead servers every 5 s */
	int tries = ours || kernel >= 612 ? 200 : 500;
	int got = -1;

	step(what);
	while (tries--) {
		got = raw_state(&ctrl, rig->id);
		if (got == state)
			break;
		usleep(20000);
	}
	return is(got, state, what);
}

bool delivered(struct rig *rig, uint32_t op_flags, uint64_t sector,
	       uint32_t sectors, const char *what)
{
	const struct ublksrv_io_desc *desc;
	int result = rig_next(rig, 0, IO_MS);

	if (result)
		return is(result, 0, what);
	desc = rig_desc(rig, 0);
	if (ublksrv_get_op(desc) == UBLK_IO_OP_FLUSH)
		sector = desc->start_sector;	/* has no meaning */
	if (ok(desc->op_flags == op_flags && desc->nr_sectors == sectors &&
	       desc->start_sector == sector, what))
		return true;
	note("flags %#x, %u sectors at %llu, wanted %#x, %u at %llu",
	     desc->op_flags, desc->nr_sectors,
	     (unsigned long long)desc->start_sector, op_flags, sectors,
	     (unsigned long long)sector);
	return false;
}

void commit(struct rig *rig, int result)
{
	raw_commit(&rig->queue[0], rig->done.tag, result);
	raw_submit(&rig->queue[0]);
}

int wrong(struct rig *rig, uint32_t op, unsigned int q_id, unsigned int tag,
	  uint64_t addr)
{
	struct raw_done done;
	int err;

	raw_io(&rig->queue[0], op, q_id, tag, 0, addr);
	err = raw_reap(&rig->queue[0], &done, QUIET_MS);
	return err ? err : done.result;
}

bool refused(int result)
{
	return result == -EINVAL || result == -EBUSY;
}

/* A command from a thread other than the queue's. */
struct stranger {
	struct rig *rig;
	uint32_t op;
	unsigned int tag;
	int result;
};

static void *stranger_run(void *arg)
{
	struct stranger *stranger = arg;
	struct rig *rig = stranger->rig;
	struct raw_queue queue;
	struct raw_done done;
	int err;

	err = raw_queue_open(&queue, &ctrl, rig->cdev, 0,
			     rig->info.queue_depth, rig_buffers(rig));
	if (!err) {
		raw_io(&queue, stranger->op, 0, stranger->tag, 4096,
		       (uintptr_t)queue.data);
		err = raw_reap(&queue, &done, QUIET_MS);
		raw_queue_close(&queue);
	}
	stranger->result = err ? err : done.result;
	return NULL;
}

int of_stranger(struct rig *rig, uint32_t op, unsigned int tag)
{
	struct stranger stranger = { .rig = rig, .op = op, .tag = tag };
	pthread_t thread;

	pthread_create(&thread, NULL, stranger_run, &stranger);
	pthread_join(thread, NULL);
	return stranger.result;
}

void rig_child_tell(int news)
{
	if (write(news, "", 1) != 1)
		_exit(1);
}

bool rig_child_step(struct rig_child *child, const char *what)
{
	char byte;

	return is(read(child->news, &byte, 1), 1, what);
}

bool rig_child_begin(struct rig *rig, struct rig_child *child,
		     void (*serve)(void *arg, int news), void *arg)
{
	int news[2];

	*child = (struct rig_child){ .news = -1 };
	if (!is(raw_set_params(&ctrl, rig->id, &rig->params), 0,
		"SET_PARAMS") || pipe(news))
		return false;
	child->pid = fork();
	if (!child->pid) {
		serve(arg, news[1]);
		_exit(1);
	}
	close(news[1]);
	child->news = news[0];
	return rig_child_step(child, "a server in a process of its own") &&
	       is(raw_start(&ctrl, rig->id, child->pid), 0, "START_DEV") &&
	       ok(rig_open_disk(rig) >= 0, "open /dev/ublkbN");
}

void rig_child_kill(struct rig_child *child)
{
	step("kill the server");
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	child->pid = 0;
}

void rig_child_end(struct rig_child *child)
{
	rig_child_kill(child);
	if (child->news >= 0)
		close(child->news);
}

void rig_queues_deliver(uint64_t flags)
{
	char *data = pages(4096);
	cpu_set_t cpus, all;
	struct rig rig;
	struct job job;

	if (!rig_begin(&rig, flags, RIG_QUEUES, 2))
		return;
	sched_getaffinity(0, sizeof(all), &all);
	for (int q = 0; q < rig.info.nr_hw_queues; q++) {
		unsigned long set[16 / sizeof(long)] = { 0 };

		raw_command(&ctrl, UBLK_U_CMD_GET_QUEUE_AFFINITY, rig.id, set,
			    sizeof(set), q);
		CPU_ZERO(&cpus);
		for (unsigned int cpu = 0; cpu < 8 * sizeof(long); cpu++)
			if (set[0] >> cpu & 1)
				CPU_SET(cpu, &cpus);
		is(sched_setaffinity(0, sizeof(cpus), &cpus), 0,
		   "be on a queue's processors");
		job_start(&job, IO_READ, rig.disk, data, 4096, 0);
		is(rig_next(&rig, q, IO_MS), 0, "that queue delivers");
		sched_setaffinity(0, sizeof(all), &all);
		fill(rig_data(&rig, q), 4096, 10 + q);
		raw_commit(&rig.queue[q], rig.done.tag, 4096);
		raw_submit(&rig.queue[q]);
		is(job_end(&job), 4096, "its reader's bytes");
		ok(holds(data, 4096, 10 + q, 0), "its reader's data");
	}
	rig_down(&rig);
	munmap(data, 4096);
}
