// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for the data of requests, in a memfd. It does not know how it is
 * divided among requests.
 */
#include "core/buffers.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"
#include "lib/message.h"

/* The file may be longer: counters.h. */
static bool buffers_grow(int fd, uint64_t bytes)
{
	struct stat st;

	return !fstat(fd, &st) &&
	       ((uint64_t)st.st_size >= bytes || !ftruncate(fd, bytes));
}

int buffers_open(struct buffers *buffers, int fd, uint64_t bytes,
		 enum buffers_use use)
{
	void *data = MAP_FAILED;

	if (fd < 0)
		fd = memory_unnamed(BUFFERS_NAME);
	if (bytes > SIZE_MAX)
		errno = ENOMEM;
	else if (fd >= 0 && buffers_grow(fd, bytes))
		data = mmap(NULL, bytes, use == BUFFERS_ADDRESSES ?
			    PROT_NONE : PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);
	if (data == MAP_FAILED) {
		int err = message_fail(errno, "memory for requests");

		if (fd >= 0)
			close(fd);
		return err;
	}
	*buffers = (struct buffers){ fd, data, bytes };
	/* As in process_protect(), an ordinary user goes without. */
	if (use == BUFFERS_TAKEN && mlock(data, bytes) && !geteuid()) {
		int err = message_fail(errno, "cannot lock memory for requests");

		buffers_close(buffers);
		return err;
	}
	return 0;
}

void buffers_close(struct buffers *buffers)
{
	if (!buffers->bytes)
		return;
	munmap(buffers->data, buffers->bytes);
	close(buffers->fd);
	buffers->bytes = 0;
}
