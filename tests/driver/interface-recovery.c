// SPDX-License-Identifier: GPL-2.0
/*
 * Servers that replace one another, in the interface test: the three forms of
 * recovery, and QUIESCE_DEV.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Linux's driver then takes the device for LIVE, with no server, and there is
 * no way back. It may refuse, or wait for tags, but must not do that.
 */
static void end_without_start(struct rig *rig)
{
	int ret;

	raw_end_recovery_send(&ctrl, rig->id, getpid());
	ret = raw_ctrl_answer(&ctrl, QUIET_MS);
	if (ret == -ETIME) {
		raw_ctrl_cancel(&ctrl);
		ret = raw_ctrl_answer(&ctrl, IO_MS);
	}
	ok(ret < 0 && ret != -ETIME,
	   "END_USER_RECOVERY without START_USER_RECOVERY");
	ok(raw_state(&ctrl, rig->id) != UBLK_S_DEV_LIVE,
	   "it brings nothing to life");
}

/*
 * A device and the servers that follow one another. Each server is a thread
 * that ends, because Linux's driver warns if the task of a dead server lives
 * on.
 */
struct succession {
	struct rig rig;
	uint64_t flags;
	bool reissue;
	bool fail;
	int down;		/* the device's state without a server */
	bool good;		/* the last server worked */
	char *data;
	struct job serving;	/* with the first server when it died */
	struct job later;
};

static void serve(struct succession *s, void *(*server)(void *))
{
	pthread_t thread;

	s->good = false;
	pthread_create(&thread, NULL, server, s);
	pthread_join(thread, NULL);
}

static void *first_server(void *arg)
{
	struct succession *s = arg;
	struct rig *rig = &s->rig;

	if (!rig_begin(rig, s->flags, 1, 4))
		return NULL;
	is(rig->info.flags & s->flags, s->flags, "the flags are taken");
	is(raw_start_recovery(&ctrl, rig->id), -EBUSY,
	   "START_USER_RECOVERY of a LIVE device");
	is(raw_end_recovery(&ctrl, rig->id, getpid()), -EBUSY,
	   "END_USER_RECOVERY of a LIVE device");
	is(raw_start(&ctrl, rig->id, getpid()), -EEXIST, "START_DEV twice");

	fill(s->data, 4096, 1);
	job_start(&s->serving, IO_WRITE, rig->disk, s->data, 4096, 4096);
	s->good = delivered(rig, UBLK_IO_OP_WRITE, 8, 8, "WRITE");
	rig_server_dies(rig);
	return NULL;
}

/* Gets the requests that waited, and serves on. */
static void *second_server(void *arg)
{
	struct succession *s = arg;
	struct rig *rig = &s->rig;
	struct ublksrv_ctrl_dev_info info;

	if (!rig_recovered(rig))
		return NULL;
	is(raw_info(&ctrl, rig->id, &info), 0, "GET_DEV_INFO");
	is(info.state, UBLK_S_DEV_LIVE, "the device is LIVE");
	is(info.ublksrv_pid, getpid(), "it tells its server");
	for (int i = 0; i < s->reissue + !s->fail; i++) {
		if (!is(rig_next(rig, 0, IO_MS), 0, "a request is delivered"))
			break;
		if (ublksrv_get_op(rig_desc(rig, 0)) == UBLK_IO_OP_WRITE)
			ok(holds(rig_data(rig, 0), 4096, 1, 0) &&
			   rig_desc(rig, 0)->start_sector == 8,
			   "the WRITE, as it was");
		else
			fill(rig_data(rig, 0), 4096, 2);
		commit(rig, 4096);
	}
	if (s->reissue)
		is(job_end(&s->serving), 4096, "the WRITE ends");
	if (!s->fail) {
		is(job_end(&s->later), 4096, "the READ ends");
		ok(holds(s->data + 8192, 4096, 2, 0), "with its data");
	}
	job_start(&s->later, IO_READ, rig->disk, s->data, 4096, 16384);
	delivered(rig, UBLK_IO_OP_READ, 32, 8, "the next READ");
	fill(rig_data(rig, 0), 4096, 3);
	commit(rig, 4096);
	is(job_end(&s->later), 4096, "it ends");
	s->good = ok(holds(s->data, 4096, 3, 0), "with the new server's data");
	rig_server_dies(rig);
	return NULL;
}

static void *half_server(void *arg)
{
	struct succession *s = arg;
	struct rig *rig = &s->rig;

	if (!is(rig_start_recovery(rig), 0, "START_USER_RECOVERY") ||
	    !rig_server(rig))
		return NULL;
	raw_fetch(&rig->queue[0], 0);
	raw_submit(&rig->queue[0]);
	rig_server_dies(rig);
	s->good = is(raw_state(&ctrl, rig->id), s->down,
		     "a server that dies half ready");
	return NULL;
}

/* A request that comes after it has fetched all tags is not for it yet. */
static void *third_server(void *arg)
{
	struct succession *s = arg;
	struct rig *rig = &s->rig;
	bool early;

	if (!is(rig_start_recovery(rig), 0, "START_USER_RECOVERY") ||
	    !rig_server(rig))
		return NULL;
	rig_fetch_all(rig);
	early = unanswered("nothing is delivered before END_USER_RECOVERY");
	if (!early) {
		job_start(&s->later, IO_READ, rig->disk, s->data, 4096, 0);
		is(rig_next(rig, 0, QUIET_MS), -ETIME,
		   "nothing is delivered before END_USER_RECOVERY");
		if (s->fail)
			is(job_end(&s->later), -EREMOTEIO,
			   "a READ fails until then");
	}
	is(raw_end_recovery(&ctrl, rig->id, getpid()), 0, "END_USER_RECOVERY");
	if (s->fail || early)
		job_start(&s->later, IO_READ, rig->disk, s->data, 4096, 0);
	delivered(rig, UBLK_IO_OP_READ, 0, 8, "a READ is delivered then");
	fill(rig_data(rig, 0), 4096, 4);
	commit(rig, 4096);
	is(job_end(&s->later), 4096, "it ends");
	s->good = is(raw_state(&ctrl, rig->id), UBLK_S_DEV_LIVE,
		     "the third is as good as the first");
	rig_server_dies(rig);
	return NULL;
}

static void after_first(struct succession *s)
{
	rig_becomes(&s->rig, s->down, s->fail ? "the device is FAIL_IO" :
		    "the device is QUIESCED");
	if (s->reissue)
		ok(job_waits(&s->serving), "the WRITE is held");
	else
		is(job_end(&s->serving), -EIO, "the WRITE failed");
	if (ours)
		end_without_start(&s->rig);
	job_start(&s->later, IO_READ, s->rig.disk, s->data + 8192, 4096, 0);
	if (s->fail)
		is(job_end(&s->later), -EREMOTEIO, "a READ fails meanwhile");
	else
		ok(job_waits(&s->later), "a READ waits meanwhile");
}

static void after_second(struct succession *s)
{
	rig_becomes(&s->rig, s->down, "it dies again");
	if (rig_server(&s->rig)) {
		is(raw_start_recovery(&ctrl, s->rig.id), -EBUSY,
		   "START_USER_RECOVERY while the node is open");
		rig_server_dies(&s->rig);
	}
	/* Linux's warns then, and cannot be recovered any more. */
	if (ours)
		serve(s, half_server);
}

static void after_third(struct succession *s)
{
	rig_becomes(&s->rig, s->down, "it dies, too");
	job_start(&s->later, IO_READ, s->rig.disk, s->data, 4096, 0);
	if (s->fail)
		is(job_end(&s->later), -EREMOTEIO, "a READ fails");
	else
		ok(job_waits(&s->later), "a READ waits");
	is(raw_stop(&ctrl, s->rig.id), 0, "STOP_DEV");
	if (!s->fail)
		is(job_end(&s->later), -EIO, "the READ failed");
	is(raw_state(&ctrl, s->rig.id), UBLK_S_DEV_DEAD, "the device is DEAD");
	is(raw_start_recovery(&ctrl, s->rig.id), -EBUSY,
	   "START_USER_RECOVERY of a DEAD device");
}

static void recovery(uint64_t flags)
{
	struct succession s = {
		.flags = flags,
		.reissue = flags & UBLK_F_USER_RECOVERY_REISSUE,
		.fail = flags & UBLK_F_USER_RECOVERY_FAIL_IO,
		.data = pages(16384),
	};

	s.down = s.fail ? UBLK_S_DEV_FAIL_IO : UBLK_S_DEV_QUIESCED;
	serve(&s, first_server);
	if (s.good) {
		after_first(&s);
		serve(&s, second_server);
	}
	if (s.good) {
		after_second(&s);
		serve(&s, third_server);
	}
	if (s.good)
		after_third(&s);
	rig_down(&s.rig);
	munmap(s.data, 16384);
}

static void test_recovery_wait(void)
{
	recovery(UBLK_F_USER_RECOVERY);
}

static void test_recovery_reissue(void)
{
	recovery(UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE);
}

static void test_recovery_fail(void)
{
	recovery(UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_FAIL_IO);
}

/*
 * Servers that wait until the device is QUIESCED and then try once, as SPDK
 * does. One after the other dies.
 */
static void *hasty_server(void *arg)
{
	struct succession *s = arg;
	struct rig *rig = &s->rig;

	if (!is(raw_start_recovery(&ctrl, rig->id), 0,
		"START_USER_RECOVERY as soon as it is QUIESCED") ||
	    !rig_server(rig))
		return NULL;
	rig_fetch_all(rig);
	s->good = is(raw_end_recovery(&ctrl, rig->id, getpid()), 0,
		     "END_USER_RECOVERY");
	rig_server_dies(rig);
	return NULL;
}

static void *plain_server(void *arg)
{
	struct succession *s = arg;

	s->good = rig_begin(&s->rig, UBLK_F_USER_RECOVERY, 1, 16);
	rig_server_dies(&s->rig);
	return NULL;
}

static void test_recovery_at_once(void)
{
	struct succession s = { .good = false };

	serve(&s, plain_server);
	for (int n = 0; n < 10 && s.good; n++) {
		step("wait until it is QUIESCED");
		while (raw_state(&ctrl, s.rig.id) == UBLK_S_DEV_LIVE)
			;
		serve(&s, hasty_server);
	}
	rig_down(&s.rig);
}

static void test_recovery_flags(void)
{
	static const struct {
		const char *what;
		uint64_t flags;
	} cases[] = {
		{ "REISSUE alone", UBLK_F_USER_RECOVERY_REISSUE },
		{ "FAIL_IO alone", UBLK_F_USER_RECOVERY_FAIL_IO },
		{ "REISSUE and FAIL_IO", UBLK_F_USER_RECOVERY |
		  UBLK_F_USER_RECOVERY_REISSUE | UBLK_F_USER_RECOVERY_FAIL_IO },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ublksrv_ctrl_dev_info info = {
			.nr_hw_queues = 1,
			.queue_depth = 1,
			.max_io_buf_bytes = MAX_IO,
			.dev_id = ANY_ID,
			.flags = cases[i].flags,
		};
		int ret = raw_add(&ctrl, &info);

		is(ret, -EINVAL, cases[i].what);
		if (!ret)
			raw_del(&ctrl, info.dev_id);
	}
}

/*
 * QUIESCE_DEV waits for the server's requests, up to a timeout or until it is
 * interrupted.
 */
static void quiesce_waits(struct rig *rig, char *data)
{
	const struct ublksrv_ctrl_cmd cmd = {
		.dev_id = rig->id,
		.queue_id = -1,
	};
	struct job job;

	fill(data, 4096, 1);
	job_start(&job, IO_WRITE, rig->disk, data, 4096, 0);
	delivered(rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(raw_quiesce(&ctrl, rig->id, QUIET_MS), -EBUSY,
	   "it does not wait longer than it should");
	is(raw_state(&ctrl, rig->id), UBLK_S_DEV_LIVE, "the device is LIVE");
	commit(rig, 4096);
	is(job_end(&job), 4096, "WRITE ends");
	job_start(&job, IO_READ, rig->disk, data, 4096, 0);
	delivered(rig, UBLK_IO_OP_READ, 0, 8, "the device goes on: READ");

	is(raw_ctrl_send(&ctrl, UBLK_U_CMD_QUIESCE_DEV, &cmd), 0,
	   "QUIESCE_DEV without a limit");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits for the READ");
	is(raw_ctrl_cancel(&ctrl), 0, "interrupt it");
	is(raw_ctrl_answer(&ctrl, IO_MS), -EINTR, "it is interrupted");
	is(raw_ctrl_send(&ctrl, UBLK_U_CMD_QUIESCE_DEV, &cmd), 0,
	   "QUIESCE_DEV again");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits again");
	fill(rig_data(rig, 0), 4096, 2);
	commit(rig, 4096);
	is(job_end(&job), 4096, "the READ ends");
	is(raw_ctrl_answer(&ctrl, IO_MS), 0, "and then QUIESCE_DEV");
}

static void test_quiesce(void)
{
	char *data = pages(8192);
	struct rig rig;
	struct job later;

	if (!rig_begin(&rig, UBLK_F_USER_RECOVERY, 1, 2))
		return;
	is(raw_quiesce(&ctrl, rig.id, 100), -EOPNOTSUPP, "without the flag");
	rig_down(&rig);

	/* one tag: when it is in use, all are */
	if (!rig_add(&rig, UBLK_F_USER_RECOVERY | UBLK_F_QUIESCE, 1, 1))
		return;
	is(rig.info.flags & UBLK_F_QUIESCE, UBLK_F_QUIESCE,
	   "the flag is taken");
	is(raw_quiesce(&ctrl, rig.id, 100), -ENODEV, "before START_DEV");
	if (!rig_up(&rig))
		goto down;

	if (unanswered("it does not wait longer than it should"))
		is(raw_quiesce(&ctrl, rig.id, 0), 0, "with nothing to wait for");
	else
		quiesce_waits(&rig, data);
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "the command comes back");
	job_start(&later, IO_READ, rig.disk, data + 4096, 4096, 4096);
	ok(job_waits(&later), "a READ is held");
	rig_server_dies(&rig);
	rig_becomes(&rig, UBLK_S_DEV_QUIESCED, "the device is QUIESCED");
	is(raw_quiesce(&ctrl, rig.id, 100), 0, "QUIESCE_DEV when it is");
	if (rig_recovered(&rig)) {
		delivered(&rig, UBLK_IO_OP_READ, 8, 8,
			  "the next server gets the READ");
		fill(rig_data(&rig, 0), 4096, 3);
		commit(&rig, 4096);
		is(job_end(&later), 4096, "it ends");
		ok(holds(data + 4096, 4096, 3, 0), "with its data");
	}
down:
	rig_down(&rig);
	munmap(data, 8192);
}

const struct group recovery_groups[] = {
	{ "recovery-wait", test_recovery_wait, UBLK_F_USER_RECOVERY },
	{ "recovery-reissue", test_recovery_reissue,
	  UBLK_F_USER_RECOVERY_REISSUE },
	{ "recovery-fail", test_recovery_fail, UBLK_F_USER_RECOVERY_FAIL_IO },
	{ "recovery-at-once", test_recovery_at_once, UBLK_F_USER_RECOVERY },
	{ "recovery-flags", test_recovery_flags, UBLK_F_USER_RECOVERY_FAIL_IO },
	{ "quiesce", test_quiesce, UBLK_F_QUIESCE },
	{ NULL, NULL, 0 },
};
