/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the parts of lastclose: lastclose.c runs the rounds and watches
 * them, lastclose-kinds.c has the ways to drop a last reference, and
 * lastclose-io.c has the I/O in flight and the dirty pages.
 */
#ifndef TESTS_DRIVER_LASTCLOSE_H
#define TESTS_DRIVER_LASTCLOSE_H

#include <liburing.h>
#include <linux/aio_abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* On the disk, or in a file that stands for it. */
#define DIRTY_AT	(1U << 20)
#define DIRTY_BYTES	(1U << 20)
#define READ_AT		(4U << 20)
#define READS		16
#define READ_BYTES	(64U << 10)
#define IMAGE_BYTES	(READ_AT + READS * READ_BYTES)

/* Written by the process of the rounds, read by its watcher. */
struct progress {
	atomic_ulong steps;		/* calls that may wait */
	atomic_ulong round;
	atomic_ulong in_flight;		/* rounds that ended before their I/O */
	_Atomic(const char *) doing;
};
extern struct progress *progress;
extern const char *node;		/* the disk */
extern const char *folder;		/* to mount it at */

/* Reads in flight, by AIO or io_uring. */
struct aio {
	aio_context_t ctx;
	unsigned int ended;
};

/* Names the next call that may wait. */
void step(const char *what);
/* Ends the process of the rounds; @err is an errno or 0. */
_Noreturn void die(int err, const char *what);
/* Returns @result of a system call. Ends the process if it failed. */
long must(long result, const char *what);

int open_path(const char *path, int flags);
/* Makes pages dirty with the data of round @number. */
void dirty(int fd, unsigned long number);
void fill(void *data, unsigned long number);
/* Checks that @path has the data of round @number on its disk. */
void check(const char *path, unsigned long number);

void aio_read(struct aio *aio, int fd);
/* Counts the round if some reads are still in flight. */
void aio_in_flight(struct aio *aio);
/* Waits for those reads. */
void aio_end(struct aio *aio);
void uring_read(struct io_uring *ring, int fd, bool registered);
void *read_buffer(void);

struct kind {
	const char *name;
	bool mounted;		/* the filesystem stays mounted */
	const char *kept;	/* the file under @folder that has the data */
	void (*round)(unsigned long number);
};
extern const struct kind kinds[];

#endif
