/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One hardware queue of a device: one thread and one io_uring. The thread keeps
 * one command per tag at the driver (FETCH first, then COMMIT_AND_FETCH),
 * passes each request to the target, and ends when the driver has returned
 * every tag. One io_uring_enter() commits all finished requests of a batch and
 * waits for more.
 */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "core/counters.h"
#include "core/target.h"

/* What a queue needs to know about its device. The device owns all of it. */
struct ublk_queue_setup {
	struct ublk_device *device;
	const struct ublk_target *target;
	const int *files;	/* [0] is /dev/ublkcN, the rest the target's */
	unsigned int file_count;
	unsigned int depth;
	unsigned int max_io;	/* largest request, in bytes */
	char *buffers;		/* max_io bytes for each tag of each queue */
	bool encoded;		/* I/O commands are ioctl-encoded */
	bool has_inbox;		/* accepts messages from other threads */
	bool shares_buffers;	/* NEED_GET_DATA: see queue_take_buffer() */
	bool registers_buffers;	/* they are locked, and storage uses them */
	bool zero_copy;		/* UBLK_F_AUTO_BUF_REG: they have no memory */
	struct counters *counters;	/* with those of each queue */

	/*
	 * Called in the queue's thread. @state is 0 once every tag is fetched.
	 * When the thread ends, @state is 1, or -errno if the queue failed. A
	 * queue that could not start reports only the error.
	 */
	void (*report)(void *arg, int state);
	void *report_arg;
};

struct ublk_queue {
	const struct ublk_queue_setup *setup;
	unsigned int id;
	cpu_set_t cpus;
	pthread_t thread;
	void *data;			/* the target's */

	struct io_uring ring;
	struct ublksrv_io_desc *descriptors;	/* the driver's, read-only */
	struct ublk_request *requests;	/* [depth] */
	char *states;			/* [depth] of request_size bytes */
	const char *registered;	/* first registered buffer, or NULL */

	/*
	 * Shared buffers. The first @free_buffers entries are a stack of
	 * buffers that no request uses. The @committed_buffers entries that start at
	 * index @depth belong to commits that the driver has not read yet.
	 */
	void **buffers;			/* [2 * depth], or NULL */
	unsigned int free_buffers;
	unsigned int committed_buffers;

	unsigned int live_tags;		/* tags the driver has not returned */
	unsigned int operations;	/* the target's, not yet completed */
	unsigned int urgent_turns;	/* turns left at high priority */

	struct queue_counters *counters;	/* its own in the setup's */
	uint64_t now;	/* when this turn began, in ns; 0: not measured */

	/*
	 * Messages from other threads: a lock-free stack, and the eventfd that
	 * wakes the ring.
	 */
	int wake_fd;
	bool listening;			/* a read of wake_fd is on the ring */
	struct ublk_completion wake;
	uint64_t wake_count;
	_Atomic(struct ublk_completion *) inbox;
};

/*
 * Starts the thread of @queue. The caller sets setup, id and cpus; the rest is
 * zero. If the caller runs at the priority of process_hurry(), so does the new
 * thread, until it has answered the requests that waited for it. Returns 0 or
 * -errno, and prints nothing. setup->report() says when the thread ends.
 */
int queue_start(struct ublk_queue *queue);

/* Waits until the thread has ended. Only after queue_start() returned 0. */
void queue_join(struct ublk_queue *queue);

#endif
