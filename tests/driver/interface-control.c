// SPDX-License-Identifier: GPL-2.0
/*
 * The control commands in the interface test: valid and invalid arguments of
 * each, and who may send it.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_features(void)
{
	struct ublksrv_ctrl_cmd cmd = {
		.dev_id = -1,
		.queue_id = -1,
		.len = UBLK_FEATURES_LEN,
	};
	uint64_t features = 0;

	if (kernel < 605) {
		skip("GET_FEATURES", "came with Linux 6.5");
		return;
	}
	cmd.addr = (uintptr_t)&features;
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_FEATURES, &cmd), 0, "GET_FEATURES");
	if (ours)
		is(features, FEATURES_OF_OURS |
		   (kernel >= 615 ? FEATURES_OF_OURS_615 : 0) |
		   (kernel >= 618 ? FEATURES_OF_OURS_618 : 0),
		   "exactly what driver.md says");
	else
		ok(features & UBLK_F_CMD_IOCTL_ENCODE, "encoded opcodes");
	cmd.len = UBLK_FEATURES_LEN - 1;
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_FEATURES, &cmd), -EINVAL,
	   "too short");
	cmd.len = UBLK_FEATURES_LEN;
	cmd.addr = place(NOWHERE, NULL);
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_FEATURES, &cmd), -EINVAL,
	   "nowhere");
	cmd.addr = place(UNMAPPED, NULL);
	is(raw_ctrl(&ctrl, UBLK_U_CMD_GET_FEATURES, &cmd), -EFAULT,
	   "unmapped");
}

/* Both forms of each opcode that has two, for a device that does not exist. */
static void test_opcodes(void)
{
	static const struct {
		const char *what;
		uint32_t op;
		int want;
	} cases[] = {
		{ "plain GET_QUEUE_AFFINITY", UBLK_CMD_GET_QUEUE_AFFINITY,
		  -ENODEV },
		{ "plain GET_DEV_INFO", UBLK_CMD_GET_DEV_INFO, -ENODEV },
		{ "plain GET_DEV_INFO2", UBLK_CMD_GET_DEV_INFO2, -ENODEV },
		{ "plain DEL_DEV", UBLK_CMD_DEL_DEV, -ENODEV },
		{ "plain START_DEV", UBLK_CMD_START_DEV, -ENODEV },
		{ "plain STOP_DEV", UBLK_CMD_STOP_DEV, -ENODEV },
		{ "plain SET_PARAMS", UBLK_CMD_SET_PARAMS, -ENODEV },
		{ "plain GET_PARAMS", UBLK_CMD_GET_PARAMS, -ENODEV },
		{ "plain START_USER_RECOVERY", UBLK_CMD_START_USER_RECOVERY,
		  -ENODEV },
		{ "plain END_USER_RECOVERY", UBLK_CMD_END_USER_RECOVERY,
		  -ENODEV },
		{ "encoded GET_QUEUE_AFFINITY", UBLK_U_CMD_GET_QUEUE_AFFINITY,
		  -ENODEV },
		{ "encoded GET_DEV_INFO", UBLK_U_CMD_GET_DEV_INFO, -ENODEV },
		{ "encoded GET_DEV_INFO2", UBLK_U_CMD_GET_DEV_INFO2, -ENODEV },
		{ "encoded DEL_DEV", UBLK_U_CMD_DEL_DEV, -ENODEV },
		{ "encoded START_DEV", UBLK_U_CMD_START_DEV, -ENODEV },
		{ "encoded STOP_DEV", UBLK_U_CMD_STOP_DEV, -ENODEV },
		{ "encoded SET_PARAMS", UBLK_U_CMD_SET_PARAMS, -ENODEV },
		{ "encoded GET_PARAMS", UBLK_U_CMD_GET_PARAMS, -ENODEV },
		{ "encoded START_USER_RECOVERY",
		  UBLK_U_CMD_START_USER_RECOVERY, -ENODEV },
		{ "encoded END_USER_RECOVERY", UBLK_U_CMD_END_USER_RECOVERY,
		  -ENODEV },
		{ "another type of opcode",
		  _IOR('v', UBLK_CMD_GET_DEV_INFO, struct ublksrv_ctrl_cmd),
		  -EOPNOTSUPP },
	};
	const struct ublksrv_ctrl_cmd cmd = {
		.dev_id = 12345,
		.queue_id = -1,
	};
	bool encoded = ctrl.encoded;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (_IOC_TYPE(cases[i].op) && !encoded)
			continue;
		/* as is, even where only plain numbers exist */
		ctrl.encoded = true;
		is(raw_ctrl(&ctrl, cases[i].op, &cmd), cases[i].want,
		   cases[i].what);
		ctrl.encoded = encoded;
	}
}

/* Every invalid argument of a command for an existing device. */
static void test_arguments(void)
{
	static char data[4096];
	struct rig rig;
	const uint16_t info = sizeof(struct ublksrv_ctrl_dev_info);
	const struct {
		const char *what;
		uint32_t op;
		int want;
		uint16_t len;
		enum where where;
		uint64_t number;
	} cases[] = {
		{ "GET_DEV_INFO", UBLK_U_CMD_GET_DEV_INFO, 0, info, HERE, 0 },
		{ "GET_DEV_INFO plain", UBLK_CMD_GET_DEV_INFO, 0, info, HERE,
		  0 },
		{ "GET_DEV_INFO with more room", UBLK_U_CMD_GET_DEV_INFO, 0,
		  info + 64, HERE, 0 },
		{ "GET_DEV_INFO too short", UBLK_U_CMD_GET_DEV_INFO, -EINVAL,
		  info - 1, HERE, 0 },
		{ "GET_DEV_INFO nowhere", UBLK_U_CMD_GET_DEV_INFO, -EINVAL,
		  info, NOWHERE, 0 },
		{ "GET_DEV_INFO unmapped", UBLK_U_CMD_GET_DEV_INFO, -EFAULT,
		  info, UNMAPPED, 0 },
		{ "GET_DEV_INFO into the kernel", UBLK_U_CMD_GET_DEV_INFO,
		  -EFAULT, info, OF_KERNEL, 0 },
		{ "GET_QUEUE_AFFINITY", UBLK_U_CMD_GET_QUEUE_AFFINITY, 0, 8,
		  HERE, 0 },
		{ "GET_QUEUE_AFFINITY of no queue",
		  UBLK_U_CMD_GET_QUEUE_AFFINITY, -EINVAL, 8, HERE, 1 },
		{ "GET_QUEUE_AFFINITY of a huge queue",
		  UBLK_U_CMD_GET_QUEUE_AFFINITY, -EINVAL, 8, HERE, 1ULL << 32 },
		{ "GET_QUEUE_AFFINITY of no length",
		  UBLK_U_CMD_GET_QUEUE_AFFINITY, -EINVAL, 0, HERE, 0 },
		{ "GET_QUEUE_AFFINITY of seven bytes",
		  UBLK_U_CMD_GET_QUEUE_AFFINITY, -EINVAL, 7, HERE, 0 },
		{ "GET_QUEUE_AFFINITY nowhere", UBLK_U_CMD_GET_QUEUE_AFFINITY,
		  -EINVAL, 8, NOWHERE, 0 },
		{ "GET_QUEUE_AFFINITY unmapped", UBLK_U_CMD_GET_QUEUE_AFFINITY,
		  -EFAULT, 8, UNMAPPED, 0 },
		{ "SET_PARAMS nowhere", UBLK_U_CMD_SET_PARAMS, -EINVAL,
		  sizeof(struct ublk_params), NOWHERE, 0 },
		{ "SET_PARAMS unmapped", UBLK_U_CMD_SET_PARAMS, -EFAULT,
		  sizeof(struct ublk_params), UNMAPPED, 0 },
		{ "SET_PARAMS too short", UBLK_U_CMD_SET_PARAMS, -EINVAL, 8,
		  HERE, 0 },
		{ "SET_PARAMS all zero", UBLK_U_CMD_SET_PARAMS, -EINVAL,
		  sizeof(struct ublk_params), HERE, 0 },
		{ "GET_PARAMS nowhere", UBLK_U_CMD_GET_PARAMS, -EINVAL,
		  sizeof(struct ublk_params), NOWHERE, 0 },
		{ "GET_PARAMS unmapped", UBLK_U_CMD_GET_PARAMS, -EFAULT,
		  sizeof(struct ublk_params), UNMAPPED, 0 },
		{ "GET_PARAMS too short", UBLK_U_CMD_GET_PARAMS, -EINVAL, 8,
		  HERE, 0 },
		{ "GET_PARAMS of no length", UBLK_U_CMD_GET_PARAMS, -EINVAL,
		  sizeof(struct ublk_params), HERE, 0 },
		{ "START_DEV without parameters", UBLK_U_CMD_START_DEV,
		  -EINVAL, 0, NOWHERE, 1 },
		{ "STOP_DEV of a dead device", UBLK_U_CMD_STOP_DEV, 0, 0,
		  NOWHERE, 0 },
		{ "STOP_DEV again", UBLK_U_CMD_STOP_DEV, 0, 0, NOWHERE, 0 },
		{ "START_USER_RECOVERY without the feature",
		  UBLK_U_CMD_START_USER_RECOVERY, -EINVAL, 0, NOWHERE, 0 },
		{ "an unknown number",
		  _IOWR('u', 0x7f, struct ublksrv_ctrl_cmd), -EOPNOTSUPP, 0,
		  NOWHERE, 0 },
		{ "an I/O command", UBLK_U_IO_FETCH_REQ, -EOPNOTSUPP, 0,
		  NOWHERE, 0 },
		{ "number 0", 0, -EOPNOTSUPP, 0, NOWHERE, 0 },
	};

	if (!rig_add(&rig, 0, 1, 4))
		return;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ublksrv_ctrl_cmd cmd = {
			.dev_id = rig.id,
			.queue_id = -1,
			.addr = place(cases[i].where, data),
			.len = cases[i].len,
			.data = { cases[i].number },
		};

		memset(data, 0, sizeof(data));
		if (!unanswered(cases[i].what))
			is(raw_ctrl(&ctrl, cases[i].op, &cmd), cases[i].want,
			   cases[i].what);
	}
	/* Linux's waits for the queues before it checks. */
	if (ours)
		is(raw_end_recovery(&ctrl, rig.id, 1), -EINVAL,
		   "END_USER_RECOVERY without the feature");
	rig_down(&rig);
}

static void test_sqe64(void)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct ublksrv_ctrl_cmd cmd = { .dev_id = 0, .queue_id = -1 };

	if (!ok(!io_uring_queue_init(4, &ring, 0), "a ring of 64-byte SQEs"))
		return;
	sqe = io_uring_get_sqe(&ring);
	if (!sqe)
		return;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = ctrl.fd;
	sqe->cmd_op = ctrl.encoded ? UBLK_U_CMD_STOP_DEV : UBLK_CMD_STOP_DEV;
	memcpy(sqe->cmd, &cmd, 16);
	step("a control command in it");
	io_uring_submit(&ring);
	io_uring_wait_cqe(&ring, &cqe);
	is(cqe->res, -EINVAL, "a control command in it");
	io_uring_queue_exit(&ring);
}

/* ADD_DEV with one invalid field at a time. DEL_DEV if it was accepted. */
static void test_add(void)
{
	struct ublksrv_ctrl_dev_info info;
	const struct {
		const char *what;
		uint16_t queues;
		uint16_t depth;
		uint32_t id;		/* in the command */
		uint32_t info_id;
		uint16_t queue_id;
		uint16_t len;
		enum where where;
		int want;
	} cases[] = {
		{ "one queue, one tag", 1, 1, -1, -1, -1, sizeof(info), HERE,
		  0 },
		{ "a depth of 4096", 1, 4096, -1, -1, -1, sizeof(info), HERE,
		  0 },
		{ "a depth of 4097", 1, 4097, -1, -1, -1, sizeof(info), HERE,
		  -EINVAL },
		{ "a depth of 65535", 1, 65535, -1, -1, -1, sizeof(info), HERE,
		  -EINVAL },
		{ "no depth", 1, 0, -1, -1, -1, sizeof(info), HERE, -EINVAL },
		{ "no queue", 0, 1, -1, -1, -1, sizeof(info), HERE, -EINVAL },
		{ "4097 queues", 4097, 1, -1, -1, -1, sizeof(info), HERE,
		  -EINVAL },
		{ "id 7", 1, 1, 7, 7, -1, sizeof(info), HERE, 0 },
		{ "id of the command not that of the info", 1, 1, 7, 8, -1,
		  sizeof(info), HERE, -EINVAL },
		{ "id -2", 1, 1, -2, -2, -1, sizeof(info), HERE, -EINVAL },
		{ "id 2^31 - 1", 1, 1, INT32_MAX, INT32_MAX, -1, sizeof(info),
		  HERE, -EINVAL },
		{ "id 2^20, more than there are minors", 1, 1, 1 << 20,
		  1 << 20, -1, sizeof(info), HERE, -EINVAL },
		{ "a queue named", 1, 1, -1, -1, 0, sizeof(info), HERE,
		  -EINVAL },
		{ "too short", 1, 1, -1, -1, -1, sizeof(info) - 1, HERE,
		  -EINVAL },
		{ "nowhere", 1, 1, -1, -1, -1, sizeof(info), NOWHERE,
		  -EINVAL },
		{ "unmapped", 1, 1, -1, -1, -1, sizeof(info), UNMAPPED,
		  -EFAULT },
		{ "in the kernel", 1, 1, -1, -1, -1, sizeof(info), OF_KERNEL,
		  -EFAULT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ublksrv_ctrl_cmd cmd = {
			.dev_id = cases[i].id,
			.queue_id = cases[i].queue_id,
			.addr = place(cases[i].where, &info),
			.len = cases[i].len,
		};
		int ret;

		info = (struct ublksrv_ctrl_dev_info){
			.nr_hw_queues = cases[i].queues,
			.queue_depth = cases[i].depth,
			.max_io_buf_bytes = MAX_IO,
			.dev_id = cases[i].info_id,
		};
		if (unanswered(cases[i].what))
			continue;
		step(cases[i].what);
		ret = raw_ctrl(&ctrl, UBLK_U_CMD_ADD_DEV, &cmd);
		is(ret, cases[i].want, cases[i].what);
		if (!ret)
			is(raw_del(&ctrl, info.dev_id), 0, "DEL_DEV after it");
	}
}

static void test_add_answer(void)
{
	const uint64_t unknown = 1ULL << 63 | 1ULL << 40;
	/* flags that the driver always sets */
	const uint64_t always = UBLK_F_CMD_IOCTL_ENCODE |
				UBLK_F_URING_CMD_COMP_IN_TASK |
				UBLK_F_PER_IO_DAEMON | UBLK_F_SAFE_STOP_DEV |
				UBLK_F_BUF_REG_OFF_DAEMON;
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 4096,
		.queue_depth = 3,
		.max_io_buf_bytes = MAX_IO,
		.dev_id = ANY_ID,
		.flags = unknown | UBLK_F_NEED_GET_DATA,
		.ublksrv_flags = 0x123456789,
		.ublksrv_pid = 77,
		.state = UBLK_S_DEV_LIVE,
		.io_desc_size = 77,
		.owner_uid = 77,
	}, again, taken;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!is(raw_add(&ctrl, &info), 0, "ADD_DEV"))
		return;
	is(info.flags & unknown, 0, "unknown features are cleared");
	ok(info.flags & UBLK_F_NEED_GET_DATA, "a known one is kept");
	is(info.flags & ~(ctrl.features | UBLK_F_CMD_IOCTL_ENCODE |
			  UBLK_F_URING_CMD_COMP_IN_TASK), 0,
	   "no flag that is not a feature");
	is(info.flags & ctrl.features & always, ctrl.features & always,
	   "the features that every device has");
	is(info.nr_hw_queues, cpus, "as many queues as processors");
	is(info.queue_depth, 3, "the depth as asked for");
	is(info.max_io_buf_bytes, MAX_IO, "the buffer as asked for");
	is(info.io_desc_size, sizeof(struct ublksrv_io_desc),
	   "descriptors of the usual size");
	is(info.state, UBLK_S_DEV_DEAD, "state DEAD");
	is(info.ublksrv_pid, -1, "no server");
	is(info.ublksrv_flags, 0x123456789, "the server's flags are kept");
	is(info.owner_uid, 0, "no owner but root");

	memset(&again, 0xff, sizeof(again));
	is(raw_info(&ctrl, info.dev_id, &again), 0, "GET_DEV_INFO");
	ok(!memcmp(&info, &again, sizeof(info)), "it says the same");

	taken = info;
	is(raw_add(&ctrl, &taken), -EEXIST, "the same id again");
	is(raw_del(&ctrl, info.dev_id), 0, "DEL_DEV");
	is(raw_del(&ctrl, info.dev_id), -ENODEV, "DEL_DEV again");
	is(raw_info(&ctrl, info.dev_id, &again), -ENODEV,
	   "GET_DEV_INFO of what is gone");
	taken = info;
	is(raw_add(&ctrl, &taken), 0, "the id is free again");
	is(raw_del(&ctrl, info.dev_id), 0, "DEL_DEV of it");
}

/*
 * Larger descriptors: a driver that does not support them returns their size.
 */
static void test_desc_size(void)
{
	const size_t usual = sizeof(struct ublksrv_io_desc);
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = 1,
		.max_io_buf_bytes = MAX_IO,
		.dev_id = ANY_ID,
		.flags = UBLK_F_IO_DESC_SIZE,
		.io_desc_size = 2 * usual,
	};
	bool taken;

	if (!is(raw_add(&ctrl, &info), 0, "ADD_DEV"))
		return;
	taken = info.flags & UBLK_F_IO_DESC_SIZE;
	is(taken, ctrl.features & UBLK_F_IO_DESC_SIZE ? 1 : 0,
	   "the flag is taken where it is offered");
	is(info.io_desc_size, taken ? 2 * usual : usual,
	   "as large as it asked for, or as usual");
	is(raw_del(&ctrl, info.dev_id), 0, "DEL_DEV");
}

/* GET_QUEUE_AFFINITY: each CPU is in the set of exactly one queue. */
static void test_affinity(void)
{
	unsigned long sets[RIG_QUEUES][16 / sizeof(long)];
	unsigned int processors[2] = { 0, 0 };
	struct rig rig;

	if (!rig_add(&rig, 0, RIG_QUEUES, 4))
		return;
	memset(sets, 0xff, sizeof(sets));
	for (int q = 0; q < rig.info.nr_hw_queues; q++)
		is(raw_command(&ctrl, UBLK_U_CMD_GET_QUEUE_AFFINITY, rig.id,
			       sets[q], sizeof(sets[q]), q), 0,
		   "GET_QUEUE_AFFINITY");
	for (int cpu = 0; cpu < 2; cpu++)
		for (int q = 0; q < rig.info.nr_hw_queues; q++)
			processors[cpu] += sets[q][0] >> cpu & 1;
	is(processors[0], 1, "processor 0 belongs to one queue");
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		is(processors[1], 1, "processor 1 belongs to one queue");
	ok(all_bytes((const char *)sets[0] + 8, 8, 0),
	   "the rest is cleared");
	rig_down(&rig);
}

const struct group control_groups[] = {
	{ "features", test_features, 0 },
	{ "opcodes", test_opcodes, 0 },
	{ "arguments", test_arguments, 0 },
	{ "sqe64", test_sqe64, 0 },
	{ "add", test_add, 0 },
	{ "add-answer", test_add_answer, 0 },
	{ "desc-size", test_desc_size, 0 },
	{ "affinity", test_affinity, 0 },
	{ NULL, NULL, 0 },
};
