// SPDX-License-Identifier: GPL-2.0
/*
 * Starts and joins the queues of a device. It does not know what supervises it,
 * or how the disk is created.
 */
#include "core/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/device.h"
#include "core/node.h"
#include "core/process.h"
#include "core/rights.h"
#include "lib/exit.h"
#include "lib/message.h"

/* Runs in a queue's thread. */
static void worker_reported(void *arg, int state)
{
	struct worker *worker = arg;
	const uint64_t one = 1;
	int none = 0;

	if (state < 0)
		atomic_compare_exchange_strong(&worker->failed, &none, state);
	/* Retried after any error: otherwise the reader would wait for ever. */
	while (state && write(worker->ended_fd, &one, sizeof(one)) < 0)
		;
	sem_post(&worker->reports);
}

static int worker_start_queue(struct worker *worker, unsigned int id)
{
	int err = queue_start(&worker->queues[id]);

	if (err)
		return message_fail(err, "thread of queue %u", id);
	worker->started++;
	return 0;
}

/*
 * Starts every queue and waits until each has fetched its tags. Also waits if
 * one cannot be started, because the driver returns only tags that were
 * fetched.
 */
static int worker_start_queues(struct worker *worker)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < worker->device->info.nr_hw_queues; i++)
		err = worker_start_queue(worker, i);
	for (i = 0; i < worker->started; i++)
		while (sem_wait(&worker->reports))
			;
	if (!err && worker->failed == -EPERM) {
		message("cannot start a queue: not permitted; see the sysctl "
			"kernel.io_uring_disabled");
		err = -EPERM;
	} else if (!err && worker->failed) {
		err = message_fail(worker->failed, "cannot start a queue");
	}
	return err;
}

int worker_prepare(struct worker *worker, struct ublk_device *device)
{
	unsigned int count = device->info.nr_hw_queues, i;
	int err = 0;

	worker->device = device;
	worker->queues = calloc(count, sizeof(*worker->queues));
	if (!worker->queues)
		return message_fail(ENOMEM, "queues");
	for (i = 0; !err && i < count; i++) {
		struct ublk_queue *queue = &worker->queues[i];

		queue->setup = &worker->setup;
		queue->id = i;
		err = ctrl_get_queue_affinity(&device->ctrl,
					      device->info.dev_id, i,
					      &queue->cpus);
		if (err)
			message_fail(err, "CPUs of queue %u", i);
	}
	return err;
}

void worker_forget(struct worker *worker)
{
	free(worker->queues);
	worker->queues = NULL;
}

int worker_start(struct worker *worker)
{
	struct ublk_device *device = worker->device;
	char node[DEVICE_NODE_MAX];
	int err;

	snprintf(node, sizeof(node), "/dev/ublkc%d", device->info.dev_id);
	device->files[0] = device_open_node(node, O_RDWR);
	if (device->files[0] < 0)
		return device->files[0];
	*worker = (struct worker){
		.device = device,
		.setup = {
			.device = device,
			.target = device->target,
			.files = device->files,
			.file_count = device->file_count,
			.depth = device->info.queue_depth,
			.max_io = device->info.max_io_buf_bytes,
			.buffers = device->buffers.data,
			.encoded = device->ctrl.encoded,
			.has_inbox = device->info.nr_hw_queues > 1 ||
				     device->target->sends_messages,
			.shares_buffers = device->info.flags &
					  UBLK_F_NEED_GET_DATA,
			.registers_buffers = device->disk.direct &&
					     device_takes_memory(device),
			.zero_copy = device->info.flags & UBLK_F_AUTO_BUF_REG,
			.counters = device->counters,
			.report = worker_reported,
			.report_arg = worker,
		},
		.queues = worker->queues,
		.ended_fd = eventfd(0, EFD_CLOEXEC),
	};
	sem_init(&worker->reports, 0, 0);
	if (worker->ended_fd < 0)
		return message_fail(errno, "queues");
	err = device->target->start ? device->target->start(device) : 0;
	return err ? err : worker_start_queues(worker);
}

int worker_join(struct worker *worker)
{
	int *control = &worker->device->files[0];

	while (worker->started)
		queue_join(&worker->queues[--worker->started]);
	if (*control >= 0)
		close(*control);
	*control = -1;
	return worker->failed;
}

/*
 * Waits until the supervisor says that the disk exists. Returns false if the
 * supervisor is gone, or if a queue has ended because the device was stopped
 * while it started.
 */
static bool worker_wait_live(const struct worker *worker, int live_fd)
{
	struct pollfd events[] = {
		{ .fd = live_fd, .events = POLLIN },
		{ .fd = worker->ended_fd, .events = POLLIN },
	};
	char byte;

	while (poll(events, 2, -1) < 0)
		;
	return events[0].revents && process_receive_byte(live_fd, &byte);
}

int worker_main(struct worker *worker, int fetched_fd, int live_fd)
{
	struct ublk_device *device = worker->device;
	int err;

	/* A child does not inherit memory locks. */
	err = process_protect(device_takes_memory(device));
	if (!err)
		err = worker_start(worker);
	if (err)
		return EXIT_FAILED;
	err = process_send_byte(fetched_fd, '\0');
	if (err)
		message_fail(err, "the supervisor");
	if (err || !worker_wait_live(worker, live_fd))
		return EXIT_FAILED;
	close(fetched_fd);
	close(live_fd);
	if (process_leave_caller())
		return EXIT_FAILED;
	if (rights_drop(device->target->system_calls))
		return EXIT_FAILED;
	process_calm();
	return worker_join(worker) ? EXIT_FAILED : EXIT_DONE;
}
