/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disk that results from an image or file and the blocks written over it
 * (file.h), read once from start to end, without a device.
 */
#ifndef TARGETS_COW_SOURCE_H
#define TARGETS_COW_SOURCE_H

#include "image/disk-source.h"
#include "image/image.h"
#include "targets/cow/file.h"

struct cow_source {
	struct cow_file file;
	uint8_t *map;
	struct disk_source *below;	/* the base, image or not */
	bool compressed;		/* the base is an image */
	bool readable;			/* reader is initialized */
	uint64_t size;			/* of the disk */
	uint64_t offset;		/* read so far */

	struct image image;
	struct image_reader reader;
	struct image_chunk chunk;	/* whose data is in @data */
	uint8_t *member, *data;
};

/*
 * Opens @path over @below, which is open and stays the caller's. Returns 0, or
 * -errno after printing why.
 */
int cow_source_open(struct cow_source *source, const char *path,
		    struct disk_source *below);
void cow_source_close(struct cow_source *source);

/* Like disk_source_read(). @length is a multiple of COW_BLOCK. */
ssize_t cow_source_read(struct cow_source *source, uint8_t *data,
			size_t length, bool *hole);

#endif
