/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disk that is packed: a file, a block device or a pipe, or what is on a
 * server, read once from start to end. Holes in a file are reported without
 * being read. Files of /proc and /sys, which have no useful size, are read like
 * a pipe.
 */
#ifndef IMAGE_DISK_SOURCE_H
#define IMAGE_DISK_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sources/source.h"

struct disk_source {
	struct source source;
	const char *name;
	bool sized;		/* not a pipe */
	bool holes;		/* SEEK_DATA works */
	uint64_t size;		/* bytes, if sized */
	uint64_t offset;	/* bytes read so far */
	uint64_t data;		/* if holes: the current hole ends here */
};

/*
 * Opens @path, which may be a URI; `-` is standard input. Returns 0, or -errno
 * after printing why.
 */
int disk_source_open(struct disk_source *source, const char *path);
void disk_source_close(struct disk_source *source);

/*
 * Reads the next @length bytes; fewer only at the end of the disk. If they are
 * in a hole, sets *@hole and leaves @data unchanged. Returns the number of
 * bytes, or -errno after printing why.
 */
ssize_t disk_source_read(struct disk_source *source, void *data,
			 size_t length, bool *hole);

#endif
