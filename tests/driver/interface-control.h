/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Control commands of the interface test: right and wrong arguments of each,
 * before there is any request. Included once, by interface.c.
 */
#ifndef TESTS_DRIVER_INTERFACE_CONTROL_H
#define TESTS_DRIVER_INTERFACE_CONTROL_H

#include "tests/driver/interface-test.h"

/* Where a command's argument is. */
enum where { HERE, NOWHERE, UNMAPPED, OF_KERNEL };

static uint64_t place(enum where where, void *here)
{
	static char *hole;

	switch (where) {
	case HERE:
		return (uintptr_t)here;
	case NOWHERE:
		return 0;
	case UNMAPPED:
		if (!hole) {
			hole = pages(4096);
			mprotect(hole, 4096, PROT_NONE);
		}
		return (uintptr_t)hole;
	case OF_KERNEL:
		return 0xffff888000000000;
	}
	return 0;
}

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
		is(features, FEATURES_OF_OURS, "exactly what driver.md says");
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

/* Both forms of each opcode that has both, by a device that is not there. */
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
		/* as it is, also where plain numbers are the only ones */
		ctrl.encoded = true;
		is(raw_ctrl(&ctrl, cases[i].op, &cmd), cases[i].want,
		   cases[i].what);
		ctrl.encoded = encoded;
	}
}

/* Everything that a command on a device that exists can get wrong. */
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
		{ "an unknown number", _IOWR('u', 0x7f, struct ublksrv_ctrl_cmd),
		  -EOPNOTSUPP, 0, NOWHERE, 0 },
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
		is(raw_ctrl(&ctrl, cases[i].op, &cmd), cases[i].want,
		   cases[i].what);
	}
	/* Linux's waits until the queues are ready before it looks. */
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

/* ADD_DEV: one wrong thing in each, and DEL_DEV when it was not refused. */
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
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 4096,
		.queue_depth = 3,
		.max_io_buf_bytes = MAX_IO,
		.dev_id = ANY_ID,
		.flags = unknown | UBLK_F_NEED_GET_DATA,
		.ublksrv_flags = 0x123456789,
		.ublksrv_pid = 77,
		.state = UBLK_S_DEV_LIVE,
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
	is(info.nr_hw_queues, cpus, "as many queues as processors");
	is(info.queue_depth, 3, "the depth as asked for");
	is(info.max_io_buf_bytes, MAX_IO, "the buffer as asked for");
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

/* GET_QUEUE_AFFINITY: each processor is in exactly one queue's set. */
static void test_affinity(void)
{
	unsigned char sets[RIG_QUEUES][16];
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
	ok(all_bytes(sets[0] + 8, 8, 0), "the rest is cleared");
	rig_down(&rig);
}

/* Parameters that are wrong in one or two places. */

#define FIELD(field, value)						\
	{ offsetof(struct ublk_params, field),				\
	  sizeof(((struct ublk_params *)NULL)->field), (value) }

struct change {
	size_t at;
	size_t size;
	uint64_t value;
};

static void test_params(void)
{
	static const struct {
		const char *what;
		struct change change[2];
		int want;
	} cases[] = {
		{ "ordinary ones", { { 0 } }, 0 },
		{ "blocks of 4096 bytes", { FIELD(basic.logical_bs_shift, 12),
		  FIELD(basic.io_min_shift, 12) }, 0 },
		{ "blocks of 256 bytes", { FIELD(basic.logical_bs_shift, 8) },
		  -EINVAL },
		{ "blocks of 8192 bytes", { FIELD(basic.logical_bs_shift, 13),
		  FIELD(basic.physical_bs_shift, 13) }, -EINVAL },
		{ "blocks of 2^255 bytes", {
		  FIELD(basic.logical_bs_shift, 255),
		  FIELD(basic.physical_bs_shift, 255) }, -EINVAL },
		{ "logical blocks beyond physical ones", {
		  FIELD(basic.logical_bs_shift, 12),
		  FIELD(basic.physical_bs_shift, 9) }, -EINVAL },
		{ "physical blocks of 2^255 bytes", {
		  FIELD(basic.physical_bs_shift, 255) }, -EINVAL },
		{ "smallest I/O of 2^32 bytes", {
		  FIELD(basic.io_min_shift, 32) }, -EINVAL },
		{ "best I/O of 2^32 bytes", {
		  FIELD(basic.io_opt_shift, 32) }, -EINVAL },
		{ "requests beyond the buffer", { FIELD(basic.max_sectors,
		  (MAX_IO >> 9) + 1) }, -EINVAL },
		{ "requests of 2^32 - 1 sectors", { FIELD(basic.max_sectors,
		  UINT32_MAX) }, -EINVAL },
		{ "requests of no sector", { FIELD(basic.max_sectors, 0) },
		  -EINVAL },
		{ "requests of less than a page", {
		  FIELD(basic.max_sectors, 7) }, -EINVAL },
		{ "a capacity of 2^64 - 1 sectors", {
		  FIELD(basic.dev_sectors, UINT64_MAX) }, -EINVAL },
		{ "a capacity of 2^55 sectors", {
		  FIELD(basic.dev_sectors, 1ULL << 55) }, -EINVAL },
		{ "no discard", { FIELD(discard.max_discard_sectors, 0) }, 0 },
		{ "discard of no granularity", {
		  FIELD(discard.discard_granularity, 0) }, -EINVAL },
		{ "discard of no segment", {
		  FIELD(discard.max_discard_segments, 0) }, -EINVAL },
		{ "discard of two segments", {
		  FIELD(discard.max_discard_segments, 2) }, -EINVAL },
		{ "no type", { FIELD(types, 0) }, -EINVAL },
		{ "without the basic ones", {
		  FIELD(types, UBLK_PARAM_TYPE_DISCARD) }, -EINVAL },
		{ "numbers of nodes", { FIELD(types, UBLK_PARAM_TYPE_BASIC |
		  UBLK_PARAM_TYPE_DEVT) }, -EINVAL },
		{ "of no length", { FIELD(len, 0) }, -EINVAL },
		{ "longer than the argument", {
		  FIELD(len, sizeof(struct ublk_params) + 1) }, -EINVAL },
		{ "an unknown type beside", { FIELD(types,
		  UBLK_PARAM_TYPE_BASIC | 1 << 20) }, 0 },
	};
	struct ublk_params params, got;
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 4))
		return;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		params = rig.params;
		for (int c = 0; c < 2; c++)
			memcpy((char *)&params + cases[i].change[c].at,
			       &cases[i].change[c].value,
			       cases[i].change[c].size);
		is(raw_set_params(&ctrl, rig.id, &params), cases[i].want,
		   cases[i].what);
	}
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS");
	is(got.types & 1 << 20, 0, "an unknown type is cleared");
	params = rig.params;
	is(raw_set_params(&ctrl, rig.id, &params), 0, "right ones again");
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS again");
	ok(!memcmp(&got.basic, &rig.params.basic, sizeof(got.basic)) &&
	   !memcmp(&got.discard, &rig.params.discard, sizeof(got.discard)),
	   "they are what was set");
	is(got.types & (UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD),
	   UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD,
	   "and of the types set");

	/* a shorter structure, as of an older server: what it holds, no more */
	memset(&got, 0xee, sizeof(got));
	got.len = offsetof(struct ublk_params, discard);
	is(raw_command(&ctrl, UBLK_U_CMD_GET_PARAMS, rig.id, &got, sizeof(got),
		       0), 0, "GET_PARAMS of an older server");
	ok(all_bytes(&got.discard, sizeof(got.discard), 0xee),
	   "nothing is written beyond its structure");
	rig_down(&rig);
}

/* Refused parameters leave a device that cannot be started. */
static void test_params_refused(void)
{
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 1))
		return;
	rig.params.basic.logical_bs_shift = 8;
	is(raw_set_params(&ctrl, rig.id, &rig.params), -EINVAL, "refused");
	is(raw_start(&ctrl, rig.id, getpid()), -EINVAL, "no START_DEV then");
	rig_down(&rig);
}

static void test_start(void)
{
	struct ublksrv_ctrl_dev_info info;
	struct rig rig;
	struct ublk_params got;
	struct stat st;
	char path[32];

	if (!rig_add(&rig, 0, 1, 2) || !rig_server(&rig))
		return;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	is(raw_start(&ctrl, rig.id, 0), -EINVAL, "START_DEV, server 0");
	is(raw_start(&ctrl, rig.id, -1), -EINVAL, "START_DEV, server -1");

	raw_fetch(&rig.queue[0], 0);
	raw_submit(&rig.queue[0]);
	is(raw_start_send(&ctrl, rig.id, getpid()), 0, "START_DEV, half ready");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits");
	is(raw_ctrl_cancel(&ctrl), 0, "interrupt it");
	is(raw_ctrl_answer(&ctrl, IO_MS), -EINTR, "it is interrupted");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_DEAD, "the device is DEAD");
	is(raw_open_disk(rig.id, O_RDONLY, 0), -ENOENT, "there is no disk");
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS before");
	ok(got.types & UBLK_PARAM_TYPE_DEVT, "tells numbers of nodes");
	fstat(rig.cdev, &st);
	is(got.devt.char_major, major(st.st_rdev), "major of /dev/ublkcN");
	is(got.devt.char_minor, minor(st.st_rdev), "minor of /dev/ublkcN");
	is(got.devt.disk_major, 0, "no disk yet");

	is(raw_start_send(&ctrl, rig.id, getpid()), 0, "START_DEV again");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits again");
	raw_fetch(&rig.queue[0], 1);
	raw_submit(&rig.queue[0]);
	is(rig_answer(&rig), 0, "it ends when the last tag is there");

	is(raw_info(&ctrl, rig.id, &info), 0, "GET_DEV_INFO");
	is(info.state, UBLK_S_DEV_LIVE, "the device is LIVE");
	is(info.ublksrv_pid, getpid(), "it tells the server");
	is(raw_start(&ctrl, rig.id, getpid()), -EEXIST, "START_DEV twice");
	is(raw_set_params(&ctrl, rig.id, &rig.params), -EACCES,
	   "no SET_PARAMS any more");
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS after");
	snprintf(path, sizeof(path), "/dev/ublkb%d", rig.id);
	is(stat(path, &st), 0, "there is a disk");
	is(got.devt.disk_major, major(st.st_rdev), "major of /dev/ublkbN");
	is(got.devt.disk_minor, minor(st.st_rdev), "minor of /dev/ublkbN");

	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_DEAD, "the device is DEAD");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "a command comes back");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "and the other one");
	is(raw_open_disk(rig.id, O_RDONLY, 0), -ENOENT, "the disk is gone");
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV again");
	rig_down(&rig);
}

/* What the disk looks like is what the parameters said. */
static void test_disk(void)
{
	struct rig rig;
	uint64_t bytes = 0;
	unsigned int number = 0;
	int value = 0;

	if (!rig_add(&rig, 0, 1, 2))
		return;
	rig.params.basic.attrs |= UBLK_ATTR_READ_ONLY | UBLK_ATTR_ROTATIONAL;
	rig.params.basic.logical_bs_shift = 11;
	rig.params.basic.io_min_shift = 12;
	rig.params.basic.io_opt_shift = 15;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (rig_server(&rig)) {
		rig_fetch_all(&rig);
		is(rig_start(&rig), 0, "START_DEV");
		rig.disk = raw_open_disk(rig.id, O_RDONLY, 5000);
		ioctl(rig.disk, BLKGETSIZE64, &bytes);
		is(bytes, DISK_BYTES, "size");
		ioctl(rig.disk, BLKSSZGET, &value);
		is(value, 2048, "logical block");
		ioctl(rig.disk, BLKPBSZGET, &number);
		is(number, 4096, "physical block");
		ioctl(rig.disk, BLKIOMIN, &number);
		is(number, 4096, "smallest I/O");
		ioctl(rig.disk, BLKIOOPT, &number);
		is(number, 32768, "best I/O");
		ioctl(rig.disk, BLKROGET, &value);
		is(value, 1, "read-only");
	}
	rig_down(&rig);
}

static long mapped(const struct rig *rig, size_t len, int protection,
		   int flags, off_t offset)
{
	void *map = mmap(NULL, len, protection, flags, rig->cdev, offset);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, len);
	return 0;
}

static void test_mmap(void)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	struct rig rig;
	void *map;
	size_t size;

	if (!rig_add(&rig, 0, 2, 200))	/* 200 descriptors: two pages */
		return;
	rig.cdev = raw_open_char(rig.id, 5000);
	size = raw_desc_size(200);
	is(mapped(&rig, size, PROT_READ, MAP_SHARED, raw_desc_offset(0)), 0,
	   "queue 0");
	if (rig.info.nr_hw_queues > 1)
		is(mapped(&rig, size, PROT_READ, MAP_SHARED,
			  raw_desc_offset(1)), 0, "queue 1");
	is(mapped(&rig, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		  raw_desc_offset(0)), -EPERM, "writable");
	is(mapped(&rig, size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		  raw_desc_offset(0)), -EPERM, "writable and private");
	is(mapped(&rig, size + page, PROT_READ, MAP_SHARED,
		  raw_desc_offset(0)), -EINVAL, "too long");
	is(mapped(&rig, 1024 * page, PROT_READ, MAP_SHARED,
		  raw_desc_offset(0)), -EINVAL, "much too long");
	is(mapped(&rig, page, PROT_READ, MAP_SHARED, raw_desc_offset(0)),
	   -EINVAL, "too short");
	is(mapped(&rig, size, PROT_READ, MAP_SHARED, raw_desc_offset(64)),
	   -EINVAL, "a queue that is not there");
	is(mapped(&rig, size, PROT_READ, MAP_SHARED, UBLKSRV_IO_BUF_OFFSET),
	   -EINVAL, "where the data is");
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, rig.cdev,
		   raw_desc_offset(0));
	if (ok(map != MAP_FAILED, "queue 0 again")) {
		is(mprotect(map, size, PROT_READ | PROT_WRITE) ? -errno : 0,
		   -EACCES, "it never becomes writable");
		ok(all_bytes(map, size, 0), "nothing of the kernel is in it");
		munmap(map, size);
	}
	rig_down(&rig);
}

static void test_second_opener(void)
{
	struct rig rig;
	int fd;

	if (!rig_add(&rig, 0, 1, 1))
		return;
	rig.cdev = raw_open_char(rig.id, 5000);
	ok(rig.cdev >= 0, "the first");
	is(raw_open_char(rig.id, 0), -EBUSY, "the second is refused");
	close(rig.cdev);
	rig.cdev = -1;
	fd = raw_open_char(rig.id, 0);
	ok(fd >= 0, "the next, when the first has closed it");
	close(fd);
	rig_down(&rig);
}

static void test_del_async(void)
{
	struct rig rig;
	int id, cdev;

	if (kernel < 606 && !ours) {
		skip("DEL_DEV_ASYNC", "came with Linux 6.6");
		return;
	}
	if (!rig_add(&rig, 0, 1, 1))
		return;
	id = rig.id;
	cdev = raw_open_char(id, 5000);
	ok(cdev >= 0, "open /dev/ublkcN");
	step("DEL_DEV_ASYNC while it is open");
	is(raw_del_async(&ctrl, id), 0, "DEL_DEV_ASYNC while it is open");
	close(cdev);
	for (int tries = 0; tries < 200; tries++) {
		rig.info.dev_id = id;
		if (raw_add(&ctrl, &rig.info) != -EEXIST)
			break;
		usleep(10000);
	}
	is(raw_state(&ctrl, id), UBLK_S_DEV_DEAD,
	   "the id is free soon after it is closed");
	is(raw_del(&ctrl, id), 0, "DEL_DEV");
}

#endif
