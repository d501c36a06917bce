/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data buffers of all requests of a device, in memory that every process
 * which serves the device shares. A worker that replaces another one needs no
 * new memory for them: the board may have none left.
 */
#ifndef CORE_BUFFERS_H
#define CORE_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#define BUFFERS_NAME "ublk-buffers"	/* of the memfd, in /proc */

struct buffers {
	int fd;		/* a memfd, to pass to another program */
	char *data;
	size_t bytes;
};

enum buffers_use {
	BUFFERS_ON_DEMAND,	/* memory is allocated when it is used */
	BUFFERS_TAKEN,		/* allocated, and locked if privileges allow */
	BUFFERS_ADDRESSES,	/* no memory at all: nobody may access it */
};

/*
 * Maps @bytes bytes of @fd, a descriptor that an earlier program of the device
 * passed on, or of a new memfd if @fd is -1. Owns @fd, and closes it on error.
 * Processes that are forked later share the mapping. Returns 0, or -errno after
 * printing why.
 */
int buffers_open(struct buffers *buffers, int fd, uint64_t bytes,
		 enum buffers_use use);

/* Undoes buffers_open(). Does nothing to a zeroed struct. */
void buffers_close(struct buffers *buffers);

#endif
