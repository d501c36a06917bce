/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Serves the requests of a device: opens /dev/ublkcN and runs one thread per
 * queue. A supervised device has its worker in a child process, which can be
 * replaced. Without a supervisor, the device's only process is the worker.
 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include <semaphore.h>
#include <stdatomic.h>

#include "core/queue.h"

struct ublk_device;

struct worker {
	struct ublk_device *device;
	struct ublk_queue_setup setup;
	struct ublk_queue *queues;
	unsigned int started;		/* threads to join */
	sem_t reports;			/* posted for each report of a queue */
	int ended_fd;			/* readable when a queue has ended */
	_Atomic int failed;		/* -errno of the first queue to fail */
};

/*
 * Asks the driver for what the queues have to know, over device->ctrl. Once,
 * for worker_start() in this process and in all that are forked from it: a
 * worker asks nothing, because that takes memory, and the machine may have none
 * until the worker serves. Returns 0, or -errno after printing why.
 * worker_forget() undoes it in either case.
 */
int worker_prepare(struct worker *worker, struct ublk_device *device);
void worker_forget(struct worker *worker);

/*
 * Opens /dev/ublkcN, starts the queues, and returns when every tag has been
 * fetched. After worker_prepare(). Returns 0, or -errno after printing why.
 * What has been started by then is ended by STOP_DEV and worker_join(), or with
 * the process.
 */
int worker_start(struct worker *worker);

/*
 * Waits until the driver has returned all tags and every queue has ended, and
 * closes /dev/ublkcN. Returns 0, or the -errno of a queue that failed.
 */
int worker_join(struct worker *worker);

/*
 * The main function of a worker process. Starts the queues, writes a byte to
 * @fetched_fd, waits for a byte from @live_fd, which says that the disk exists,
 * drops the rights that it does not need, and serves until the queues end. If
 * @live_fd is closed without a byte, it ends. Returns an exit status.
 */
int worker_main(struct worker *worker, int fetched_fd, int live_fd);

#endif
