/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads and writes that go on until all is done: a short count and EINTR are
 * not the caller's business.
 */
#ifndef LIB_WHOLE_IO_H
#define LIB_WHOLE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* 0, -errno, or -ENODATA where the file ends too early. */
int whole_pread(int fd, void *data, size_t length, uint64_t offset);

/* 0 or -errno. */
int whole_pwrite(int fd, const void *data, size_t length, uint64_t offset);
int whole_write(int fd, const void *data, size_t length);

/* All of it is on the medium. 0 or -errno. */
int whole_sync(int fd);

/* Bytes read, fewer than @length only at the end of the file; or -errno. */
ssize_t whole_read(int fd, void *data, size_t length);

#endif
