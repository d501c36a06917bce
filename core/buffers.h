/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data of all requests of a device: memory that every process which serves
 * it shares. A worker that takes another's place needs none of its own for it,
 * on a board that may have none left.
 */
#ifndef CORE_BUFFERS_H
#define CORE_BUFFERS_H

#include <stddef.h>

struct buffers {
	int fd;		/* a file in memory, to hand to another program */
	char *data;
	size_t bytes;
};

enum buffers_use {
	BUFFERS_ON_DEMAND,	/* address space until it is used */
	BUFFERS_TAKEN,		/* there, and locked as far as privileges allow */
	BUFFERS_ADDRESSES,	/* address space for good: nobody may use it */
};

/*
 * Maps @bytes: those in the file @fd, which an earlier program of the device
 * handed over and which is closed when it fails, or new ones with -1. Processes
 * forked from here on have them, too. Returns 0, or -errno after telling.
 */
int buffers_open(struct buffers *buffers, int fd, size_t bytes,
		 enum buffers_use use);

/* For what was opened, and for what is zero. */
void buffers_close(struct buffers *buffers);

#endif
