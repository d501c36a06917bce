// SPDX-License-Identifier: GPL-2.0
#include "sources/local.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/message.h"
#include "lib/storage.h"

/*
 * O_NONBLOCK: do not wait for the writer of a pipe; it will be refused. `-` is
 * standard input.
 */
static int local_open_file(const char *path)
{
	if (!strcmp(path, "-"))
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int local_open(const char *path, uint64_t *size)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	int fd = local_open_file(path);
	char byte;
	int ret;

	if (fd < 0)
		return message_fail(errno, "%s", name);
	ret = storage_size(fd, size);
	/* A file of /proc has bytes, and says that it has none. */
	if (!ret && !*size && pread(fd, &byte, 1, 0) != 0)
		ret = -ESPIPE;
	if (!ret)
		return fd;
	if (ret == -ESPIPE)
		message("%s: neither a file nor a block device, or one that "
			"tells no size; an image is read here and there: copy "
			"it to a file first", name);
	else
		message_fail(ret, "%s", name);
	close(fd);
	return ret;
}
