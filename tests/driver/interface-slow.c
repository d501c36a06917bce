// SPDX-License-Identifier: GPL-2.0
/*
 * Slow servers in the interface test: one whose buffer is not in memory when a
 * WRITE is copied to it, and one that never answers. The buffer is a mapping of
 * a second disk, so that the test decides when and how the page fault ends, on
 * every kernel.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* A disk, and a server of another disk whose buffer is on it. */
struct pair {
	struct rig below;	/* served by this process, step by step */
	struct rig above;	/* served by the child */
	pid_t child;
	bool reading;		/* the lower one still has to answer */
};

/* The child: fetches all tags and does nothing more. */
static void __attribute__((noreturn)) child_serves(struct pair *pair,
						   int ready_fd)
{
	struct rig *rig = &pair->above;
	const size_t bytes = rig->info.queue_depth * MAX_IO;
	char node[32];
	int fd;

	snprintf(node, sizeof(node), "/dev/ublkb%d", pair->below.id);
	fd = open(node, O_RDWR);
	if (fd < 0 || raw_ctrl_open(&ctrl) || !rig_server(rig))
		_exit(1);
	rig->queue[0].data = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);
	if (rig->queue[0].data == MAP_FAILED)
		_exit(1);
	rig_fetch_all(rig);
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		rig_next(rig, 0, IO_MS);
}

static bool pair_begin(struct pair *pair, uint64_t flags)
{
	struct rig *rig = &pair->above;
	int ready[2];
	char byte;

	rig->id = -1;
	pair->child = 0;
	if (!rig_begin(&pair->below, 0, 1, 4) || !rig_add(rig, flags, 1, 1) ||
	    raw_set_params(&ctrl, rig->id, &rig->params) || pipe(ready))
		return ok(false, "two devices");
	step("a server of the second, in a process of its own");
	pair->child = fork();
	if (!pair->child)
		child_serves(pair, ready[1]);
	close(ready[1]);
	ok(read(ready[0], &byte, 1) == 1, "it has fetched everything");
	close(ready[0]);
	return is(raw_start(&ctrl, rig->id, pair->child), 0, "START_DEV") &&
	       ok(rig_open_disk(rig) >= 0, "open /dev/ublkbN");
}

static void pair_kill(struct pair *pair)
{
	if (pair->child <= 0)
		return;
	kill(pair->child, SIGKILL);
	waitpid(pair->child, NULL, 0);
	pair->child = 0;
}

static void pair_end(struct pair *pair)
{
	pair_kill(pair);
	rig_down(&pair->above);
	if (pair->reading)
		commit(&pair->below, rig_bytes(&pair->below, 0));
	rig_serve_rest(&pair->below);
	rig_down(&pair->below);
}

/* A WRITE on its way to the server, which causes a page fault. */
static bool pair_faults(struct pair *pair, struct job *job, char *data)
{
	fill(data, 4096, 7);
	job_start(job, IO_WRITE, pair->above.disk, data, 4096, 8192);
	pair->reading = is(rig_next(&pair->below, 0, IO_MS), 0,
			   "the server's buffer is being read");
	return pair->reading;
}

/*
 * The server is killed during that fault and has never seen the WRITE: the next
 * server gets it, in every form of recovery that waits.
 */
static void killed_faulting(uint64_t flags)
{
	char *data = pages(4096);
	struct pair pair = { 0 };
	struct job job;

	if (!pair_begin(&pair, UBLK_F_USER_RECOVERY | flags) ||
	    !pair_faults(&pair, &job, data))
		goto end;
	step("kill the server");
	pair_kill(&pair);
	ok(job_waits(&job), "the WRITE waits for the next server");
	rig_becomes(&pair.above, UBLK_S_DEV_QUIESCED, "the device waits");
	if (!rig_recovered(&pair.above))
		goto end;
	delivered(&pair.above, UBLK_IO_OP_WRITE, 16, 8, "that one gets it");
	ok(holds(rig_data(&pair.above, 0), 4096, 7, 0), "its data");
	commit(&pair.above, 4096);
	is(job_end(&job), 4096, "it ends well");
end:
	pair_end(&pair);
	munmap(data, 4096);
}

static void test_killed_faulting(void)
{
	killed_faulting(0);
}

static void test_killed_faulting_reissue(void)
{
	killed_faulting(UBLK_F_USER_RECOVERY_REISSUE);
}

/* A buffer that cannot be read is an error of that WRITE only. */
static void test_quiesce_faulting(void)
{
	char *data = pages(4096);
	struct pair pair = { 0 };
	struct job job;
	int ret;

	if (unanswered("it waits for the WRITE"))
		goto unmap;
	if (!pair_begin(&pair, UBLK_F_USER_RECOVERY | UBLK_F_QUIESCE) ||
	    !pair_faults(&pair, &job, data))
		goto end;
	is(raw_command_send(&ctrl, UBLK_U_CMD_QUIESCE_DEV, pair.above.id, 0),
	   0, "QUIESCE_DEV without a limit");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits for the WRITE");
	step("the buffer cannot be read");
	pair.reading = false;
	do {
		commit(&pair.below, -EIO);
		ret = rig_next(&pair.below, 0, QUIET_MS);
	} while (!ret);
	is(job_end(&job), -EIO, "the WRITE fails");
	is(raw_ctrl_answer(&ctrl, IO_MS), 0, "QUIESCE_DEV is done then");
	pair_kill(&pair);
	rig_becomes(&pair.above, UBLK_S_DEV_QUIESCED, "the device is QUIESCED");
end:
	pair_end(&pair);
unmap:
	munmap(data, 4096);
}

/*
 * However many STOP_DEVs were sent and interrupted while the server does not
 * answer, its death is noticed and ends everything.
 */
static void test_stops_interrupted(void)
{
	enum { STOPS = 600 };	/* more than a workqueue of Linux has workers */
	char *data = pages(4096);
	struct rig rig;
	struct job job;
	int wrong = 0, ret;

	if (!ours) {
		skip("all", "STOP_DEV cannot be interrupted there");
		return;
	}
	if (!rig_begin(&rig, 0, 1, 1))
		return;
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), 0, "a READ that is never answered");
	step("600 STOP_DEVs, each interrupted");
	for (int i = 0; i < STOPS; i++) {
		if (raw_command_send(&ctrl, UBLK_U_CMD_STOP_DEV, rig.id, 0))
			wrong++;
		raw_ctrl_answer(&ctrl, 1);
		raw_ctrl_cancel(&ctrl);
		/* the second one: interrupted before it began */
		ret = raw_ctrl_answer(&ctrl, IO_MS);
		if (ret != -EINTR && ret != -ECANCELED)
			wrong++;
	}
	is(wrong, 0, "600 STOP_DEVs are interrupted");
	rig_server_dies(&rig);
	is(job_end(&job), -EIO, "the READ fails when the server dies");
	rig_becomes(&rig, UBLK_S_DEV_DEAD, "the device is DEAD");
	rig_down(&rig);
	munmap(data, 4096);
}

#define INJECTION	"/sys/kernel/debug/fail_page_alloc/"

/* A file of the kernel's fault injection, which only debug kernels have. */
static int injection_set(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY), err = 0;

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int injections_left(void)
{
	char text[32] = "";
	int fd = open(INJECTION "times", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	return atoi(text);
}

/* Makes @times page allocations fail, of tasks that ask for it. */
static int injection_begin(const char *times)
{
	const char *const settings[][2] = {
		{ INJECTION "task-filter", "Y" },
		{ INJECTION "probability", "100" },
		{ INJECTION "min-order", "0" },
		{ INJECTION "ignore-gfp-wait", "N" },
		{ INJECTION "ignore-gfp-highmem", "N" },
		{ INJECTION "verbose", "0" },
		{ INJECTION "times", times },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		err = err ? err : injection_set(settings[i][0], settings[i][1]);
	return err;
}

/* Writes when the allocations of its server, a sleeping thread, shall fail. */
struct starver {
	pthread_t thread;
	pid_t server;
	int disk;
	char *data;
	int err;
	long result;
};

static void *starver_run(void *arg)
{
	struct starver *starver = arg;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/make-it-fail",
		 starver->server);
	starver->err = injection_set(path, "1");
	starver->result = pwrite(starver->disk, starver->data, 4096, 8192);
	if (starver->result < 0)
		starver->result = -errno;
	return NULL;
}

/*
 * A healthy server whose buffer has no memory for a moment: the WRITE comes
 * when there is memory, and nobody sees an error.
 */
static void test_no_memory(void)
{
	struct starver starver = { .data = pages(4096), .server = gettid() };
	struct rig rig;
	int left;

	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (!ours || access(INJECTION "times", F_OK)) {
		skip("all", "no injection of faults, or not our driver");
		return;
	}
	if (!rig_begin(&rig, 0, 1, 1))
		return;
	is(injection_begin("3"), 0, "three allocations are to fail");
	is(madvise(rig_data(&rig, 0), MAX_IO, MADV_DONTNEED), 0,
	   "the buffer is not in memory");
	fill(starver.data, 4096, 5);
	starver.disk = rig.disk;
	pthread_create(&starver.thread, NULL, starver_run, &starver);
	/* a system call in between would deliver the WRITE */
	delivered(&rig, UBLK_IO_OP_WRITE, 16, 8, "the WRITE comes");
	left = injections_left();
	injection_set("/proc/thread-self/make-it-fail", "0");
	is(left, 0, "they have failed");
	ok(holds(rig_data(&rig, 0), 4096, 5, 0), "and it has all its data");
	commit(&rig, 4096);
	pthread_join(starver.thread, NULL);
	is(starver.err, 0, "allocations of this thread");
	is(starver.result, 4096, "it is written");
	injection_begin("0");
	rig_down(&rig);
	munmap(starver.data, 4096);
}

const struct group slow_groups[] = {
	{ "killed-faulting", test_killed_faulting,
	  UBLK_F_USER_RECOVERY | UBLK_F_NO_AUTO_PART_SCAN },
	{ "killed-faulting-reissue", test_killed_faulting_reissue,
	  UBLK_F_USER_RECOVERY_REISSUE | UBLK_F_NO_AUTO_PART_SCAN },
	{ "quiesce-faulting", test_quiesce_faulting,
	  UBLK_F_QUIESCE | UBLK_F_NO_AUTO_PART_SCAN },
	{ "stops-interrupted", test_stops_interrupted, 0 },
	{ "no-memory", test_no_memory, 0 },
	{ NULL, NULL, 0 },
};
