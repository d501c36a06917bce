/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file that has the data of a disk: a regular file or a block device. Opens
 * it, keeps other writers away from it, and finds out what it can do.
 */
#ifndef TARGETS_BACKING_H
#define TARGETS_BACKING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Opens @path, for writing unless *@read_only is set. If it cannot be written,
 * opens it for reading and sets *@read_only. Returns the descriptor, or -errno
 * after printing why.
 */
int backing_open(const char *path, bool *read_only);

/*
 * Prints that a disk cannot be served from standard input, which `-` means for
 * other commands: a server may have to open its file again. Returns -EINVAL.
 */
int backing_refuse_standard_input(void);

/*
 * Fills in @st. Refuses anything but a regular file or block device. Sets
 * *@read_only for a block device that cannot be written. Returns 0, or -errno
 * after printing why.
 */
int backing_examine(int fd, const char *path, struct stat *st,
		    bool *read_only);

/* How a server uses the file. */
struct backing_use {
	bool read_only;
	bool claims;	/* claims a block device even if read_only */
	uint64_t offset, size;		/* bytes; size 0: to the end */
};

/*
 * Keeps other writers away from a range of *@fd. Two writers would destroy a
 * filesystem, so nobody else may use the range of a writer. Refuses to write to
 * a mounted block device. May replace *@fd by another descriptor of the same
 * file. Waits a moment for an earlier owner to release its claim, and some
 * seconds if @resumed: then that is the last server of the same device. Returns
 * 0, or -errno after printing why.
 */
int backing_claim(int *fd, const char *path, const struct stat *st,
		  const struct backing_use *use, bool resumed);

/*
 * Switches @fd to direct I/O, if that works in blocks of @block bytes, counted
 * from @offset. If so, also drops the file from the page cache. Returns whether
 * direct I/O is on.
 */
bool backing_try_direct(int fd, uint64_t offset, uint32_t block);

/*
 * Whether @fd is a regular file of a filesystem that has all data in memory: a
 * tmpfs or a ramfs. io_uring uses such files only from threads of its own.
 */
bool backing_in_memory(int fd);

/*
 * Whether ranges of @fd can become holes that read as zeroes. A regular file
 * must have no data from @end on.
 */
bool backing_punches(int fd, const struct stat *st, uint64_t end);

/*
 * Sets *@crc to the CRC-32 of @count samples of 4096 bytes, spread evenly over
 * the @size bytes at @offset of @fd. @count is at least 2: the first and the
 * last block are always among them. For the main thread only. Returns 0 or
 * -errno, and prints nothing.
 */
int backing_samples(int fd, uint64_t offset, uint64_t size, unsigned int count,
		    uint32_t *crc);

/*
 * Reads a number from the sysfs directory of a block device's queue. Returns 0
 * if it is unknown.
 */
uint64_t backing_limit(dev_t dev, const char *name);

#endif
