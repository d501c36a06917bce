/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disk that an image or file makes together with what was written over it
 * (file.h), read once from its start to its end, without a device.
 */
#ifndef TARGETS_COW_SOURCE_H
#define TARGETS_COW_SOURCE_H

#include "image/disk-source.h"
#include "image/image.h"
#include "targets/cow/file.h"

struct cow_source {
	struct cow_file file;
	uint8_t *map;
	struct disk_source *below;	/* an image's bytes, or the disk's */
	bool compressed;		/* an image's, which is open */
	bool readable;			/* by the reader */
	uint64_t size;			/* of the disk */
	uint64_t offset;		/* read so far */

	struct image image;
	struct image_reader reader;
	struct image_chunk chunk;	/* the one in data */
	uint8_t *member, *data;
};

/*
 * Opens @path over @below, which is open, and the caller's. Returns 0, or -errno
 * after telling.
 */
int cow_source_open(struct cow_source *source, const char *path,
		    struct disk_source *below);
void cow_source_close(struct cow_source *source);

/* As disk_source_read(). @length is a multiple of COW_BLOCK. */
ssize_t cow_source_read(struct cow_source *source, uint8_t *data,
			size_t length, bool *hole);

#endif
