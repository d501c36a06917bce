// SPDX-License-Identifier: GPL-2.0
/*
 * A server that fails every request. It reads neither descriptors nor data, and
 * needs no target.
 */
#include "core/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/device.h"
#include "core/node.h"
#include "lib/message.h"

/* Newer than the kernel headers that we build with. */
#ifndef UBLK_AUTO_BUF_REG_FALLBACK
#define UBLK_AUTO_BUF_REG_FALLBACK (1 << 0)
#endif
#define LEND_FLAGS_SHIFT 16	/* position of the flags in an SQE's addr */

/* A number of ctrl_submit_beside() is a queue, shifted by this, and a tag. */
#define TAG_BITS 16

static void fail_command(struct fail *fail, uint64_t number, uint32_t op)
{
	struct ublk_device *device = fail->device;
	struct io_uring_sqe *sqe = ctrl_sqe_beside(&device->ctrl);
	struct ublksrv_io_cmd command = {
		.q_id = number >> TAG_BITS,
		.tag = number & ((1 << TAG_BITS) - 1),
		.result = -EIO,
	};

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fail->fd;
	sqe->cmd_op = device->ctrl.encoded ? op : _IOC_NR(op);
	/*
	 * This ring has no buffer table. The flag tells the driver, which then
	 * delivers the request without pages.
	 */
	if (device->info.flags & UBLK_F_AUTO_BUF_REG)
		sqe->addr = UBLK_AUTO_BUF_REG_FALLBACK << LEND_FLAGS_SHIFT;
	/* All tags share the first buffer: nobody reads its contents. */
	else
		command.addr = (uintptr_t)device->buffers.data;
	memcpy(sqe->cmd, &command, sizeof(command));
	ctrl_submit_beside(&device->ctrl, number);
}

static void fail_answered(void *arg, uint64_t number, int result)
{
	struct fail *fail = arg;

	if (result == UBLK_IO_RES_OK || result == UBLK_IO_RES_NEED_GET_DATA)
		fail_command(fail, number, UBLK_U_IO_COMMIT_AND_FETCH_REQ);
	else
		fail->tags--;
}

int fail_begin(struct fail *fail, struct ublk_device *device)
{
	const unsigned int depth = device->info.queue_depth;
	const unsigned int count = device->info.nr_hw_queues * depth;
	char node[DEVICE_NODE_MAX];
	uint64_t i;

	snprintf(node, sizeof(node), "/dev/ublkc%d", device->info.dev_id);
	*fail = (struct fail){ device, device_open_node(node, O_RDWR), count };
	if (fail->fd < 0)
		return fail->fd;
	ctrl_set_beside(&device->ctrl, fail_answered, fail);
	for (i = 0; i < count; i++)
		fail_command(fail, i / depth << TAG_BITS | i % depth,
			     UBLK_U_IO_FETCH_REQ);
	/* If the driver refuses, its error is there at once. */
	ctrl_beside(&device->ctrl);
	if (fail->tags == count)
		return 0;
	message("device %d: the driver refuses to let its I/O fail",
		device->info.dev_id);
	return -EIO;
}

void fail_end(struct fail *fail)
{
	ctrl_set_beside(&fail->device->ctrl, NULL, NULL);
	close(fail->fd);
}
