// SPDX-License-Identifier: GPL-2.0
/*
 * Rounds from ADD_DEV to DEL_DEV, all with the same device number. Each kind of
 * round ends its device in another way. Prints nothing unless a step fails, and
 * measures nothing: driver-reuse.sh does.
 */
#include "tests/driver/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
"Usage: reuse ROUNDS JOBS FIRST-ID QUEUES KIND...\n"
"\n"
"JOBS processes share the rounds, each under a number of its own from FIRST-ID\n"
"on. Rounds are of all kinds given, by turns:\n"
"  added      and deleted\n"
"  refused    commands that fail, and one that is cancelled\n"
"  fetched    its server dies before it is started\n"
"  stopped    after I/O\n"
"  deleted    after I/O, without a stop\n"
"  data, copy     as stopped, with NEED_GET_DATA, with USER_COPY\n"
"  killed     while a WRITE is with its server\n"
"  recovered  the same, and the next server answers it\n"
"  resized    and quiesced and recovered, where the driver offers it\n";

#define MAX_KINDS	16
#define MAX_QUEUES	16
#define DEPTH		4
#define MAX_IO		(64U << 10)
#define DISK_BYTES	(1U << 20)
#define PATIENCE_MS	RAW_PATIENCE_MS

static struct raw_ctrl ctrl;
static struct ublksrv_ctrl_dev_info device;
static unsigned int queues;
static int id;
static int number;		/* the device's */
static int cdev;
static bool dies_at_write;

__attribute__((format(printf, 2, 3), noreturn))
static void die(int err, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "reuse: round %d: ", number);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, err ? ": %s\n" : "\n", strerror(-err));
	exit(1);
}

static void need(int err, const char *what)
{
	if (err < 0)
		die(err, "%s", what);
}

static void is(int got, int want, const char *what)
{
	if (got != want)
		die(0, "%s: %d, not %d", what, got, want);
}

/* Forks a process that ends with this one. Returns 0 in that process. */
static pid_t process(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die(-errno, "fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Waits for its end. Returns the exit status, or minus the signal. */
static int ending(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die(-errno, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The server: a thread for each queue, in its own process. */

static int answer(struct raw_queue *queue, unsigned int tag)
{
	const struct ublksrv_io_desc *desc = &queue->desc[tag];
	int bytes = desc->nr_sectors << 9;
	static char zeroes[MAX_IO];
	static __thread char data[MAX_IO];
	off_t place = raw_copy_offset(queue->id, tag, 0);

	switch (ublksrv_get_op(desc)) {
	case UBLK_IO_OP_READ:
		if (queue->data)
			memset(raw_data(queue, tag), 0, bytes);
		else
			is(pwrite(cdev, zeroes, bytes, place), bytes, "pwrite");
		return bytes;
	case UBLK_IO_OP_WRITE:
		if (dies_at_write)
			kill(getpid(), SIGKILL);
		if (!queue->data)
			is(pread(cdev, data, bytes, place), bytes, "pread");
		return bytes;
	default:
		return 0;
	}
}

static void *serve_queue(void *arg)
{
	unsigned int tag, held = DEPTH;
	struct raw_queue queue;
	struct raw_done done;

	need(raw_queue_open(&queue, &ctrl, cdev, (uintptr_t)arg, DEPTH,
			    device.flags & UBLK_F_USER_COPY ? 0 : MAX_IO),
	     "queue");
	for (tag = 0; tag < DEPTH; tag++)
		raw_fetch(&queue, tag);
	need(raw_submit(&queue), "FETCH_REQ");
	while (held) {
		need(raw_reap(&queue, &done, PATIENCE_MS), "wait of a server");
		if (done.result == UBLK_IO_RES_ABORT)
			held--;
		else if (done.result == UBLK_IO_RES_NEED_GET_DATA)
			raw_get_data(&queue, done.tag);
		else if (done.result < 0)
			die(done.result, "command %#x", done.op);
		else
			raw_commit(&queue, done.tag, answer(&queue, done.tag));
	}
	raw_queue_close(&queue);
	return NULL;
}

static pid_t server(bool dies)
{
	pthread_t threads[MAX_QUEUES];
	pid_t pid = process();
	uintptr_t i;

	if (pid)
		return pid;
	dies_at_write = dies;
	cdev = raw_open_char(id, PATIENCE_MS);
	need(cdev, "/dev/ublkc");
	for (i = 0; i < queues; i++)
		if (pthread_create(&threads[i], NULL, serve_queue, (void *)i))
			die(0, "no thread");
	for (i = 0; i < queues; i++)
		pthread_join(threads[i], NULL);
	exit(0);
}

/* Uses the disk. */
static int use_disk(void)
{
	int fd = raw_open_disk(id, O_RDWR | O_DIRECT, PATIENCE_MS);
	uint64_t all[2] = { 0, DISK_BYTES };
	size_t len = 2 * MAX_IO;
	char *data;
	int err = 0;

	need(fd, "/dev/ublkb");
	data = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		die(-errno, "memory");
	if (pwrite(fd, data, len, 0) < 0 || fsync(fd) ||
	    pread(fd, data, len, len) < 0 || ioctl(fd, BLKDISCARD, all))
		err = -errno;
	munmap(data, len);
	close(fd);
	return err;
}

static void add(uint64_t flags)
{
	device = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = queues,
		.queue_depth = DEPTH,
		.max_io_buf_bytes = MAX_IO,
		.dev_id = id,
		.flags = flags | UBLK_F_URING_CMD_COMP_IN_TASK |
			 (ctrl.features & UBLK_F_CMD_IOCTL_ENCODE),
	};
	need(raw_add(&ctrl, &device), "ADD_DEV");
	is(device.nr_hw_queues, queues, "queues");
}

static void set_params(void)
{
	struct ublk_params params;

	raw_params(&params, DISK_BYTES, MAX_IO);
	need(raw_set_params(&ctrl, id, &params), "SET_PARAMS");
}

/* Adds and starts a device. Returns the pid of its server. */
static pid_t begin(uint64_t flags, bool dies)
{
	pid_t pid;

	add(flags);
	set_params();
	pid = server(dies);
	need(raw_start(&ctrl, id, pid), "START_DEV");
	return pid;
}

static void delete(void)
{
	need(raw_del(&ctrl, id), "DEL_DEV");
}

static void stop_and_delete(pid_t pid)
{
	need(raw_stop(&ctrl, id), "STOP_DEV");
	is(ending(pid), 0, "end of the server");
	delete();
}

static void round_added(void)
{
	add(0);
	delete();
}

static void round_stopped_with(uint64_t flags)
{
	pid_t pid = begin(flags, false);

	need(use_disk(), "I/O");
	stop_and_delete(pid);
}

static void round_stopped(void)
{
	round_stopped_with(0);
}

static void round_data(void)
{
	round_stopped_with(UBLK_F_NEED_GET_DATA);
}

static void round_copy(void)
{
	round_stopped_with(UBLK_F_USER_COPY);
}

static void round_deleted(void)
{
	pid_t pid = begin(0, false);

	need(use_disk(), "I/O");
	delete();
	is(ending(pid), 0, "end of the server");
}

static void round_killed(void)
{
	pid_t pid = begin(0, true);

	is(use_disk(), -EIO, "WRITE to a dead server");
	is(ending(pid), -SIGKILL, "end of the server");
	delete();
}

/* A dead server may not be completely gone: EBUSY. */
static pid_t next_server(void)
{
	pid_t pid;
	int err;

	do {
		err = raw_start_recovery(&ctrl, id);
	} while (err == -EBUSY && !usleep(1000));
	need(err, "START_USER_RECOVERY");
	pid = server(false);
	need(raw_end_recovery(&ctrl, id, pid), "END_USER_RECOVERY");
	return pid;
}

static void round_recovered(void)
{
	pid_t first = begin(UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE,
			    true);
	pid_t user = process(), next;

	if (!user)
		_exit(-use_disk());
	is(ending(first), -SIGKILL, "end of the server");
	next = next_server();
	is(ending(user), 0, "I/O");
	stop_and_delete(next);
}

static void round_resized(void)
{
	pid_t first, next;

	first = begin(UBLK_F_USER_RECOVERY | UBLK_F_QUIESCE, false);
	need(raw_update_size(&ctrl, id, 2 * DISK_BYTES >> 9), "UPDATE_SIZE");
	need(raw_quiesce(&ctrl, id, PATIENCE_MS), "QUIESCE_DEV");
	is(ending(first), 0, "end of the quiesced server");
	next = next_server();
	need(use_disk(), "I/O");
	stop_and_delete(next);
}

static void round_fetched(void)
{
	struct raw_queue queue;
	unsigned int i, tag;
	pid_t pid;

	add(0);
	set_params();
	pid = process();
	if (!pid) {
		cdev = raw_open_char(id, PATIENCE_MS);
		need(cdev, "/dev/ublkc");
		for (i = 0; i < queues; i++) {
			need(raw_queue_open(&queue, &ctrl, cdev, i, DEPTH,
					    MAX_IO), "queue");
			for (tag = 0; tag < DEPTH; tag++)
				raw_fetch(&queue, tag);
			need(raw_submit(&queue), "FETCH_REQ");
		}
		kill(getpid(), SIGKILL);
	}
	is(ending(pid), -SIGKILL, "end of the server");
	delete();
}

static void round_refused(void)
{
	struct ublksrv_ctrl_dev_info again, *unwritable;
	struct ublk_params params;
	int err;

	add(0);
	again = device;
	is(raw_add(&ctrl, &again), -EEXIST, "ADD_DEV twice");
	raw_params(&params, DISK_BYTES, MAX_IO);
	params.basic.logical_bs_shift = 1;
	is(raw_set_params(&ctrl, id, &params), -EINVAL, "wrong SET_PARAMS");
	is(raw_start(&ctrl, id, getpid()), -EINVAL, "START_DEV without");
	set_params();
	need(raw_start_send(&ctrl, id, getpid()), "START_DEV");
	is(raw_ctrl_answer(&ctrl, 2), -ETIME, "START_DEV without a server");
	need(raw_ctrl_cancel(&ctrl), "cancel");
	err = raw_ctrl_answer(&ctrl, PATIENCE_MS);
	if (err != -EINTR && err != -ECANCELED)
		die(err, "cancelled START_DEV");
	delete();

	again.queue_depth = 0;
	is(raw_add(&ctrl, &again), -EINVAL, "ADD_DEV without tags");
	again.queue_depth = DEPTH;
	unwritable = mmap(NULL, sizeof(again), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*unwritable = again;
	mprotect(unwritable, sizeof(again), PROT_READ);
	is(raw_add(&ctrl, unwritable), -EFAULT, "ADD_DEV without an answer");
	munmap(unwritable, sizeof(again));
	is(raw_info(&ctrl, id, &again), -ENODEV, "its device");
}

static const struct kind {
	const char *name;
	void (*round)(void);
} kinds[] = {
	{ "added", round_added }, { "refused", round_refused },
	{ "fetched", round_fetched }, { "stopped", round_stopped },
	{ "deleted", round_deleted }, { "data", round_data },
	{ "copy", round_copy }, { "killed", round_killed },
	{ "recovered", round_recovered }, { "resized", round_resized },
};

static const struct kind *kind_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fputs(usage, stderr);
	exit(2);
}

int main(int argc, char *argv[])
{
	const struct kind *turn[MAX_KINDS];
	int rounds, jobs, job, i, n = argc - 5, failed = 0;

	if (n < 1 || n > MAX_KINDS) {
		fputs(usage, stderr);
		return 2;
	}
	rounds = atoi(argv[1]);
	jobs = atoi(argv[2]);
	id = atoi(argv[3]);
	queues = atoi(argv[4]);
	if (queues < 1 || queues > MAX_QUEUES)
		die(0, "not so many queues: %u", queues);
	for (i = 0; i < n; i++)
		turn[i] = kind_of(argv[5 + i]);
	for (job = 0; job < jobs; job++) {
		if (process())
			continue;
		id += job;
		need(raw_ctrl_open(&ctrl), "/dev/ublk-control");
		for (number = job; number < rounds; number += jobs)
			turn[number % n]->round();
		return 0;
	}
	while (jobs--)
		failed |= ending(-1);
	return !!failed;
}
