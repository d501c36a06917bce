/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disk that is packed: a file, a block device or a pipe, read once from
 * its start to its end. Holes of a file are told without being read. A file of
 * /proc or /sys, which tells no size, is read as a pipe is.
 */
#ifndef IMAGE_DISK_SOURCE_H
#define IMAGE_DISK_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct disk_source {
	int fd;
	const char *name;
	bool sized;		/* a file or device; else a pipe */
	bool holes;		/* SEEK_DATA works */
	uint64_t size;		/* if sized */
	uint64_t offset;	/* read so far */
	uint64_t data;		/* if holes: up to here is a hole */
};

/*
 * Opens @path, `-` for standard input. Returns 0, or -errno after telling.
 */
int disk_source_open(struct disk_source *source, const char *path);
void disk_source_close(struct disk_source *source);

/*
 * Reads the next @length bytes, fewer only at the end of the disk. Sets *@hole
 * and does not touch @data where they are known to be zeroes. Returns the
 * bytes, or -errno after telling.
 */
ssize_t disk_source_read(struct disk_source *source, void *data,
			 size_t length, bool *hole);

#endif
