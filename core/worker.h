/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What serves the requests of a device: /dev/ublkcN and a thread for each
 * queue. It lives in the process of the device's own or, supervised, in one
 * beside it that can be replaced.
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
 * Asks the driver what its queues have to know, by device->ctrl: once, for
 * worker_start() in this process and in any that are forked from it. A worker
 * asks nothing more, as that takes memory which it may have to bring back first.
 * Returns 0 or -errno after telling; undone by worker_forget() in any case.
 */
int worker_prepare(struct worker *worker, struct ublk_device *device);
void worker_forget(struct worker *worker);

/*
 * Opens the device's /dev/ublkcN, starts its queues and returns when every tag
 * has been fetched. After worker_prepare(). Returns 0 or -errno after telling; what
 * was started before that ends with STOP_DEV and worker_join(), or with the
 * process.
 */
int worker_start(struct worker *worker);

/*
 * Waits until every queue has ended, since the driver has taken back its tags,
 * and closes /dev/ublkcN. Returns 0, or the -errno of a queue that had to end.
 */
int worker_join(struct worker *worker);

/*
 * A whole life in a process of its own: starts, writes a byte to @fetched_fd,
 * waits for one from @live_fd, which says that the disk is there (without one
 * it gives up), gives away all rights that serving does not need, and serves
 * until the queues end. Returns an exit status.
 */
int worker_main(struct worker *worker, int fetched_fd, int live_fd);

#endif
