/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The later features of the interface test: recovery in its three forms, a
 * task for each tag, devices of plain users, resize and quiesce. Included
 * once, by interface.c.
 */
#ifndef TESTS_DRIVER_INTERFACE_RECOVERY_H
#define TESTS_DRIVER_INTERFACE_RECOVERY_H

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/driver/interface-test.h"

/*
 * The kernel takes a closed ring to pieces when it has time, and until then
 * the node may still be open: EBUSY, for a moment.
 */
static int start_recovery(const struct rig *rig)
{
	int ret = -EBUSY;

	for (int tries = 0; ret == -EBUSY && tries < 200; tries++) {
		usleep(tries ? 20000 : 0);
		ret = raw_start_recovery(&ctrl, rig->id);
	}
	return ret;
}

/* The next server: START_USER_RECOVERY, all tags, END_USER_RECOVERY. */
static bool recovered(struct rig *rig)
{
	if (!is(start_recovery(rig), 0, "START_USER_RECOVERY") ||
	    !rig_server(rig))
		return false;
	is(raw_end_recovery_send(&ctrl, rig->id, getpid()), 0,
	   "END_USER_RECOVERY");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits for the tags");
	for (int q = 0; q < rig->info.nr_hw_queues; q++) {
		for (int tag = 0; tag < rig->info.queue_depth; tag++)
			raw_fetch(&rig->queue[q], tag);
		raw_submit(&rig->queue[q]);
	}
	return is(raw_ctrl_answer(&ctrl, IO_MS), 0, "and ends then");
}

/*
 * Linux's driver takes the device for LIVE then, with no server behind it, and
 * there is no way back. Whether it is refused or waits for tags, it must not.
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
 * One device and its servers, one after the other. Each is a thread that ends,
 * as Linux's driver warns when the task of a dead server lives on.
 */
struct succession {
	struct rig rig;
	uint64_t flags;
	bool reissue;
	bool fail;
	int down;		/* the state without a server */
	bool good;		/* the last server did what it should */
	char *data;
	struct job serving;	/* was with the first server when it died */
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

/* Gets what was held, and goes on from there. */
static void *second_server(void *arg)
{
	struct succession *s = arg;
	struct rig *rig = &s->rig;
	struct ublksrv_ctrl_dev_info info;

	if (!recovered(rig))
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

	if (!is(start_recovery(rig), 0, "START_USER_RECOVERY") ||
	    !rig_server(rig))
		return NULL;
	raw_fetch(&rig->queue[0], 0);
	raw_submit(&rig->queue[0]);
	rig_server_dies(rig);
	s->good = is(raw_state(&ctrl, rig->id), s->down,
		     "a server that dies half ready");
	return NULL;
}

static void *third_server(void *arg)
{
	struct succession *s = arg;

	if (!recovered(&s->rig))
		return NULL;
	s->good = is(raw_state(&ctrl, s->rig.id), UBLK_S_DEV_LIVE,
		     "the third is as good as the first");
	rig_server_dies(&s->rig);
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
		is(job_end(&s->later), -EIO, "a READ fails meanwhile");
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
		is(job_end(&s->later), -EIO, "a READ fails");
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

/* A task of a device with PER_IO_DAEMON, for some of the tags of queue 0. */
struct daemon {
	struct rig *rig;
	pthread_t thread;
	unsigned int first;
	unsigned int count;
	unsigned int foreign;	/* requests of somebody else's tags */
	int err;
};

static atomic_uint daemons_have;	/* requests delivered and not answered */
static atomic_uint daemons_wait_for;	/* how many before any is answered */

/* Answers each READ with the number of its task, from 1 on. */
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

/* All tags are asked for at once, and answered when each task has its own. */
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

/* Devices of plain users. The node is root's in devtmpfs, so it is given. */

#define USER	65534
#define OTHER	65533

static void be(uid_t uid)
{
	step("change the user");
	if (setresuid(0, 0, 0) || (uid && setresuid(uid, uid, 0)))
		note("cannot be user %u", uid);
}

static void test_unprivileged(void)
{
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = 1,
		.max_io_buf_bytes = MAX_IO,
		.dev_id = ANY_ID,
	};
	struct ublksrv_ctrl_cmd cmd;
	struct raw_ctrl root = ctrl;
	struct rig rig, foreign;
	char path[32], other[32], body[sizeof(info) + 64];

	chmod("/dev/ublk-control", 0666);
	if (!rig_add(&foreign, 0, 1, 1))
		return;
	snprintf(other, sizeof(other), "/dev/ublkc%d", foreign.id);

	be(USER);
	is(raw_add(&ctrl, &info), -EPERM, "ADD_DEV of an ordinary device");
	info.flags = UBLK_F_UNPRIVILEGED_DEV | UBLK_F_USER_COPY;
	is(raw_add(&ctrl, &info), -EINVAL, "ADD_DEV with USER_COPY");
	if (!rig_add(&rig, UBLK_F_UNPRIVILEGED_DEV, 1, 2)) {
		be(0);
		rig_down(&foreign);
		return;
	}
	is(rig.info.owner_uid, USER, "it belongs to the user");
	snprintf(path, sizeof(path), "/dev/ublkc%d", rig.id);
	be(0);
	is(chown(path, USER, -1), 0, "give the node to the user");

	be(USER);
	is(raw_info(&ctrl, rig.id, &info), -EINVAL, "control without a path");
	is(raw_stop(&ctrl, foreign.id), -EPERM, "control of root's device");
	ctrl.path = path;
	is(raw_info(&ctrl, rig.id, &info), 0, "GET_DEV_INFO2 with its path");
	is(info.owner_uid, USER, "it tells the owner");
	is(raw_stop(&ctrl, foreign.id), -EPERM, "root's device by that path");
	ctrl.path = "/dev/null";
	is(raw_info(&ctrl, rig.id, &info), -EPERM, "by the path of /dev/null");
	ctrl.path = "/dev";
	is(raw_info(&ctrl, rig.id, &info), -EPERM, "by the path of a folder");
	ctrl.path = "/nowhere";
	is(raw_info(&ctrl, rig.id, &info), -ENOENT, "by a path to nothing");
	ctrl.path = other;
	is(raw_info(&ctrl, rig.id, &info) < 0, true,
	   "by the path of another device");
	ctrl.path = path;

	memset(body, 0, sizeof(body));
	strcpy(body, path);
	cmd = (struct ublksrv_ctrl_cmd){
		.dev_id = rig.id,
		.queue_id = -1,
		.addr = (uintptr_t)body,
		.len = strlen(path),
		.dev_path_len = strlen(path) + 1,
	};
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_DEV_INFO2, &cmd), -EINVAL,
	   "a path longer than the argument");
	cmd.len = sizeof(body);
	cmd.dev_path_len = 5000;
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_DEV_INFO2, &cmd), -EINVAL,
	   "a path longer than PATH_MAX");
	cmd.dev_path_len = strlen(path) + 1;
	cmd.addr = place(UNMAPPED, NULL);
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_DEV_INFO2, &cmd), -EFAULT,
	   "a path that is not there");
	cmd.addr = (uintptr_t)body;
	cmd.len = strlen(path) + 1 + sizeof(info) - 1;
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_DEV_INFO2, &cmd), -EINVAL,
	   "no room for the answer after it");

	be(OTHER);
	is(raw_info(&ctrl, rig.id, &info) < 0, true, "another user");
	is(raw_stop(&ctrl, rig.id) < 0, true, "another user's STOP_DEV");
	be(0);
	is(raw_info(&ctrl, rig.id, &info), 0, "root by its path");
	be(USER);

	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (rig_server(&rig)) {
		rig_fetch_all(&rig);
		is(rig_start(&rig), 0, "START_DEV");
		is(raw_state(&ctrl, rig.id), UBLK_S_DEV_LIVE, "it is LIVE");
	}
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	rig_server_dies(&rig);
	is(raw_del(&ctrl, rig.id), 0, "DEL_DEV");
	be(0);
	ctrl.path = root.path;
	rig_down(&foreign);

	if (!rig_add(&foreign, 0, 1, 1))
		return;
	snprintf(path, sizeof(path), "/dev/ublkc%d", foreign.id);
	ctrl.path = path;
	is(raw_info(&ctrl, foreign.id, &info), 0,
	   "GET_DEV_INFO2 of root's device by its path");
	ctrl.path = NULL;
	is(raw_command(&ctrl, UBLK_U_CMD_GET_DEV_INFO2, foreign.id, &info,
		       sizeof(info), 0), -EINVAL, "and without");
	rig_down(&foreign);
}

/* Is a uevent with this word there within IO_MS? */
static bool uevent(int fd, const char *word)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char text[4096];
	ssize_t len;

	while (poll(&ready, 1, IO_MS) > 0) {
		len = recv(fd, text, sizeof(text) - 1, 0);
		if (len > 0 && memmem(text, len, word, strlen(word)))
			return true;
	}
	return false;
}

static uint64_t disk_bytes(const struct rig *rig)
{
	uint64_t bytes = 0;

	ioctl(rig->disk, BLKGETSIZE64, &bytes);
	return bytes;
}

static void test_update_size(void)
{
	struct sockaddr_nl group_1 = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			    NETLINK_KOBJECT_UEVENT);
	char *data = pages(4096);
	struct ublk_params params;
	struct rig rig;
	struct job job;

	ok(events >= 0 && !bind(events, (void *)&group_1, sizeof(group_1)),
	   "listen to uevents");
	if (!rig_add(&rig, UBLK_F_UPDATE_SIZE, 1, 2))
		return;
	is(rig.info.flags & UBLK_F_UPDATE_SIZE, UBLK_F_UPDATE_SIZE,
	   "the flag is taken");
	is(raw_update_size(&ctrl, rig.id, 4096) < 0, true,
	   "UPDATE_SIZE before START_DEV");
	if (!rig_up(&rig))
		goto down;
	is(disk_bytes(&rig), DISK_BYTES, "the size at first");
	is(raw_update_size(&ctrl, rig.id, 2 * DISK_BYTES >> 9), 0,
	   "UPDATE_SIZE to twice as much");
	is(disk_bytes(&rig), 2 * DISK_BYTES, "the size is twice as much");
	ok(uevent(events, "RESIZE=1"), "a uevent tells of it");
	is(raw_get_params(&ctrl, rig.id, &params), 0, "GET_PARAMS");
	is(params.basic.dev_sectors, 2 * DISK_BYTES >> 9, "tells it, too");
	job_start(&job, IO_READ, rig.disk, data, 4096, 2 * DISK_BYTES - 4096);
	delivered(&rig, UBLK_IO_OP_READ, (2 * DISK_BYTES >> 9) - 8, 8,
		  "READ of the new end");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "it ends");
	is(raw_update_size(&ctrl, rig.id, DISK_BYTES >> 10), 0,
	   "UPDATE_SIZE to half as much");
	is(disk_bytes(&rig), DISK_BYTES / 2, "the size is half as much");
	is(pread(rig.disk, data, 4096, DISK_BYTES), 0,
	   "nothing is read beyond it");
	is(raw_update_size(&ctrl, rig.id, UINT64_MAX), -EINVAL,
	   "2^64 - 1 sectors");
	is(raw_update_size(&ctrl, rig.id, 1ULL << 55), -EINVAL,
	   "2^55 sectors");
	is(disk_bytes(&rig), DISK_BYTES / 2, "they change nothing");
	is(raw_update_size(&ctrl, 12345, 8), -ENODEV, "no such device");
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	is(raw_update_size(&ctrl, rig.id, 4096) < 0, true,
	   "UPDATE_SIZE after STOP_DEV");
down:
	rig_down(&rig);
	close(events);
	munmap(data, 4096);
}

static void test_quiesce(void)
{
	char *data = pages(8192);
	struct ublksrv_ctrl_cmd cmd = { .queue_id = -1 };
	struct rig rig;
	struct job job, later;

	if (!rig_begin(&rig, UBLK_F_USER_RECOVERY, 1, 2))
		return;
	is(raw_quiesce(&ctrl, rig.id, 100), -EOPNOTSUPP, "without the flag");
	rig_down(&rig);

	/*
	 * One tag: Linux's driver waits until there is an idle tag, by which
	 * it can tell the server, and not for all requests.
	 */
	if (!rig_add(&rig, UBLK_F_USER_RECOVERY | UBLK_F_QUIESCE, 1, 1))
		return;
	is(rig.info.flags & UBLK_F_QUIESCE, UBLK_F_QUIESCE,
	   "the flag is taken");
	is(raw_quiesce(&ctrl, rig.id, 100), -ENODEV, "before START_DEV");
	if (!rig_up(&rig))
		goto down;

	fill(data, 4096, 1);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(raw_quiesce(&ctrl, rig.id, QUIET_MS), -EBUSY,
	   "it does not wait longer than it should");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_LIVE, "the device is LIVE");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "WRITE ends");
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "the device goes on: READ");

	cmd.dev_id = rig.id;
	is(raw_ctrl_send(&ctrl, UBLK_U_CMD_QUIESCE_DEV, &cmd), 0,
	   "QUIESCE_DEV without a limit");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits for the READ");
	is(raw_ctrl_cancel(&ctrl), 0, "interrupt it");
	is(raw_ctrl_answer(&ctrl, IO_MS), -EINTR, "it is interrupted");
	is(raw_ctrl_send(&ctrl, UBLK_U_CMD_QUIESCE_DEV, &cmd), 0,
	   "QUIESCE_DEV again");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits again");
	fill(rig_data(&rig, 0), 4096, 2);
	commit(&rig, 4096);
	is(job_end(&job), 4096, "the READ ends");
	is(raw_ctrl_answer(&ctrl, IO_MS), 0, "and then QUIESCE_DEV");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "the command comes back");
	job_start(&later, IO_READ, rig.disk, data + 4096, 4096, 4096);
	ok(job_waits(&later), "a READ is held");
	rig_server_dies(&rig);
	rig_becomes(&rig, UBLK_S_DEV_QUIESCED, "the device is QUIESCED");
	is(raw_quiesce(&ctrl, rig.id, 100), 0, "QUIESCE_DEV when it is");
	if (recovered(&rig)) {
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

#endif
