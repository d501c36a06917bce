/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The index of a BGZF file, made from the headers and trailers of its members.
 */
#ifndef IMAGE_BGZF_H
#define IMAGE_BGZF_H

#include <stddef.h>

#include "image/chunk.h"
#include "sources/source.h"

struct bgzf_block;
struct bgzf_group;

/* Sizes in bytes. */
struct image_bgzf {
	uint64_t disk_size;
	uint64_t file_size;	/* to the end of the last block */
	uint64_t count;		/* blocks that are not empty */
	uint32_t chunk_max;	/* largest size of a block on the disk */
	uint32_t member_max;	/* largest size of a block in the file */

	struct bgzf_block *blocks;
	struct bgzf_group *groups;
	uint64_t group_count;
	size_t room, group_room;	/* of the two arrays */
};

/*
 * Makes the index of the BGZF file in the first @available bytes of @source,
 * which messages call @name. The index needs about 4.2 bytes of memory per block.
 * Returns 0; -ENOTSUP, printing nothing, if other gzip members follow; or
 * -errno after printing why and where. The caller frees @bgzf in any case.
 */
int image_bgzf_open(struct image_bgzf *bgzf, const struct source *source,
		    const char *name, uint64_t available);
void image_bgzf_free(struct image_bgzf *bgzf);

/* Size of the index in memory, in bytes. */
uint64_t image_bgzf_size(const struct image_bgzf *bgzf);

/* Finds the chunk that contains @disk_offset, which is less than disk_size. */
void image_bgzf_find(const struct image_bgzf *bgzf, uint64_t disk_offset,
		     struct image_chunk *chunk);

#endif
