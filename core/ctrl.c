// SPDX-License-Identifier: GPL-2.0
/*
 * Control commands over a small io_uring of their own, and the probing of
 * what the driver offers.
 */
#include "core/ctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/message.h"

#define CONTROL_DEVICE "/dev/ublk-control"
#define DELETE_WAIT_MS 1000	/* for programs that are about to close it */
#define START_GRACE_MS 100	/* for the answer, when the server has ended */

/*
 * Linux takes the memory of a disk's tags and queues where it is free, and does
 * not wait until it is. A command for which there was none is given again.
 */
#define MEMORY_PAUSE_MS 100
#define MEMORY_TRIES 100

static bool kernel_at_least(unsigned long major, unsigned long minor)
{
	struct utsname name;
	unsigned long a, b;
	char *end;

	if (uname(&name))
		return false;
	a = strtoul(name.release, &end, 10);
	b = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	return a > major || (a == major && b >= minor);
}

static int ctrl_ring_init(struct ublk_ctrl *ctrl)
{
	return io_uring_queue_init(4, &ctrl->ring, IORING_SETUP_SQE128);
}

#define PATH_BYTES 24	/* of "/dev/ublkc" and a number */
#define DATA_MAX 1024

/*
 * A command to device @id, with @length bytes of @data there and back. One to a
 * user's device names its node, on which the driver looks up who may send it:
 * that stands in front of the data.
 */
struct exchange {
	uint32_t op;		/* encoded; its lower part is the plain opcode */
	int id;
	void *data;
	size_t length;
	uint64_t argument;
	bool has_path;
	char with_path[PATH_BYTES + DATA_MAX];
};

static void exchange_add_path(struct exchange *exchange)
{
	exchange->has_path = true;
	memset(exchange->with_path, 0, PATH_BYTES);
	snprintf(exchange->with_path, PATH_BYTES, "/dev/ublkc%d", exchange->id);
	if (exchange->length)
		memcpy(exchange->with_path + PATH_BYTES, exchange->data,
		       exchange->length);
}

static int ctrl_submit(struct ublk_ctrl *ctrl, const struct exchange *exchange)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ctrl->ring);
	struct ublksrv_ctrl_cmd command = {
		.dev_id = exchange->id,
		.queue_id = UINT16_MAX,
		.addr = (uintptr_t)exchange->data,
		.len = exchange->length,
		.data = { exchange->argument },
	};
	int ret;

	if (!sqe)
		return -EBUSY;
	if (exchange->has_path) {
		command.addr = (uintptr_t)exchange->with_path;
		command.len += PATH_BYTES;
		command.dev_path_len = PATH_BYTES;
	}
	memset(sqe, 0, 2 * sizeof(*sqe));	/* 128-byte SQEs */
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = ctrl->fd;
	sqe->cmd_op = ctrl->encoded ? exchange->op : _IOC_NR(exchange->op);
	memcpy(sqe->cmd, &command, sizeof(command));
	do {
		ret = io_uring_submit(&ctrl->ring);
	} while (ret == -EINTR);
	return ret < 0 ? ret : 0;
}

static int ctrl_wait(struct ublk_ctrl *ctrl)
{
	struct io_uring_cqe *cqe;
	int ret;

	do {
		ret = io_uring_wait_cqe(&ctrl->ring, &cqe);
	} while (ret == -EINTR);
	if (ret)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(&ctrl->ring, cqe);
	return ret;
}

/* Cancels a command, whose answer must not be taken for that of the next. */
static int ctrl_abandon(struct ublk_ctrl *ctrl)
{
	io_uring_queue_exit(&ctrl->ring);
	return ctrl_ring_init(ctrl);
}

static int ctrl_exchange(struct ublk_ctrl *ctrl, struct exchange *exchange)
{
	int ret = ctrl_submit(ctrl, exchange);

	if (!ret)
		ret = ctrl_wait(ctrl);
	if (ret >= 0 && exchange->has_path && exchange->length)
		memcpy(exchange->data, exchange->with_path + PATH_BYTES,
		       exchange->length);
	return ret < 0 ? ret : 0;
}

/* A command to no device, or to one that is not there yet. */
static int ctrl_send_plain(struct ublk_ctrl *ctrl, uint32_t op, int id,
			   void *data, size_t length)
{
	struct exchange exchange = {
		.op = op, .id = id, .data = data, .length = length,
	};

	return ctrl_exchange(ctrl, &exchange);
}

/* Puts a path into the command where the device is an ordinary user's. */
static void ctrl_address(struct ublk_ctrl *ctrl, struct exchange *exchange)
{
	struct ublksrv_ctrl_dev_info info;

	if (ctrl->known_id != exchange->id &&
	    ctrl_get_dev_info(ctrl, exchange->id, &info))
		return;
	if (ctrl->known_users)
		exchange_add_path(exchange);
}

static int ctrl_send(struct ublk_ctrl *ctrl, uint32_t op, int id, void *data,
		     size_t length, uint64_t argument)
{
	struct exchange exchange = {
		.op = op, .id = id, .data = data, .length = length,
		.argument = argument,
	};

	ctrl_address(ctrl, &exchange);
	return ctrl_exchange(ctrl, &exchange);
}

/*
 * GET_FEATURES came with 6.5. Before that the version tells: encoded commands
 * came with 6.4, and every driver since 6.0 has the first two features.
 */
static int ctrl_probe(struct ublk_ctrl *ctrl)
{
	int err;

	ctrl->encoded = true;
	err = ctrl_send_plain(ctrl, UBLK_U_CMD_GET_FEATURES, -1,
			      &ctrl->features, sizeof(ctrl->features));
	if (!err)
		return 0;
	if (err == -EPERM || err == -EACCES)
		return err;

	ctrl->features = UBLK_F_URING_CMD_COMP_IN_TASK | UBLK_F_NEED_GET_DATA;
	ctrl->encoded = kernel_at_least(6, 4);
	if (ctrl->encoded)
		ctrl->features |= UBLK_F_CMD_IOCTL_ENCODE;
	if (kernel_at_least(6, 1))
		ctrl->features |= UBLK_F_USER_RECOVERY |
				  UBLK_F_USER_RECOVERY_REISSUE;
	if (kernel_at_least(6, 3))
		ctrl->features |= UBLK_F_UNPRIVILEGED_DEV;
	return 0;
}

static int ctrl_open_failed(int err)
{
	if (err == ENOENT || err == ENODEV || err == ENXIO)
		message("%s: no ublk driver; the kernel needs "
			"CONFIG_BLK_DEV_UBLK=y (Linux 6.0 and later), or try "
			"`modprobe ublk_drv`", CONTROL_DEVICE);
	else if (err == EACCES || err == EPERM)
		message("%s: not permitted; run as root, or let users open it "
			"(chmod 666)", CONTROL_DEVICE);
	else
		message_fail(err, "%s", CONTROL_DEVICE);
	return -err;
}

static int ring_failed(int err)
{
	if (err == EPERM)
		message("io_uring is not permitted; see the sysctl "
			"kernel.io_uring_disabled");
	else if (err == ENOSYS)
		message("io_uring: the kernel needs CONFIG_IO_URING=y");
	else
		message_fail(err, "io_uring");
	return -err;
}

int ctrl_open(struct ublk_ctrl *ctrl)
{
	int err;

	memset(ctrl, 0, sizeof(*ctrl));
	ctrl->known_id = -1;
	ctrl->fd = open(CONTROL_DEVICE, O_RDWR | O_CLOEXEC);
	if (ctrl->fd < 0)
		return ctrl_open_failed(errno);
	err = ctrl_ring_init(ctrl);
	if (err) {
		close(ctrl->fd);
		return ring_failed(-err);
	}
	err = ctrl_probe(ctrl);
	if (err) {
		ctrl_close(ctrl);
		return ctrl_open_failed(-err);
	}
	return 0;
}

void ctrl_close(struct ublk_ctrl *ctrl)
{
	io_uring_queue_exit(&ctrl->ring);
	close(ctrl->fd);
}

static void ctrl_know(struct ublk_ctrl *ctrl,
		      const struct ublksrv_ctrl_dev_info *info)
{
	ctrl->known_id = info->dev_id;
	ctrl->known_users = info->flags & UBLK_F_UNPRIVILEGED_DEV;
}

/*
 * True when a command shall be given again: it returned @err, and @tries, 0 at
 * first, are not too many yet. Waits before that, and gives up when @cancel_fd,
 * -1: none, speaks.
 */
static bool ctrl_again(int err, int *tries, int cancel_fd)
{
	struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };

	return err == -ENOMEM && (*tries)++ < MEMORY_TRIES &&
	       poll(&cancel, 1, MEMORY_PAUSE_MS) <= 0;
}

int ctrl_add_dev(struct ublk_ctrl *ctrl, struct ublksrv_ctrl_dev_info *info)
{
	int tries = 0, err;

	do {
		err = ctrl_send_plain(ctrl, UBLK_U_CMD_ADD_DEV, info->dev_id,
				      info, sizeof(*info));
	} while (ctrl_again(err, &tries, -1));
	if (!err)
		ctrl_know(ctrl, info);
	return err;
}

int ctrl_get_dev_info(struct ublk_ctrl *ctrl, int id,
		      struct ublksrv_ctrl_dev_info *info)
{
	/* Whose a device is tells only the answer, so this always has a path. */
	const bool users = ctrl->features & UBLK_F_UNPRIVILEGED_DEV;
	struct exchange exchange = {
		.op = users ? UBLK_U_CMD_GET_DEV_INFO2 :
			      UBLK_U_CMD_GET_DEV_INFO,
		.id = id, .data = info, .length = sizeof(*info),
	};
	int err;

	memset(info, 0, sizeof(*info));
	if (users)
		exchange_add_path(&exchange);
	err = ctrl_exchange(ctrl, &exchange);
	/*
	 * Linux's driver looks for the path in any case, and where the ring's
	 * thread began: that of a root's server in a /dev that init has moved.
	 * Who is root needs no path.
	 */
	if (err == -ENOENT && users) {
		exchange = (struct exchange){
			.op = UBLK_U_CMD_GET_DEV_INFO,
			.id = id, .data = info, .length = sizeof(*info),
		};
		err = ctrl_exchange(ctrl, &exchange);
	}
	if (!err)
		ctrl_know(ctrl, info);
	return err;
}

int ctrl_del_dev(struct ublk_ctrl *ctrl, int id)
{
	struct exchange exchange = { .op = UBLK_U_CMD_DEL_DEV, .id = id };
	struct pollfd answer = { .events = POLLIN };
	int ret;

	ctrl_address(ctrl, &exchange);
	ret = ctrl_submit(ctrl, &exchange);
	if (ret)
		return ret;
	answer.fd = ctrl->ring.ring_fd;
	do {
		ret = poll(&answer, 1, DELETE_WAIT_MS);
	} while (ret < 0 && errno == EINTR);
	if (ret > 0)
		return ctrl_wait(ctrl);
	ret = ctrl_abandon(ctrl);
	return ret ? ret : -EBUSY;
}

/*
 * Sends what waits until @server has fetched every tag, or until @cancel_fd speaks
 * and @grace_ms have passed since: a command that fails can end the server, and its
 * answer says more.
 */
static int ctrl_send_waiting(struct ublk_ctrl *ctrl, uint32_t op, int id,
			     pid_t server, int cancel_fd, int grace_ms)
{
	struct exchange exchange = { .op = op, .id = id, .argument = server };
	struct pollfd either[] = {
		{ .events = POLLIN },
		{ .fd = cancel_fd, .events = POLLIN },
	};
	int ret;

	ctrl_address(ctrl, &exchange);
	ret = ctrl_submit(ctrl, &exchange);
	if (ret)
		return ret;
	either[0].fd = ctrl->ring.ring_fd;
	while (!either[0].revents && !either[1].revents) {
		if (poll(either, 2, -1) < 0 && errno != EINTR)
			return -errno;
	}
	if (either[0].revents || poll(either, 1, grace_ms) > 0)
		return ctrl_wait(ctrl);

	ret = ctrl_abandon(ctrl);
	return ret ? ret : -ECANCELED;
}

int ctrl_start_dev(struct ublk_ctrl *ctrl, int id, pid_t server,
		   int cancel_fd)
{
	int tries = 0, err;

	do {
		err = ctrl_send_waiting(ctrl, UBLK_U_CMD_START_DEV, id, server,
					cancel_fd, START_GRACE_MS);
	} while (ctrl_again(err, &tries, cancel_fd));
	return err;
}

int ctrl_start_recovery(struct ublk_ctrl *ctrl, int id)
{
	return ctrl_send(ctrl, UBLK_U_CMD_START_USER_RECOVERY, id, NULL, 0, 0);
}

int ctrl_end_recovery(struct ublk_ctrl *ctrl, int id, pid_t server,
		      int cancel_fd)
{
	return ctrl_send_waiting(ctrl, UBLK_U_CMD_END_USER_RECOVERY, id, server,
				 cancel_fd, 0);
}

int ctrl_quiesce_dev(struct ublk_ctrl *ctrl, int id, unsigned int milliseconds)
{
	return ctrl_send(ctrl, UBLK_U_CMD_QUIESCE_DEV, id, NULL, 0,
			 milliseconds);
}

int ctrl_stop_dev(struct ublk_ctrl *ctrl, int id)
{
	return ctrl_send(ctrl, UBLK_U_CMD_STOP_DEV, id, NULL, 0, 0);
}

int ctrl_set_params(struct ublk_ctrl *ctrl, int id, struct ublk_params *params)
{
	params->len = sizeof(*params);
	return ctrl_send(ctrl, UBLK_U_CMD_SET_PARAMS, id, params,
			 sizeof(*params), 0);
}

int ctrl_get_params(struct ublk_ctrl *ctrl, int id, struct ublk_params *params)
{
	memset(params, 0, sizeof(*params));
	params->len = sizeof(*params);
	return ctrl_send(ctrl, UBLK_U_CMD_GET_PARAMS, id, params,
			 sizeof(*params), 0);
}

int ctrl_get_queue_affinity(struct ublk_ctrl *ctrl, int id, unsigned int queue,
			    cpu_set_t *cpus)
{
	CPU_ZERO(cpus);
	return ctrl_send(ctrl, UBLK_U_CMD_GET_QUEUE_AFFINITY, id, cpus,
			 sizeof(*cpus), queue);
}
