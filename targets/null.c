// SPDX-License-Identifier: GPL-2.0
/*
 * The null target: drops writes, and reads as zeroes, at once. It shows the
 * cost of the driver and the server alone.
 */
#include <errno.h>
#include <string.h>

#include "core/target.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/size.h"

/* How many bytes of the request's buffer earlier WRITEs have left dirty. */
struct null_request {
	uint32_t dirty;
};

static int null_open(struct ublk_device *device, const char *argument,
		     const void *settings, struct ublk_disk *disk)
{
	int err = size_parse(argument, &disk->size);

	(void)device;
	(void)settings;
	if (err || !disk->size) {
		message("%s: not the size of a disk, such as 64M%s%s", argument,
			err ? ": " : "", err ? size_why(argument) : "");
		return -EINVAL;
	}
	disk->discard_granularity = 4096;
	disk->max_discard = 1u << 30;
	disk->max_write_zeroes = 1u << 30;
	return 0;
}

static void null_close(struct ublk_device *device)
{
	(void)device;
}

static int null_submit(struct ublk_queue *queue, struct ublk_request *request)
{
	struct null_request *state = request->state;

	(void)queue;
	switch (request->op) {
	case UBLK_IO_OP_READ:
		/* Do not leak the data of an earlier WRITE to this reader. */
		memset(request->data, 0, state->dirty);
		state->dirty = 0;
		return request->length;
	case UBLK_IO_OP_WRITE:
		if (state->dirty < request->length)
			state->dirty = request->length;
		return request->length;
	case UBLK_IO_OP_FLUSH:
	case UBLK_IO_OP_DISCARD:
	case UBLK_IO_OP_WRITE_ZEROES:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

const struct ublk_target target_null = {
	.name = "null",
	.argument = "SIZE",
	.summary = "serve a disk that drops writes and reads as zeroes",
	.manual = MANUAL("For benchmarks: shows what the driver and the server cost, "
		  "without any storage.\n"),
	.request_size = sizeof(struct null_request),
	.open = null_open,
	.close = null_close,
	.submit = null_submit,
};
