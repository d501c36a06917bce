/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data of all requests of a device: memory that every process which serves
 * it shares. A worker that takes another's place needs none of its own for it,
 * on a board that may have none left.
 */
#ifndef CORE_BUFFERS_H
#define CORE_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>

struct buffers {
	int fd;		/* a file in memory, to hand to another program */
	char *data;
	size_t bytes;
};

/*
 * Maps @bytes: those in the file @fd, which an earlier program of the device
 * handed over and which is closed when it fails, or new ones with -1. It is
 * address space until it is used; with @taken it is there and locked as far as
 * privileges allow. Processes forked from here on have it, too. Returns 0, or
 * -errno after telling.
 */
int buffers_open(struct buffers *buffers, int fd, size_t bytes, bool taken);

/* For what was opened, and for what is zero. */
void buffers_close(struct buffers *buffers);

#endif
