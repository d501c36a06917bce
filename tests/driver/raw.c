// SPDX-License-Identifier: GPL-2.0
/*
 * The raw interface of the ublk driver: io_uring commands and nothing more. See
 * raw.h.
 */
#include "tests/driver/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CANCEL_USER_DATA UINT64_MAX

static struct __kernel_timespec timespec_of_ms(int ms)
{
	return (struct __kernel_timespec){
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int submit(struct io_uring *ring)
{
	int ret;

	do {
		ret = io_uring_submit(ring);
	} while (ret == -EINTR);
	return ret < 0 ? ret : 0;
}

/* Waits for any completion until a point in time, despite signals. */
static int wait_until_ms(struct io_uring *ring, struct io_uring_cqe **cqe,
			 int64_t end)
{
	struct __kernel_timespec left;
	int64_t ms;
	int ret;

	do {
		ms = end - now_ms();
		left = timespec_of_ms(ms > 0 ? ms : 0);
		ret = io_uring_wait_cqe_timeout(ring, cqe, &left);
	} while (ret == -EINTR);
	return ret;
}

/*
 * Before GET_FEATURES and encoded opcodes, the version decides (6.0: no
 * recovery).
 */
static void guess_features(struct raw_ctrl *ctrl)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	minor += 100 * major;
	ctrl->features = UBLK_F_URING_CMD_COMP_IN_TASK | UBLK_F_NEED_GET_DATA;
	if (minor >= 601)
		ctrl->features |= UBLK_F_USER_RECOVERY |
				  UBLK_F_USER_RECOVERY_REISSUE;
	if (minor >= 603)
		ctrl->features |= UBLK_F_UNPRIVILEGED_DEV;
	ctrl->encoded = minor >= 604;
	if (ctrl->encoded)
		ctrl->features |= UBLK_F_CMD_IOCTL_ENCODE;
}

int raw_ctrl_open(struct raw_ctrl *ctrl)
{
	int err;

	memset(ctrl, 0, sizeof(*ctrl));
	ctrl->fd = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (ctrl->fd < 0)
		return -errno;
	err = io_uring_queue_init(8, &ctrl->ring, IORING_SETUP_SQE128);
	if (err) {
		close(ctrl->fd);
		return err;
	}
	ctrl->encoded = true;
	if (raw_command(ctrl, UBLK_U_CMD_GET_FEATURES, -1, &ctrl->features,
			UBLK_FEATURES_LEN, 0))
		guess_features(ctrl);
	return 0;
}

void raw_ctrl_close(struct raw_ctrl *ctrl)
{
	io_uring_queue_exit(&ctrl->ring);
	close(ctrl->fd);
}

/* Converts an encoded number to what the ring needs. */
static uint32_t op_number(uint32_t op, bool encoded)
{
	return !encoded && _IOC_TYPE(op) == 'u' ? _IOC_NR(op) : op;
}

int raw_ctrl_send(struct raw_ctrl *ctrl, uint32_t op,
		  const struct ublksrv_ctrl_cmd *cmd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ctrl->ring);

	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = ctrl->fd;
	sqe->cmd_op = op_number(op, ctrl->encoded);
	sqe->user_data = ++ctrl->sent;
	memcpy(sqe->cmd, cmd, sizeof(*cmd));
	return submit(&ctrl->ring);
}

int raw_ctrl_answer(struct raw_ctrl *ctrl, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	struct io_uring_cqe *cqe;
	uint64_t user_data;
	int ret;

	do {
		ret = wait_until_ms(&ctrl->ring, &cqe, end);
		if (ret)
			return ret;
		user_data = cqe->user_data;
		ret = cqe->res;
		io_uring_cqe_seen(&ctrl->ring, cqe);
	} while (user_data != ctrl->sent);
	return ret;
}

int raw_ctrl_cancel(struct raw_ctrl *ctrl)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ctrl->ring);

	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->fd = -1;
	sqe->addr = ctrl->sent;
	sqe->user_data = CANCEL_USER_DATA;
	return submit(&ctrl->ring);
}

int raw_ctrl(struct raw_ctrl *ctrl, uint32_t op,
	     const struct ublksrv_ctrl_cmd *cmd)
{
	int err = raw_ctrl_send(ctrl, op, cmd);

	return err ? err : raw_ctrl_answer(ctrl, RAW_PATIENCE_MS);
}

/* Fills in @cmd for raw_command(): path and data in one argument. */
static int command_body(struct raw_ctrl *ctrl, int id, void *data, size_t len,
			uint64_t number, struct ublksrv_ctrl_cmd *cmd)
{
	size_t path_len;

	*cmd = (struct ublksrv_ctrl_cmd){
		.dev_id = id,
		.queue_id = UINT16_MAX,
		.addr = (uintptr_t)data,
		.len = len,
		.data = { number },
	};
	if (!ctrl->path)
		return 0;
	path_len = strlen(ctrl->path) + 1;
	if (path_len + len > sizeof(ctrl->argument))
		return -E2BIG;
	memcpy(ctrl->argument, ctrl->path, path_len);
	if (len)
		memcpy(ctrl->argument + path_len, data, len);
	cmd->addr = (uintptr_t)ctrl->argument;
	cmd->len = path_len + len;
	cmd->dev_path_len = path_len;
	return 0;
}

int raw_command(struct raw_ctrl *ctrl, uint32_t op, int id, void *data,
		size_t len, uint64_t number)
{
	struct ublksrv_ctrl_cmd cmd;
	int ret;

	ret = command_body(ctrl, id, data, len, number, &cmd);
	if (ret)
		return ret;
	ret = raw_ctrl(ctrl, op, &cmd);
	if (len && cmd.dev_path_len)
		memcpy(data, ctrl->argument + cmd.dev_path_len, len);
	return ret;
}

int raw_add(struct raw_ctrl *ctrl, struct ublksrv_ctrl_dev_info *info)
{
	const struct ublksrv_ctrl_cmd cmd = {
		.dev_id = info->dev_id,
		.queue_id = UINT16_MAX,
		.addr = (uintptr_t)info,
		.len = sizeof(*info),
	};

	return raw_ctrl(ctrl, UBLK_U_CMD_ADD_DEV, &cmd);
}

int raw_set_params(struct raw_ctrl *ctrl, int id, struct ublk_params *params)
{
	return raw_command(ctrl, UBLK_U_CMD_SET_PARAMS, id, params,
			   sizeof(*params), 0);
}

int raw_get_params(struct raw_ctrl *ctrl, int id, struct ublk_params *params)
{
	memset(params, 0, sizeof(*params));
	params->len = sizeof(*params);
	return raw_command(ctrl, UBLK_U_CMD_GET_PARAMS, id, params,
			   sizeof(*params), 0);
}

int raw_info(struct raw_ctrl *ctrl, int id, struct ublksrv_ctrl_dev_info *info)
{
	return raw_command(ctrl, ctrl->path ? UBLK_U_CMD_GET_DEV_INFO2 :
			   UBLK_U_CMD_GET_DEV_INFO, id, info, sizeof(*info), 0);
}

int raw_start(struct raw_ctrl *ctrl, int id, int pid)
{
	return raw_command(ctrl, UBLK_U_CMD_START_DEV, id, NULL, 0, pid);
}

int raw_command_send(struct raw_ctrl *ctrl, uint32_t op, int id,
			uint64_t number)
{
	struct ublksrv_ctrl_cmd cmd;
	int err;

	err = command_body(ctrl, id, NULL, 0, number, &cmd);
	return err ? err : raw_ctrl_send(ctrl, op, &cmd);
}

int raw_start_send(struct raw_ctrl *ctrl, int id, int pid)
{
	return raw_command_send(ctrl, UBLK_U_CMD_START_DEV, id, pid);
}

int raw_stop(struct raw_ctrl *ctrl, int id)
{
	return raw_command(ctrl, UBLK_U_CMD_STOP_DEV, id, NULL, 0, 0);
}

int raw_del(struct raw_ctrl *ctrl, int id)
{
	return raw_command(ctrl, UBLK_U_CMD_DEL_DEV, id, NULL, 0, 0);
}

int raw_del_async(struct raw_ctrl *ctrl, int id)
{
	return raw_command(ctrl, UBLK_U_CMD_DEL_DEV_ASYNC, id, NULL, 0, 0);
}

int raw_start_recovery(struct raw_ctrl *ctrl, int id)
{
	return raw_command(ctrl, UBLK_U_CMD_START_USER_RECOVERY, id, NULL, 0,
			   0);
}

int raw_end_recovery(struct raw_ctrl *ctrl, int id, int pid)
{
	return raw_command(ctrl, UBLK_U_CMD_END_USER_RECOVERY, id, NULL, 0,
			   pid);
}

int raw_end_recovery_send(struct raw_ctrl *ctrl, int id, int pid)
{
	return raw_command_send(ctrl, UBLK_U_CMD_END_USER_RECOVERY, id, pid);
}

int raw_update_size(struct raw_ctrl *ctrl, int id, uint64_t sectors)
{
	return raw_command(ctrl, UBLK_U_CMD_UPDATE_SIZE, id, NULL, 0, sectors);
}

int raw_quiesce(struct raw_ctrl *ctrl, int id, uint64_t timeout_ms)
{
	return raw_command(ctrl, UBLK_U_CMD_QUIESCE_DEV, id, NULL, 0,
			   timeout_ms);
}

int raw_state(struct raw_ctrl *ctrl, int id)
{
	struct ublksrv_ctrl_dev_info info = { 0 };
	int err = raw_info(ctrl, id, &info);

	return err ? err : info.state;
}

void raw_params(struct ublk_params *params, uint64_t bytes, uint32_t max_io)
{
	*params = (struct ublk_params){
		.len = sizeof(*params),
		.types = UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD,
		.basic = {
			.attrs = UBLK_ATTR_VOLATILE_CACHE | UBLK_ATTR_FUA,
			.logical_bs_shift = 9,
			.physical_bs_shift = 12,
			.io_opt_shift = 12,
			.io_min_shift = 9,
			.max_sectors = max_io >> 9,
			.dev_sectors = bytes >> 9,
		},
		.discard = {
			.discard_granularity = 4096,
			.max_discard_sectors = 1 << 16,
			.max_write_zeroes_sectors = 1 << 16,
			.max_discard_segments = 1,
		},
	};
}

static int open_for(const char *kind, int id, int flags, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ublk%s%d", kind, id);
	for (;;) {
		fd = open(path, flags | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (now_ms() >= end)
			return -errno;
		usleep(5000);
	}
}

int raw_open_char(int id, int timeout_ms)
{
	return open_for("c", id, O_RDWR, timeout_ms);
}

int raw_open_disk(int id, int flags, int timeout_ms)
{
	return open_for("b", id, flags, timeout_ms);
}

static size_t whole_pages(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

size_t raw_desc_size(unsigned int depth)
{
	return whole_pages(depth * sizeof(struct ublksrv_io_desc));
}

off_t raw_desc_offset(unsigned int queue)
{
	return UBLKSRV_CMD_BUF_OFFSET +
	       (off_t)queue * raw_desc_size(UBLK_MAX_QUEUE_DEPTH);
}

int raw_queue_open(struct raw_queue *queue, const struct raw_ctrl *ctrl,
		   int cdev, unsigned int id, unsigned int depth,
		   size_t max_io)
{
	void *map;
	int err;

	memset(queue, 0, sizeof(*queue));
	queue->cdev = cdev;
	queue->id = id;
	queue->depth = depth;
	queue->encoded = ctrl->encoded;
	queue->max_io = max_io;
	queue->desc_size = raw_desc_size(depth);
	map = mmap(NULL, queue->desc_size, PROT_READ,
		   MAP_SHARED | MAP_POPULATE, cdev, raw_desc_offset(id));
	if (map == MAP_FAILED)
		return -errno;
	queue->desc = map;
	if (max_io) {
		map = mmap(NULL, depth * max_io, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED) {
			err = -errno;
			goto unmap_desc;
		}
		queue->data = map;
	}
	err = io_uring_queue_init(2 * depth, &queue->ring, IORING_SETUP_SQE128);
	if (!err)
		return 0;
	if (queue->data)
		munmap(queue->data, depth * max_io);
unmap_desc:
	munmap((void *)queue->desc, queue->desc_size);
	return err;
}

void raw_queue_close(struct raw_queue *queue)
{
	io_uring_queue_exit(&queue->ring);
	munmap((void *)queue->desc, queue->desc_size);
	if (queue->data)
		munmap(queue->data, queue->depth * queue->max_io);
	if (queue->batch)
		raw_batch_close(queue);
}

char *raw_data(const struct raw_queue *queue, unsigned int tag)
{
	return queue->data + tag * queue->max_io;
}

/* user_data: the plain opcode above the tag. */
void raw_io(struct raw_queue *queue, uint32_t op, unsigned int q_id,
	    unsigned int tag, int result, uint64_t addr)
{
	const struct ublksrv_io_cmd cmd = {
		.q_id = q_id,
		.tag = tag,
		.result = result,
		.addr = addr,
	};
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&queue->ring)))
		submit(&queue->ring);
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = queue->cdev;
	sqe->cmd_op = op_number(op, queue->encoded);
	sqe->addr = queue->sqe_addr;
	sqe->user_data = (uint64_t)_IOC_NR(op) << 16 | (tag & 0xffff);
	memcpy(sqe->cmd, &cmd, sizeof(cmd));
}

static void command_of_tag(struct raw_queue *queue, uint32_t op,
			   unsigned int tag, int result)
{
	raw_io(queue, op, queue->id, tag, result,
	       queue->data ? (uintptr_t)raw_data(queue, tag) : 0);
}

void raw_fetch(struct raw_queue *queue, unsigned int tag)
{
	if (queue->batch)
		return raw_batch_one(queue, UBLK_U_IO_PREP_IO_CMDS, tag, 0);
	command_of_tag(queue, UBLK_U_IO_FETCH_REQ, tag, -1);
}

void raw_commit(struct raw_queue *queue, unsigned int tag, int result)
{
	if (queue->batch)
		return raw_batch_one(queue, UBLK_U_IO_COMMIT_IO_CMDS, tag,
				     result);
	command_of_tag(queue, UBLK_U_IO_COMMIT_AND_FETCH_REQ, tag, result);
}

void raw_get_data(struct raw_queue *queue, unsigned int tag)
{
	command_of_tag(queue, UBLK_U_IO_NEED_GET_DATA, tag, -1);
}

int raw_submit(struct raw_queue *queue)
{
	return submit(&queue->ring);
}

int raw_reap(struct raw_queue *queue, struct raw_done *done, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	struct io_uring_cqe *cqe;
	bool said;
	int err;

	err = submit(&queue->ring);
	do {
		if (!err && queue->batch && raw_batch_next(queue, done))
			return 0;
		if (!err)
			err = wait_until_ms(&queue->ring, &cqe, end);
		if (err)
			return err;
		done->op = cqe->user_data >> 16;
		done->tag = cqe->user_data & 0xffff;
		done->result = cqe->res;
		said = !queue->batch || raw_batch_completed(queue, cqe, done);
		io_uring_cqe_seen(&queue->ring, cqe);
	} while (!said);
	return 0;
}

off_t raw_copy_offset(unsigned int queue, unsigned int tag, size_t offset)
{
	return UBLKSRV_IO_BUF_OFFSET + ((off_t)queue << UBLK_QID_OFF) +
	       ((off_t)tag << UBLK_TAG_OFF) + (off_t)offset;
}
