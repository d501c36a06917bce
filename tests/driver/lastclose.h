/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of lastclose share: lastclose.c runs the rounds and watches
 * them, lastclose-kinds.c has the ways in which a last reference goes, and
 * lastclose-io.c what is in flight then and what is dirty.
 */
#ifndef TESTS_DRIVER_LASTCLOSE_H
#define TESTS_DRIVER_LASTCLOSE_H

#include <liburing.h>
#include <linux/aio_abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Of the disk, or of a file that stands for it. */
#define DIRTY_AT	(1U << 20)
#define DIRTY_BYTES	(1U << 20)
#define READ_AT		(4U << 20)
#define READS		16
#define READ_BYTES	(64U << 10)
#define IMAGE_BYTES	(READ_AT + READS * READ_BYTES)

/* Written by the process of the rounds, read by the one that watches it. */
struct progress {
	atomic_ulong steps;		/* each call that may wait is one */
	atomic_ulong round;
	atomic_ulong in_flight;		/* rounds that ended before their I/O */
	_Atomic(const char *) doing;
};
extern struct progress *progress;
extern const char *node;		/* the disk */
extern const char *folder;		/* to mount it at */

/* Reads under way, by AIO or io_uring. */
struct aio {
	aio_context_t ctx;
	unsigned int ended;
};

/* Says what comes next, which may wait. */
void step(const char *what);
/* Ends the process of the rounds; @err is an errno or 0. */
_Noreturn void die(int err, const char *what);
/* @result of a system call, which must not have failed. */
long must(long result, const char *what);

int open_path(const char *path, int flags);
/* Leaves dirty pages of round @number. */
void dirty(int fd, unsigned long number);
void fill(void *data, unsigned long number);
/* What @path holds on its disk is what round @number left there. */
void check(const char *path, unsigned long number);

void aio_read(struct aio *aio, int fd);
/* Counts the round when not all reads have ended by now. */
void aio_in_flight(struct aio *aio);
/* Waits for the rest of them. */
void aio_end(struct aio *aio);
void uring_read(struct io_uring *ring, int fd, bool registered);
void *read_buffer(void);

struct kind {
	const char *name;
	bool mounted;		/* the filesystem is mounted for all rounds */
	const char *kept;	/* the file under @folder that holds the data */
	void (*round)(unsigned long number);
};
extern const struct kind kinds[];

#endif
