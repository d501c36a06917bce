/* SPDX-License-Identifier: GPL-2.0 */
/* Reads and writes that continue after a short count or EINTR. */
#ifndef LIB_WHOLE_IO_H
#define LIB_WHOLE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads @length bytes at @offset. Returns 0, -errno, or -ENODATA if the file
 * ends before.
 */
int whole_pread(int fd, void *data, size_t length, uint64_t offset);

/*
 * Reads @length bytes at @offset, or fewer up to the end of the file or to a place
 * that cannot be read. Returns the count, or -errno if no byte can be read.
 */
ssize_t whole_pread_part(int fd, void *data, size_t length, uint64_t offset);

/* Write @length bytes. Return 0 or -errno. */
int whole_pwrite(int fd, const void *data, size_t length, uint64_t offset);
int whole_write(int fd, const void *data, size_t length);

/* fsync(). Returns 0 or -errno. */
int whole_sync(int fd);

/*
 * Reads @length bytes, or fewer at the end of the file. Returns the count or
 * -errno.
 */
ssize_t whole_read(int fd, void *data, size_t length);

#endif
