// SPDX-License-Identifier: GPL-2.0
/*
 * Devices of ordinary users in the interface test: what their owners may do,
 * how many there can be, and that nobody waits for ever for their servers.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Devices of ordinary users. In devtmpfs, root owns the node: it is chowned. */

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
	if (ctrl.features & UBLK_F_AUTO_BUF_REG) {
		info.flags = UBLK_F_UNPRIVILEGED_DEV | UBLK_F_SUPPORT_ZERO_COPY;
		is(raw_add(&ctrl, &info), -EINVAL, "ADD_DEV with ZERO_COPY");
		info.flags = UBLK_F_UNPRIVILEGED_DEV | UBLK_F_AUTO_BUF_REG;
		is(raw_add(&ctrl, &info), -EINVAL, "ADD_DEV with AUTO_BUF_REG");
	}
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

/* A module parameter limits how many devices users may have. */
static void test_users_max(void)
{
	static const char name[] = "/sys/module/ublk_drv/parameters/ublks_max";
	char before[16] = "", path[32];
	struct rig rig, second;
	int fd;

	fd = open(name, O_RDWR);
	if (!ok(fd >= 0 && read(fd, before, sizeof(before) - 1) > 0, name))
		return;
	is(atoi(before), 64, "64 if nothing else is said");
	ok(pwrite(fd, "1", 1, 0) == 1, "set it to 1");
	chmod("/dev/ublk-control", 0666);
	be(USER);
	if (rig_add(&rig, UBLK_F_UNPRIVILEGED_DEV, 1, 1)) {
		second.info = rig.info;
		second.info.dev_id = ANY_ID;
		is(raw_add(&ctrl, &second.info), -EACCES, "a second device");
	}
	be(0);
	ok(pwrite(fd, before, strlen(before), 0) > 0, "set it back");
	close(fd);
	snprintf(path, sizeof(path), "/dev/ublkc%d", rig.id);
	ctrl.path = path;
	rig_down(&rig);
	ctrl.path = NULL;
}

/* A user's server that starts a disk, reports its id, and answers nothing. */
static void __attribute__((noreturn)) mute_serves(int id_fd)
{
	struct rig rig;
	char path[32];

	be(USER);
	if (raw_ctrl_open(&ctrl) ||
	    !rig_add(&rig, UBLK_F_UNPRIVILEGED_DEV, 1, 1))
		_exit(1);
	snprintf(path, sizeof(path), "/dev/ublkc%d", rig.id);
	be(0);
	if (chown(path, USER, -1))
		_exit(1);
	be(USER);
	ctrl.path = path;
	if (raw_set_params(&ctrl, rig.id, &rig.params) || !rig_server(&rig))
		_exit(1);
	rig_fetch_all(&rig);
	if (raw_start(&ctrl, rig.id, getpid()) ||
	    write(id_fd, &rig.id, sizeof(rig.id)) != sizeof(rig.id))
		_exit(1);
	for (;;)
		pause();
}

/* Such a server is killed when a request times out. */
static void test_mute(void)
{
	char *data = pages(4096), path[64];
	struct rig rig = { .id = -1, .cdev = -1, .disk = -1 };
	int ids[2], status = 0, fd;
	struct job job;
	pid_t child;

	if (!ours) {
		skip("all", "the READ may wait for ever there");
		return;
	}
	chmod("/dev/ublk-control", 0666);
	if (pipe(ids))
		return;
	step("a server in a process of its own");
	child = fork();
	if (!child)
		mute_serves(ids[1]);
	close(ids[1]);
	if (!ok(read(ids[0], &rig.id, sizeof(rig.id)) == sizeof(rig.id),
		"it has started a disk"))
		goto end;
	/* The default of half a minute would only take longer. */
	snprintf(path, sizeof(path), "/sys/block/ublkb%d/queue/io_timeout",
		 rig.id);
	fd = open(path, O_WRONLY);
	ok(fd >= 0 && write(fd, "1000", 4) == 4, "a timeout of a second");
	close(fd);
	if (rig_open_disk(&rig) < 0)
		goto end;
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	is(job_end(&job), -EIO, "a READ fails in time");
	step("the server ends");
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "the server was killed");
	child = 0;
end:
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	close(ids[0]);
	snprintf(path, sizeof(path), "/dev/ublkc%d", rig.id);
	ctrl.path = path;
	rig_down(&rig);
	ctrl.path = NULL;
	munmap(data, 4096);
}

const struct group user_groups[] = {
	{ "unprivileged", test_unprivileged, UBLK_F_UNPRIVILEGED_DEV },
	{ "users-max", test_users_max, UBLK_F_UNPRIVILEGED_DEV },
	{ "mute", test_mute, UBLK_F_UNPRIVILEGED_DEV },
	{ NULL, NULL, 0 },
};
