// SPDX-License-Identifier: GPL-2.0
/* Reads and writes that continue after a short count or EINTR. */
#include "lib/whole-io.h"

#include <errno.h>
#include <unistd.h>

int whole_pread(int fd, void *data, size_t length, uint64_t offset)
{
	char *at = data;

	while (length) {
		ssize_t n = pread(fd, at, length, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		at += n;
		offset += n;
		length -= n;
	}
	return 0;
}

ssize_t whole_pread_part(int fd, void *data, size_t length, uint64_t offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = pread(fd, (char *)data + done, length - done,
				  offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

int whole_pwrite(int fd, const void *data, size_t length, uint64_t offset)
{
	const char *at = data;

	while (length) {
		ssize_t n = pwrite(fd, at, length, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		offset += n;
		length -= n;
	}
	return 0;
}

int whole_write(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		length -= n;
	}
	return 0;
}

ssize_t whole_read(int fd, void *data, size_t length)
{
	char *at = data;
	size_t done = 0;

	while (done < length) {
		ssize_t n = read(fd, at + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

int whole_sync(int fd)
{
	while (fsync(fd))
		if (errno != EINTR)
			return -errno;
	return 0;
}
