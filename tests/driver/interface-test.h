/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the interface test share: checks in TAP with a guard
 * against whatever hangs, disk I/O from a second thread, and a device with a
 * server that does one step at a time. Included once, by interface.c.
 */
#ifndef TESTS_DRIVER_INTERFACE_TEST_H
#define TESTS_DRIVER_INTERFACE_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/driver/raw.h"

#define FEATURES_OF_OURS						\
	(UBLK_F_URING_CMD_COMP_IN_TASK | UBLK_F_NEED_GET_DATA |		\
	 UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE |		\
	 UBLK_F_USER_RECOVERY_FAIL_IO | UBLK_F_UNPRIVILEGED_DEV |	\
	 UBLK_F_CMD_IOCTL_ENCODE | UBLK_F_USER_COPY |			\
	 UBLK_F_UPDATE_SIZE | UBLK_F_QUIESCE | UBLK_F_PER_IO_DAEMON)

#define STEP_SECONDS	60	/* a call that takes longer hangs */
#define IO_MS		10000	/* a request that takes longer is lost */
#define QUIET_MS	300	/* how long is watched for what must not come */

#define KIB		1024UL
#define MAX_IO		(64 * KIB)
#define DISK_BYTES	(1024 * KIB)
#define ANY_ID		(-1)

/*
 * A check whose answer on Linux's driver is another one, and why. Everything
 * that is not in this table of interface.c is the same on both.
 */
struct difference {
	const char *check;
	long linux_says;
	const char *why;
};

static const struct difference *difference_of(const char *check);

static struct raw_ctrl ctrl;
static bool ours;		/* this is our driver, not Linux's */
static int kernel;		/* 612 is Linux 6.12 */

/* Checks. */

static unsigned int checks;
static unsigned int failures;
static const char *group = "";
static char current[256];	/* step under way, for the guard */
static atomic_long step_began;

static long seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Names what is done next; every check does the same with its own name. */
static void step(const char *what)
{
	snprintf(current, sizeof(current), "%s: %s", group, what);
	atomic_store(&step_began, seconds_now());
}

static void *guard_run(void *unused)
{
	(void)unused;
	for (;;) {
		usleep(200000);
		if (seconds_now() - atomic_load(&step_began) < STEP_SECONDS)
			continue;
		printf("not ok %u - %s: hangs (this step, or the one after)\n"
		       "Bail out! a step did not end\n", checks + 1, current);
		fflush(stdout);
		_exit(1);
	}
	return NULL;
}

static void guard_start(void)
{
	pthread_t thread;

	step("start");
	pthread_create(&thread, NULL, guard_run, NULL);
}

static bool report(bool good, const char *name)
{
	checks++;
	failures += !good;
	printf("%s %u - %s\n", good ? "ok" : "not ok", checks, name);
	fflush(stdout);
	return good;
}

static void note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* The check's name is "group: what". */
static bool is(long got, long want, const char *what)
{
	const struct difference *other;
	char name[256];

	step(what);
	snprintf(name, sizeof(name), "%s: %s", group, what);
	other = ours ? NULL : difference_of(name);
	if (other) {
		want = other->linux_says;
		note("Linux's driver: %s", other->why);
	}
	if (report(got == want, name))
		return true;
	note("got %ld%s%s%s, wanted %ld%s%s%s", got,
	     got < 0 ? " (" : "", got < 0 ? strerror(-got) : "",
	     got < 0 ? ")" : "", want, want < 0 ? " (" : "",
	     want < 0 ? strerror(-want) : "", want < 0 ? ")" : "");
	return false;
}

static bool ok(bool good, const char *what)
{
	return is(good, true, what);
}

static void skip(const char *what, const char *why)
{
	printf("ok %u - %s: %s # SKIP %s\n", ++checks, group, what, why);
}

/* Contents: every eight bytes tell where they belong and to whom. */

static void fill(void *to, size_t len, uint32_t seed)
{
	uint64_t *word = to;

	for (size_t i = 0; i < len / 8; i++)
		word[i] = (uint64_t)seed << 32 | i;
}

/* Do @len bytes hold what fill() wrote with @seed, from byte @from on? */
static bool holds(const void *at, size_t len, uint32_t seed, size_t from)
{
	const uint64_t *word = at;

	for (size_t i = 0; i < len / 8; i++)
		if (word[i] != ((uint64_t)seed << 32 | (i + from / 8)))
			return false;
	return true;
}

static bool all_bytes(const void *at, size_t len, unsigned char byte)
{
	const unsigned char *p = at;

	while (len--)
		if (*p++ != byte)
			return false;
	return true;
}

/* Memory of whole pages, which O_DIRECT and mprotect() want. */
static void *pages(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		puts("Bail out! no memory");
		exit(1);
	}
	return p;
}

/* Disk I/O, from a thread of its own: this one is the server. */

enum io { IO_READ, IO_WRITE, IO_WRITE_DSYNC, IO_FSYNC, IO_DISCARD,
	  IO_ZEROOUT, IO_PUNCH, IO_READAHEAD };

struct job {
	enum io io;
	int fd;
	char *data;
	size_t len;
	off_t offset;
	pthread_t thread;
	long result;
};

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

static void job_start(struct job *job, enum io io, int fd, void *data,
		      size_t len, off_t offset)
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

/* Has it not ended within QUIET_MS? */
static bool job_waits(struct job *job)
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

/* Bytes, 0, or -errno; -ETIME when it has not ended in time. */
static long job_end(struct job *job)
{
	struct timespec end;

	if (!job->thread)	/* job_waits() has seen its end */
		return job->result;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += IO_MS / 1000;
	if (pthread_timedjoin_np(job->thread, NULL, &end))
		return -ETIME;
	job->thread = 0;
	return job->result;
}

/* A device and its server, which does what the test says and nothing else. */

#define RIG_QUEUES 2

struct rig {
	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;
	int id;
	int cdev;
	int disk;
	struct raw_queue queue[RIG_QUEUES];
	struct raw_done done;	/* of the last completion */
};

/* Names a state's check "what: step" without a buffer of its own. */
static bool rig_check(long got, const char *what)
{
	return got >= 0 ? true : is(got, 0, what);
}

static size_t rig_buffers(const struct rig *rig)
{
	return rig->info.flags & UBLK_F_USER_COPY ? 0 : MAX_IO;
}

/* ADD_DEV with ordinary parameters, not set yet. */
static bool rig_add(struct rig *rig, uint64_t flags, unsigned int queues,
		    unsigned int depth)
{
	*rig = (struct rig){
		.info = {
			.nr_hw_queues = queues,
			.queue_depth = depth,
			.max_io_buf_bytes = MAX_IO,
			.dev_id = ANY_ID,
			.flags = flags,
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

/* The server comes: opens the node and maps the queues. */
static bool rig_server(struct rig *rig)
{
	step("open /dev/ublkcN and the queues");
	rig->cdev = raw_open_char(rig->id, 5000);
	if (!rig_check(rig->cdev, "open /dev/ublkcN"))
		return false;
	for (int q = 0; q < rig->info.nr_hw_queues; q++)
		if (!rig_check(raw_queue_open(&rig->queue[q], &ctrl, rig->cdev,
					      q, rig->info.queue_depth,
					      rig_buffers(rig)),
			       "open a queue"))
			return false;
	return true;
}

/* The server goes, as the kernel sees it when the process ends. */
static void rig_server_dies(struct rig *rig)
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

static void rig_fetch_all(struct rig *rig)
{
	for (int q = 0; q < rig->info.nr_hw_queues; q++) {
		for (int tag = 0; tag < rig->info.queue_depth; tag++)
			raw_fetch(&rig->queue[q], tag);
		raw_submit(&rig->queue[q]);
	}
}

/*
 * The next completion of a queue: its result, kept with the rest in
 * rig->done, or -ETIME.
 */
static int rig_next(struct rig *rig, int q, int timeout_ms)
{
	int err = raw_reap(&rig->queue[q], &rig->done, timeout_ms);

	return err ? err : rig->done.result;
}

static const struct ublksrv_io_desc *rig_desc(const struct rig *rig, int q)
{
	return &rig->queue[q].desc[rig->done.tag];
}

/* The bytes of the request delivered last. */
static size_t rig_bytes(const struct rig *rig, int q)
{
	return (size_t)rig_desc(rig, q)->nr_sectors << 9;
}

static char *rig_data(const struct rig *rig, int q)
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

/*
 * Waits for the command that ctrl sent, serving meanwhile: START_DEV reads the
 * partition table.
 */
static int rig_answer(struct rig *rig)
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

static int rig_start(struct rig *rig)
{
	int err = raw_start_send(&ctrl, rig->id, getpid());

	return err ? err : rig_answer(rig);
}

static int rig_open_disk(struct rig *rig)
{
	step("open /dev/ublkbN");
	rig->disk = raw_open_disk(rig->id, O_RDWR | O_DIRECT, 5000);
	return rig->disk;
}

/* Serves what is there, and gives up after a while without anything. */
static void rig_serve_rest(struct rig *rig)
{
	bool any;

	do {
		any = false;
		for (int q = 0; q < rig->info.nr_hw_queues; q++)
			any |= rig_serve_one(rig, q, 50);
	} while (any);
}

/* All the steps from ADD_DEV, whose device is in @rig, to the open disk. */
static bool rig_up(struct rig *rig)
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

static void rig_close_disk(struct rig *rig)
{
	step("close /dev/ublkbN");
	if (rig->disk >= 0)
		close(rig->disk);
	rig->disk = -1;
}

/* However far it came: gone, and the id is free. */
static void rig_down(struct rig *rig)
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

static bool rig_begin(struct rig *rig, uint64_t flags, unsigned int queues,
		      unsigned int depth)
{
	if (rig_add(rig, flags, queues, depth) && rig_up(rig))
		return true;
	rig_down(rig);
	return false;
}

/* Waits for a state. */
static bool rig_becomes(const struct rig *rig, int state, const char *what)
{
	int got = -1;

	step(what);
	for (int tries = 0; tries < 200; tries++) {
		got = raw_state(&ctrl, rig->id);
		if (got == state)
			break;
		usleep(20000);
	}
	return is(got, state, what);
}

#endif
