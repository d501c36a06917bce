/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A queue of a device: one thread, one ring. The thread keeps a command of
 * each tag at the driver (FETCH, then COMMIT_AND_FETCH), gives what is
 * delivered to the target, and ends when the driver has taken back every tag.
 * One io_uring_enter submits all answers of a batch and waits for the next.
 */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "core/target.h"

/* What a queue needs to know of its device; the device owns all of it. */
struct ublk_queue_setup {
	struct ublk_device *device;
	const struct ublk_target *target;
	const int *files;	/* [0] the /dev/ublkcN, then the target's */
	unsigned int file_count;
	unsigned int depth;
	unsigned int max_io;	/* bytes of one request at most */
	char *buffers;		/* max_io bytes for each tag of each queue */
	bool encoded;		/* I/O commands are ioctl-encoded */
	bool talks;		/* takes messages of other threads */
	bool shares_buffers;	/* UBLK_F_NEED_GET_DATA: see queue_take_buffer */
	bool registers_buffers;	/* in memory for good, for storage to use */
	bool zero_copy;		/* UBLK_F_AUTO_BUF_REG: they are addresses only */

	/*
	 * Called in the queue's thread: with 0 when every tag is fetched; and
	 * when the thread ends, with 1, or with -errno if it had to (without
	 * an earlier call where it could not start).
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
	struct ublksrv_io_desc *descriptors;	/* read-only, the driver's */
	struct ublk_request *requests;	/* [depth] */
	char *states;			/* [depth] of the target's bytes */
	const char *registered;	/* the buffers, where the ring knows them */

	/*
	 * Shared buffers that no request has, the last one on top; and behind
	 * @depth of them those that the driver has not read yet.
	 */
	void **buffers;			/* [2 * depth], or NULL */
	unsigned int free_buffers;
	unsigned int used_buffers;

	unsigned int held;		/* tags the driver has not taken back */
	unsigned int operations;	/* the target's, on the ring or elsewhere */
	unsigned int hurries;		/* turns of the loop before it calms */

	/* Messages of other queues: a stack, and what wakes the ring. */
	int wake_fd;
	bool listens;			/* the ring reads from wake_fd */
	struct ublk_completion wake;
	uint64_t wake_count;
	_Atomic(struct ublk_completion *) inbox;
};

/*
 * Starts the thread of @queue, whose setup, id and cpus are set and the rest
 * zero. Where process_hurry() was called before, it is the thread that hurries
 * until it has answered a good many requests: those that were waiting. Returns 0
 * or -errno; the end comes by setup->report().
 */
int queue_start(struct ublk_queue *queue);

/* Waits until the thread has ended. Only after queue_start() returned 0. */
void queue_join(struct ublk_queue *queue);

#endif
