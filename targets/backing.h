/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies behind a disk, a regular file or a block device: how it is opened
 * so that nobody else writes it meanwhile, and what it can do.
 */
#ifndef TARGETS_BACKING_H
#define TARGETS_BACKING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Opens @path, for writing unless *@read_only; what cannot be written is opened
 * for reading, and *@read_only set. Returns the descriptor, or -errno after
 * telling.
 */
int backing_open(const char *path, bool *read_only);

/*
 * Says that a disk cannot be standard input, which `-` is elsewhere: a server
 * may have to open it again. Returns -EINVAL.
 */
int backing_refuse_standard_input(void);

/*
 * What @fd is: a regular file or a block device, all else is refused. A block
 * device that cannot be written sets *@read_only. Returns 0 or -errno after
 * telling.
 */
int backing_examine(int fd, const char *path, struct stat *st,
		    bool *read_only);

/* What a server needs of it. */
struct backing_use {
	bool read_only;
	bool claims;	/* a block device even then: nobody shall write it */
	uint64_t offset, size;		/* the bytes; size 0: to the end */
};

/*
 * Keeps other writers away from that part of *@fd, which may become another
 * descriptor of the same. Two writers destroy each other's filesystem, so a range
 * of one writer is nobody else's; a mounted block device is refused to a writer.
 * @wait: who has it is about to let go. Returns 0 or -errno after telling.
 */
int backing_claim(int *fd, const char *path, const struct stat *st,
		  const struct backing_use *use, bool wait);

/*
 * Turns on direct I/O where it works at @offset and on, in blocks of @block
 * bytes; the page cache then has nothing of the file any more. Whether it is on.
 */
bool backing_try_direct(int fd, uint64_t offset, uint32_t block);

/*
 * Whether ranges of @fd can be made holes that read as zeroes. @end: behind all
 * that is in a regular file.
 */
bool backing_punches(int fd, const struct stat *st, uint64_t end);

/*
 * Sets *@crc to the CRC-32 of @count blocks of 4096 bytes, at least 2, all over the
 * @size bytes at @offset of @fd, the first and the last among them. For the main
 * thread only. Returns 0 or -errno.
 */
int backing_samples(int fd, uint64_t offset, uint64_t size, unsigned int count,
		    uint32_t *crc);

/* A number in the sysfs folder of a block device's queue; 0: unknown. */
uint64_t backing_limit(dev_t dev, const char *name);

#endif
