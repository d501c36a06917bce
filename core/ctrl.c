// SPDX-License-Identifier: GPL-2.0
/*
 * Control commands over a small io_uring of their own, and the probe for the
 * driver's features.
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

#include "lib/message.h"

#define CONTROL_DEVICE "/dev/ublk-control"
#define BESIDE (UINT64_C(1) << 63)	/* in user_data: not a command */
#define STOPS_MAX 16		/* at once: each takes a kernel thread */
#define DELETE_WAIT_MS 1000	/* for programs that are about to close it */
#define START_GRACE_MS 100	/* for the result, after the server has ended */

/*
 * A command that fails with ENOMEM, or because it was interrupted, is repeated:
 * Linux allocates the tags and queues of a disk only from memory that is free,
 * and does not wait for more.
 */
#define AGAIN_MS 100
#define AGAIN_TRIES 100

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

/*
 * Whether to repeat a command that returned @err. Counts the repetitions in
 * @tries, which starts at 0, and sleeps before each. Stops when @cancel_fd (-1:
 * none) becomes readable.
 */
static bool ctrl_again(int err, int *tries, int cancel_fd)
{
	struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };

	if (err != -ENOMEM && err != -EAGAIN && err != -EINTR)
		return false;
	return (*tries)++ < AGAIN_TRIES && poll(&cancel, 1, AGAIN_MS) <= 0;
}

/*
 * A command for device @id that sends and receives @length bytes of @data. For
 * an ordinary user's device, the path of its node comes before the data: the
 * driver checks on that node whether the caller may send the command.
 */
struct exchange {
	uint32_t op;		/* encoded; the low bits are the plain opcode */
	int id;
	void *data;
	size_t length;
	uint64_t argument;
	bool has_path;
};

/*
 * Copies path and data to the buffer that the driver reads. Returns their
 * length.
 */
static size_t exchange_write(struct ublk_ctrl *ctrl,
			     const struct exchange *exchange)
{
	size_t path = exchange->has_path ? CTRL_PATH_BYTES : 0;

	if (path) {
		memset(ctrl->data, 0, path);
		snprintf(ctrl->data, path, "/dev/ublkc%d", exchange->id);
	}
	if (exchange->length)
		memcpy(ctrl->data + path, exchange->data, exchange->length);
	return path + exchange->length;
}

static void exchange_read(const struct ublk_ctrl *ctrl,
			  const struct exchange *exchange)
{
	size_t path = exchange->has_path ? CTRL_PATH_BYTES : 0;

	if (exchange->length)
		memcpy(exchange->data, ctrl->data + path, exchange->length);
}

/*
 * When a submission fails, the SQE stays in the ring. The next command must
 * then reuse it, not follow it.
 */
static struct io_uring_sqe *ctrl_sqe(struct ublk_ctrl *ctrl)
{
	if (!io_uring_sq_ready(&ctrl->ring))
		ctrl->sqe = io_uring_get_sqe(&ctrl->ring);
	memset(ctrl->sqe, 0, 2 * sizeof(*ctrl->sqe));	/* 128-byte SQEs */
	return ctrl->sqe;
}

static int ctrl_push(struct ublk_ctrl *ctrl)
{
	int ret = io_uring_submit(&ctrl->ring);

	if (ret < 0)
		return ret;
	return io_uring_sq_ready(&ctrl->ring) ? -EAGAIN : 0;
}

/* Prepares an SQE for the command, without its number. */
static void ctrl_fill(struct ublk_ctrl *ctrl, const struct exchange *exchange)
{
	struct io_uring_sqe *sqe = ctrl_sqe(ctrl);
	struct ublksrv_ctrl_cmd command = {
		.dev_id = exchange->id,
		.queue_id = UINT16_MAX,
		.data = { exchange->argument },
	};

	command.len = exchange_write(ctrl, exchange);
	if (command.len)
		command.addr = (uintptr_t)ctrl->data;
	if (exchange->has_path)
		command.dev_path_len = CTRL_PATH_BYTES;
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = ctrl->fd;
	sqe->cmd_op = ctrl->encoded ? exchange->op : _IOC_NR(exchange->op);
	memcpy(sqe->cmd, &command, sizeof(command));
}

static int ctrl_submit(struct ublk_ctrl *ctrl, const struct exchange *exchange)
{
	ctrl_fill(ctrl, exchange);
	ctrl->sqe->user_data = ++ctrl->last;
	return ctrl_push(ctrl);
}

void ctrl_set_beside(struct ublk_ctrl *ctrl, ctrl_beside_fn *answered,
		     void *arg)
{
	ctrl->beside = answered;
	ctrl->beside_arg = arg;
}

struct io_uring_sqe *ctrl_sqe_beside(struct ublk_ctrl *ctrl)
{
	return ctrl_sqe(ctrl);
}

void ctrl_submit_beside(struct ublk_ctrl *ctrl, uint64_t number)
{
	ctrl->sqe->user_data = BESIDE | number;
	while (ctrl_push(ctrl))
		poll(NULL, 0, AGAIN_MS);
}

/*
 * Handles completions. Returns true, with the result in @answer, once the last
 * command has completed. An abandoned command may still complete later; its
 * result is dropped.
 */
static bool ctrl_answered(struct ublk_ctrl *ctrl, int *answer)
{
	struct io_uring_cqe *cqe;
	bool answered = false;

	while (!answered && !io_uring_peek_cqe(&ctrl->ring, &cqe)) {
		struct io_uring_cqe completed = *cqe;

		io_uring_cqe_seen(&ctrl->ring, cqe);
		answered = completed.user_data == ctrl->last;
		if (answered)
			*answer = completed.res;
		else if (completed.user_data & BESIDE && ctrl->beside)
			ctrl->beside(ctrl->beside_arg,
				     completed.user_data & ~BESIDE,
				     completed.res);
	}
	return answered;
}

void ctrl_beside(struct ublk_ctrl *ctrl)
{
	int answer;

	/* Only an abandoned command can be among them. */
	while (ctrl_answered(ctrl, &answer))
		;
}

/*
 * Cancels the last command, so that a late result is not taken for that of the
 * next command. If it cannot be cancelled, it keeps running.
 */
static void ctrl_abandon(struct ublk_ctrl *ctrl)
{
	uint64_t abandoned = ctrl->last++;
	int tries = 0, err;

	do {
		struct io_uring_sqe *sqe = ctrl_sqe(ctrl);

		sqe->opcode = IORING_OP_ASYNC_CANCEL;
		sqe->fd = -1;
		sqe->addr = abandoned;
		sqe->user_data = ctrl->last;
		err = ctrl_push(ctrl);
	} while (ctrl_again(err, &tries, -1));
}

/*
 * Waits up to @timeout_ms (-1: for ever) for the result of the last command.
 * When @cancel_fd (-1: none) becomes readable, waits @grace_ms more. Returns
 * the result, or -ECANCELED after a timeout: then the command was abandoned.
 */
static int ctrl_wait(struct ublk_ctrl *ctrl, int timeout_ms, int cancel_fd,
		     int grace_ms)
{
	struct pollfd either[] = {
		{ .fd = ctrl->ring.ring_fd, .events = POLLIN },
		{ .fd = cancel_fd, .events = POLLIN },
	};
	int answer, ready;

	while (!ctrl_answered(ctrl, &answer)) {
		ready = poll(either, 2, timeout_ms);
		if (ready < 0 && errno != EINTR)
			poll(NULL, 0, AGAIN_MS);
		if (!ready) {
			ctrl_abandon(ctrl);
			return -ECANCELED;
		}
		if (ready > 0 && either[1].revents) {
			either[1].fd = -1;
			either[1].revents = 0;
			timeout_ms = grace_ms;
		}
	}
	return answer < 0 ? answer : 0;
}

/*
 * Sends a command and waits for its result as ctrl_wait() does. Repeats it if
 * that may help; *@tries counts the repetitions.
 */
static int ctrl_give(struct ublk_ctrl *ctrl, const struct exchange *exchange,
		     int timeout_ms, int cancel_fd, int grace_ms, int *tries)
{
	int err;

	*tries = 0;
	do {
		err = ctrl_submit(ctrl, exchange);
		if (!err)
			err = ctrl_wait(ctrl, timeout_ms, cancel_fd, grace_ms);
	} while (ctrl_again(err, tries, cancel_fd));
	return err;
}

static int ctrl_exchange(struct ublk_ctrl *ctrl,
			 const struct exchange *exchange)
{
	int tries;
	int err = ctrl_give(ctrl, exchange, -1, -1, 0, &tries);

	if (!err)
		exchange_read(ctrl, exchange);
	return err;
}

/*
 * Sends a command that needs no path: its device does not exist yet, or it is
 * for none.
 */
static int ctrl_send_plain(struct ublk_ctrl *ctrl, uint32_t op, int id,
			   void *data, size_t length)
{
	struct exchange exchange = {
		.op = op, .id = id, .data = data, .length = length,
	};

	return ctrl_exchange(ctrl, &exchange);
}

/*
 * Sets has_path if an ordinary user owns the device. Returns 0 or -errno. A
 * device that does not exist needs no path: the command itself then returns
 * -ENODEV.
 */
static int ctrl_address(struct ublk_ctrl *ctrl, struct exchange *exchange)
{
	struct ublksrv_ctrl_dev_info info;
	int err = 0;

	if (ctrl->known_id != exchange->id)
		err = ctrl_get_dev_info(ctrl, exchange->id, &info);
	if (!err)
		exchange->has_path = ctrl->known_unprivileged;
	return err == -ENODEV ? 0 : err;
}

static int ctrl_send(struct ublk_ctrl *ctrl, uint32_t op, int id, void *data,
		     size_t length, uint64_t argument)
{
	struct exchange exchange = {
		.op = op, .id = id, .data = data, .length = length,
		.argument = argument,
	};
	int err = ctrl_address(ctrl, &exchange);

	return err ? err : ctrl_exchange(ctrl, &exchange);
}

/*
 * GET_FEATURES exists since Linux 6.5. For older kernels the version decides:
 * encoded commands came with 6.4, and every driver since 6.0 has the first two
 * features.
 */
static int ctrl_probe(struct ublk_ctrl *ctrl)
{
	int err;

	ctrl->encoded = true;
	err = ctrl_send_plain(ctrl, UBLK_U_CMD_GET_FEATURES, -1,
			      &ctrl->features, sizeof(ctrl->features));
	/* The errors of drivers that do not know GET_FEATURES. */
	if (err != -EINVAL && err != -EOPNOTSUPP && err != -ENOTTY &&
	    err != -ENODEV)
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
	ctrl->known_unprivileged = info->flags & UBLK_F_UNPRIVILEGED_DEV;
}

int ctrl_add_dev(struct ublk_ctrl *ctrl, struct ublksrv_ctrl_dev_info *info)
{
	int err = ctrl_send_plain(ctrl, UBLK_U_CMD_ADD_DEV, info->dev_id, info,
				  sizeof(*info));

	if (!err)
		ctrl_know(ctrl, info);
	return err;
}

int ctrl_get_dev_info(struct ublk_ctrl *ctrl, int id,
		      struct ublksrv_ctrl_dev_info *info)
{
	/*
	 * Only the result says whether an ordinary user owns the device, so the
	 * path is always sent.
	 */
	const bool users = ctrl->features & UBLK_F_UNPRIVILEGED_DEV;
	struct exchange exchange = {
		.op = users ? UBLK_U_CMD_GET_DEV_INFO2 :
			      UBLK_U_CMD_GET_DEV_INFO,
		.id = id, .data = info, .length = sizeof(*info),
		.has_path = users,
	};
	int err;

	memset(info, 0, sizeof(*info));
	err = ctrl_exchange(ctrl, &exchange);
	/*
	 * Before Linux 6.3, drivers say EINVAL for a device that does not
	 * exist.
	 */
	if (err == -EINVAL && !users)
		err = -ENODEV;
	/*
	 * Linux's driver looks up the path even for root, and in the mount
	 * namespace where the ring's kernel thread was created. For the server
	 * of a root filesystem that may be a /dev that init has moved since.
	 * Root needs no path.
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
	int err = ctrl_address(ctrl, &exchange);
	int tries;

	if (err)
		return err;
	err = ctrl_give(ctrl, &exchange, DELETE_WAIT_MS, -1, 0, &tries);
	return err == -ECANCELED ? -EBUSY : err;
}

/*
 * Sends a command that completes when @server has fetched every tag. Once
 * @cancel_fd is readable, waits @grace_ms longer: a command that fails can end
 * the server, and its own error says more than the server's end.
 */
static int ctrl_send_waiting(struct ublk_ctrl *ctrl, uint32_t op, int id,
			     pid_t server, int cancel_fd, int grace_ms)
{
	struct exchange exchange = { .op = op, .id = id, .argument = server };
	int err = ctrl_address(ctrl, &exchange);
	int tries;

	if (err)
		return err;
	err = ctrl_give(ctrl, &exchange, -1, cancel_fd, grace_ms, &tries);
	/* An interrupted START may have succeeded all the same. */
	return err == -EEXIST && tries ? 0 : err;
}

int ctrl_start_dev(struct ublk_ctrl *ctrl, int id, pid_t server,
		   int cancel_fd)
{
	return ctrl_send_waiting(ctrl, UBLK_U_CMD_START_DEV, id, server,
				 cancel_fd, START_GRACE_MS);
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
	struct ublksrv_ctrl_dev_info info;
	int err = ctrl_send(ctrl, UBLK_U_CMD_STOP_DEV, id, NULL, 0, 0);

	/*
	 * Before Linux 6.3, EINVAL also means that the device does not exist.
	 */
	if (err == -EINVAL && ctrl_get_dev_info(ctrl, id, &info) == -ENODEV)
		err = -ENODEV;
	return err;
}

/* State of ctrl_stop_devs(). A device's number is its index in @errs. */
struct stops {
	int *errs;
	unsigned int left;	/* commands that have not completed */
	bool unused;
};

static void stop_answered(void *arg, uint64_t number, int result)
{
	struct stops *stops = arg;

	/* It has no disk: the retry uses ctrl_stop_dev() as well. */
	if (stops->unused && result == -ENODEV)
		result = -EAGAIN;
	stops->errs[number] = result;
	stops->left--;
}

static void stops_wait(struct ublk_ctrl *ctrl, const struct stops *stops,
		       unsigned int most)
{
	struct pollfd ring = { .fd = ctrl->ring.ring_fd, .events = POLLIN };

	for (ctrl_beside(ctrl); stops->left > most; ctrl_beside(ctrl))
		if (poll(&ring, 1, -1) < 0 && errno != EINTR)
			poll(NULL, 0, AGAIN_MS);
}

/* Stops one device, and repeats the command if that may help. */
static int ctrl_stop_alone(struct ublk_ctrl *ctrl, int id, bool unused)
{
	int err = unused ? ctrl_try_stop_dev(ctrl, id) : -ENODEV;

	/* ctrl_try_stop_dev() refuses a device that has no disk. */
	return err == -ENODEV ? ctrl_stop_dev(ctrl, id) : err;
}

/*
 * By default the kernel has four threads for a small ring, and further commands
 * wait for one of them. If the limit cannot be raised, they still wait.
 */
static void stops_have_threads(struct ublk_ctrl *ctrl)
{
	unsigned int threads[] = { STOPS_MAX, 0 };	/* 0: unchanged */

	io_uring_register_iowq_max_workers(&ctrl->ring, threads);
}

void ctrl_stop_devs(struct ublk_ctrl *ctrl, const int *ids, int *errs,
		    unsigned int count, bool unused)
{
	struct stops stops = { .errs = errs, .unused = unused };
	unsigned int i;

	stops_have_threads(ctrl);
	ctrl_set_beside(ctrl, stop_answered, &stops);
	for (i = 0; i < count; i++) {
		struct exchange exchange = {
			.op = unused ? UBLK_U_CMD_TRY_STOP_DEV :
				       UBLK_U_CMD_STOP_DEV,
			.id = ids[i],
		};

		if (errs[i])
			continue;
		errs[i] = ctrl_address(ctrl, &exchange);
		if (errs[i])
			continue;
		/*
		 * The buffer for a path must not change until the driver has
		 * read it.
		 */
		if (exchange.has_path) {
			errs[i] = ctrl_stop_alone(ctrl, ids[i], unused);
			continue;
		}
		stops_wait(ctrl, &stops, STOPS_MAX - 1);
		ctrl_fill(ctrl, &exchange);
		stops.left++;
		ctrl_submit_beside(ctrl, i);
	}
	stops_wait(ctrl, &stops, 0);
	ctrl_set_beside(ctrl, NULL, NULL);
	for (i = 0; i < count; i++)
		if (errs[i] && errs[i] != -ENODEV &&
		    !(unused && errs[i] == -EBUSY))
			errs[i] = ctrl_stop_alone(ctrl, ids[i], unused);
}

int ctrl_try_stop_dev(struct ublk_ctrl *ctrl, int id)
{
	return ctrl_send(ctrl, UBLK_U_CMD_TRY_STOP_DEV, id, NULL, 0, 0);
}

int ctrl_set_params(struct ublk_ctrl *ctrl, int id,
		    const struct ublk_params *params, uint32_t memory_alignment)
{
	/* Headers of Linux 6.12 do not have this, which follows the zones. */
	struct dma {
		uint32_t mask;
		uint8_t pad[4];
	} dma = { .mask = memory_alignment - 1 };
	enum {
		DMA_TYPE = 1 << 4,
		DMA_AT = offsetof(struct ublk_params, zoned) +
			 sizeof(params->zoned),
	};
	union {
		struct ublk_params params;
		char bytes[DMA_AT + sizeof(struct dma)];
	} all;

	memset(&all, 0, sizeof(all));
	all.params = *params;
	all.params.len = sizeof(all);
	if (memory_alignment) {
		all.params.types |= DMA_TYPE;
		memcpy(all.bytes + DMA_AT, &dma, sizeof(dma));
	}
	return ctrl_send(ctrl, UBLK_U_CMD_SET_PARAMS, id, &all, sizeof(all), 0);
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
