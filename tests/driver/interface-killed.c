// SPDX-License-Identifier: GPL-2.0
/*
 * Servers that are killed while their rings have pages of a request, in the
 * interface test: also while a ring moves data between these pages and a slow
 * file, which is a second disk, served step by step. The request ends when the
 * pages have been returned, and not before; nor does the next server come.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECOVERS	UBLK_F_USER_RECOVERY
#define REISSUES	(UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE)

/* A device whose server is a process of its own and serves one request. */
struct mortal {
	struct rig rig;
	struct rig_child server;
	int slow;		/* the file it moves the data from or to, or -1 */
	bool writes;		/* to that file */
	bool commits;		/* it answers without returning the pages */
	char *data;
};

static void __attribute__((noreturn)) mortal_serves(void *arg, int news)
{
	struct mortal *m = arg;
	struct rig *rig = &m->rig;
	struct raw_queue *queue = &rig->queue[0];

	if (raw_ctrl_open(&ctrl) || !rig_server(rig) ||
	    (!(rig->info.flags & UBLK_F_AUTO_BUF_REG) &&
	     io_uring_register_buffers_sparse(&queue->ring, LENT_BUFFERS)))
		_exit(1);
	rig_fetch_all(rig);
	rig_child_tell(news);
	if (rig_next(rig, 0, RAW_PATIENCE_MS))
		_exit(1);
	if (!(rig->info.flags & UBLK_F_AUTO_BUF_REG) &&
	    lend(queue, UBLK_U_IO_REGISTER_IO_BUF, 0, rig->done.tag, 0))
		_exit(1);
	if (m->slow >= 0 &&
	    !by_buffer_send(&queue->ring, !m->writes, m->slow, 4096, 0, 0))
		_exit(1);
	if (m->commits)
		commit(rig, 4096);
	rig_child_tell(news);
	for (;;)
		pause();
}

static void mortal_end(struct mortal *m)
{
	rig_child_end(&m->server);
	rig_down(&m->rig);
	munmap(m->data, 4096);
}

/*
 * Everything up to the server that has the pages of @job, a READ or WRITE of
 * the disk, and does nothing more.
 */
static bool mortal_begin(struct mortal *m, uint64_t flags, enum io io,
			 struct job *job)
{
	struct rig *rig = &m->rig;

	m->server = (struct rig_child){ .news = -1 };
	m->data = pages(4096);
	if (!rig_add(rig, flags, 1, 1) ||
	    !rig_child_begin(rig, &m->server, mortal_serves, m))
		return false;
	fill(m->data, 4096, 1);
	job_start(job, io, rig->disk, m->data, 4096, 4096);
	return rig_child_step(&m->server, "its ring has the pages of a request");
}

/* Nobody can follow the server that is gone, even after a while. */
static void nobody_follows(const struct rig *rig, const char *what)
{
	step(what);
	usleep(QUIET_MS * 1000);
	is(raw_start_recovery(&ctrl, rig->id), -EBUSY, what);
}

/* The next server gets a READ. Without recovery, the disk is gone. */
static void mortal_after(struct mortal *m, uint64_t flags)
{
	struct rig *rig = &m->rig;
	struct job job;

	if (!(flags & RECOVERS)) {
		rig_close_disk(rig);
		rig_becomes(rig, UBLK_S_DEV_DEAD, "the device is DEAD");
		return;
	}
	job_start(&job, IO_READ, rig->disk, m->data, 4096, 0);
	delivered(rig, UBLK_IO_OP_READ, 0, 8, "the next server gets a READ");
	commit(rig, 4096);
	is(job_end(&job), 4096, "it ends");
}

static void killed(uint64_t flags, bool commits)
{
	struct mortal m = { .slow = -1, .commits = commits };
	struct job job;

	if (commits && unanswered("the WRITE ends as it was committed"))
		return;
	if (!mortal_begin(&m, flags, IO_WRITE, &job))
		goto end;
	if (commits && !(flags & UBLK_F_AUTO_BUF_REG))
		ok(job_waits(&job), "it is committed, and waits for the pages");
	rig_child_kill(&m.server);
	if (commits)
		is(job_end(&job), 4096, "the WRITE ends as it was committed");
	else if (flags & UBLK_F_USER_RECOVERY_REISSUE)
		ok(job_waits(&job), "the WRITE is held");
	else
		is(job_end(&job), -EIO, "the WRITE fails");
	if (flags & RECOVERS && !rig_recovered(&m.rig))
		goto end;
	if (flags & UBLK_F_USER_RECOVERY_REISSUE && !commits) {
		delivered(&m.rig, UBLK_IO_OP_WRITE, 8, 8,
			  "the next server gets the WRITE");
		commit(&m.rig, 4096);
		is(job_end(&job), 4096, "the WRITE ends");
	}
	mortal_after(&m, flags);
end:
	mortal_end(&m);
}

static void test_killed_lent(void)
{
	killed(UBLK_F_SUPPORT_ZERO_COPY, false);
}

static void test_killed_lent_recovery(void)
{
	killed(UBLK_F_SUPPORT_ZERO_COPY | RECOVERS, false);
}

static void test_killed_lent_reissue(void)
{
	killed(UBLK_F_SUPPORT_ZERO_COPY | REISSUES, false);
}

static void test_killed_lent_committed(void)
{
	killed(UBLK_F_SUPPORT_ZERO_COPY, true);
}

static void test_killed_lent_committed_reissue(void)
{
	killed(UBLK_F_SUPPORT_ZERO_COPY | REISSUES, true);
}

static void test_killed_auto(void)
{
	killed(UBLK_F_AUTO_BUF_REG, false);
}

static void test_killed_auto_reissue(void)
{
	killed(UBLK_F_AUTO_BUF_REG | REISSUES, false);
}

/* Starts the slow disk, and opens it for the server. */
static bool slow_begin(struct mortal *m, struct rig *below)
{
	char node[32];

	if (!rig_begin(below, 0, 1, 4))
		return false;
	snprintf(node, sizeof(node), "/dev/ublkb%d", below->id);
	m->slow = open(node, O_RDWR | O_DIRECT);
	return true;
}

/* Both disks end. The slow one answers what it still has to. */
static void slow_end(struct mortal *m, struct rig *below)
{
	close(m->slow);
	rig_child_kill(&m->server);
	rig_serve_rest(below);
	mortal_end(m);
	rig_serve_rest(below);
	rig_down(below);
}

/*
 * The server is killed while its ring reads from the slow disk to the pages.
 * The caller of the READ must not get its memory back before that has ended.
 */
static void killed_reading(uint64_t flags, bool commits)
{
	struct mortal m = { .commits = commits };
	struct rig below;
	struct job job;

	if (!slow_begin(&m, &below))
		return;
	if (!mortal_begin(&m, flags, IO_READ, &job) ||
	    !delivered(&below, UBLK_IO_OP_READ, 0, 8,
		       "the slow disk has to fill them"))
		goto end;
	ok(job_waits(&job), "the READ waits");
	rig_child_kill(&m.server);
	ok(job_waits(&job), "it waits for the slow disk still");
	if (flags & RECOVERS) {
		nobody_follows(&m.rig, "as the next server does");
	} else {
		rig_close_disk(&m.rig);
		is(raw_command_send(&ctrl, UBLK_U_CMD_STOP_DEV, m.rig.id, 0),
		   0, "STOP_DEV");
		is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME,
		   "as STOP_DEV does");
	}
	ok(holds(m.data, 4096, 1, 0), "nothing is in its memory yet");
	fill(rig_data(&below, 0), 4096, 2);
	commit(&below, 4096);
	if (commits)
		is(job_end(&job), 4096, "then it ends as it was committed");
	else if (flags & UBLK_F_USER_RECOVERY_REISSUE)
		ok(job_waits(&job), "then it waits for the next server");
	else
		is(job_end(&job), -EIO, "then it fails");
	ok(holds(m.data, 4096, 2, 0), "the slow disk's data went to it");
	if (!(flags & RECOVERS)) {
		is(raw_ctrl_answer(&ctrl, IO_MS), 0, "and STOP_DEV ends");
		goto end;
	}
	if (!rig_recovered(&m.rig))
		goto end;
	if (!commits) {
		delivered(&m.rig, UBLK_IO_OP_READ, 8, 8,
			  "the next server gets it");
		commit(&m.rig, 4096);
		is(job_end(&job), 4096, "and answers");
	}
	mortal_after(&m, flags);
end:
	slow_end(&m, &below);
}

static void test_killed_reading(void)
{
	killed_reading(UBLK_F_SUPPORT_ZERO_COPY, false);
}

static void test_killed_reading_reissue(void)
{
	killed_reading(UBLK_F_SUPPORT_ZERO_COPY | REISSUES, false);
}

static void test_killed_reading_auto(void)
{
	killed_reading(UBLK_F_AUTO_BUF_REG, false);
}

/* COMMIT takes the buffer from the ring, but not from I/O that uses it. */
static void test_killed_reading_committed(void)
{
	killed_reading(UBLK_F_AUTO_BUF_REG | REISSUES, true);
}

/*
 * The server is killed while its ring writes the pages to the slow disk. If the
 * next server came before that has ended, it could write the same place twice,
 * and then the oldest data would arrive last.
 */
static void killed_writing(uint64_t flags)
{
	struct mortal m = { .writes = true };
	struct rig below;
	struct job job;

	if (!slow_begin(&m, &below))
		return;
	if (!mortal_begin(&m, flags, IO_WRITE, &job) ||
	    !delivered(&below, UBLK_IO_OP_WRITE, 0, 8,
		       "the slow disk has to write them"))
		goto end;
	rig_child_kill(&m.server);
	nobody_follows(&m.rig, "the next server waits for the slow disk");
	ok(job_waits(&job), "as the WRITE does");
	ok(holds(rig_data(&below, 0), 4096, 1, 0),
	   "the slow disk gets the data of the WRITE");
	commit(&below, 4096);
	if (!rig_recovered(&m.rig))
		goto end;
	delivered(&m.rig, UBLK_IO_OP_WRITE, 8, 8,
		  "then the next server gets the WRITE");
	commit(&m.rig, 4096);
	is(job_end(&job), 4096, "it ends");
	mortal_after(&m, flags);
end:
	slow_end(&m, &below);
}

static void test_killed_writing(void)
{
	killed_writing(UBLK_F_SUPPORT_ZERO_COPY | REISSUES);
}

static void test_killed_writing_auto(void)
{
	killed_writing(UBLK_F_AUTO_BUF_REG | REISSUES);
}

/*
 * The pages are in a ring that does not end with the server. The next server
 * waits for that ring.
 */
static void test_killed_elsewhere(void)
{
	struct mortal m = { .slow = -1 };
	struct raw_queue other;
	struct job job;

	if (!mortal_begin(&m, UBLK_F_SUPPORT_ZERO_COPY | REISSUES, IO_WRITE,
			  &job))
		goto end;
	rig_child_kill(&m.server);
	if (!rig_recovered(&m.rig))
		goto end;
	delivered(&m.rig, UBLK_IO_OP_WRITE, 8, 8, "the next server gets it");
	/* Without mapping, which would keep the node open. */
	memset(&other, 0, sizeof(other));
	other.cdev = m.rig.cdev;
	other.encoded = m.rig.queue[0].encoded;
	is(io_uring_queue_init(4, &other.ring, IORING_SETUP_SQE128), 0,
	   "a ring that stays");
	takes_pages(&other.ring);
	is(lend(&other, UBLK_U_IO_REGISTER_IO_BUF, 0, 0, 0), 0,
	   "lend it the pages");
	rig_server_dies(&m.rig);
	nobody_follows(&m.rig, "the third server waits for the ring");
	ok(job_waits(&job), "the WRITE waits, too");
	step("the ring goes");
	io_uring_queue_exit(&other.ring);
	if (rig_recovered(&m.rig)) {
		delivered(&m.rig, UBLK_IO_OP_WRITE, 8, 8,
			  "when that ring is gone the next server gets it");
		commit(&m.rig, 4096);
		is(job_end(&job), 4096, "it ends");
		mortal_after(&m, RECOVERS);
	}
end:
	mortal_end(&m);
}

const struct group killed_groups[] = {
	{ "killed-lent", test_killed_lent, UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-lent-recovery", test_killed_lent_recovery,
	  UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-lent-reissue", test_killed_lent_reissue,
	  UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-lent-committed", test_killed_lent_committed,
	  UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-lent-committed-reissue", test_killed_lent_committed_reissue,
	  UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-auto", test_killed_auto, UBLK_F_AUTO_BUF_REG },
	{ "killed-auto-reissue", test_killed_auto_reissue,
	  UBLK_F_AUTO_BUF_REG },
	{ "killed-reading", test_killed_reading, UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-reading-reissue", test_killed_reading_reissue,
	  UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-reading-auto", test_killed_reading_auto,
	  UBLK_F_AUTO_BUF_REG },
	{ "killed-reading-committed", test_killed_reading_committed,
	  UBLK_F_AUTO_BUF_REG },
	{ "killed-writing", test_killed_writing, UBLK_F_SUPPORT_ZERO_COPY },
	{ "killed-writing-auto", test_killed_writing_auto,
	  UBLK_F_AUTO_BUF_REG },
	{ "killed-elsewhere", test_killed_elsewhere, UBLK_F_SUPPORT_ZERO_COPY },
	{ NULL, NULL, 0 },
};
