/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The index of a BGZF file, found by hopping over the headers of its members.
 */
#ifndef IMAGE_BGZF_H
#define IMAGE_BGZF_H

#include "image/chunk.h"

struct bgzf_block;
struct bgzf_group;

/* Sizes in bytes. */
struct image_bgzf {
	uint64_t disk_size;
	uint64_t file_size;	/* to the end of the last block */
	uint64_t count;		/* blocks that hold anything */
	uint32_t chunk_max;	/* most bytes of the disk in a block */
	uint32_t member_max;	/* most bytes of the file that hold one */

	struct bgzf_block *blocks;
	struct bgzf_group *groups;
	uint64_t room;
	uint64_t group_count, group_room;
};

/*
 * Makes the index of the BGZF file in the first @available bytes of @fd, which
 * messages call @name; some 4.2 bytes of memory a block. Returns 0, -ENOTSUP (untold)
 * where other gzip members follow, or -errno after telling what is wrong and where.
 * @bgzf is to be freed in any case.
 */
int image_bgzf_open(struct image_bgzf *bgzf, int fd, const char *name,
		    uint64_t available);
void image_bgzf_free(struct image_bgzf *bgzf);

/* Bytes of memory. */
uint64_t image_bgzf_size(const struct image_bgzf *bgzf);

/* The chunk that holds @disk_offset, which is below disk_size. */
void image_bgzf_find(const struct image_bgzf *bgzf, uint64_t disk_offset,
		     struct image_chunk *chunk);

#endif
