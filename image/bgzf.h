/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The index of a BGZF file, found by hopping over the headers of its members.
 * Only image.c uses it.
 */
#ifndef IMAGE_BGZF_H
#define IMAGE_BGZF_H

#include "image/image.h"

/*
 * Makes the index of the BGZF file in the first @available bytes of
 * @image->fd, some 4.2 bytes of memory a block, and fills in the sizes in
 * @image. Returns 0, -ENOTSUP (untold) where other gzip members follow, or
 * -errno after telling what is wrong and where.
 */
int image_bgzf_open(struct image *image, uint64_t available);
void image_bgzf_free(struct image_bgzf *bgzf);

/* As image_find(); cannot fail. */
void image_bgzf_find(const struct image_bgzf *bgzf, uint64_t disk_offset,
		     struct image_chunk *chunk);

#endif
