/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A gzip file of anyone's making as an image: each section between two restart
 * points is a chunk. Only image.c uses it.
 */
#ifndef IMAGE_GZIP_H
#define IMAGE_GZIP_H

#include "image/image.h"

/*
 * Finds or loads the restart points of the gzip file in the first @available
 * bytes of @image->fd, and fills in the sizes in @image. Returns 0, or -errno
 * after telling what is wrong and where.
 */
int image_gzip_open(struct image *image, uint64_t available,
		    const struct image_options *options);
void image_gzip_free(struct restart_index *index);

/* As image_find(); cannot fail. */
void image_gzip_find(const struct restart_index *index, uint64_t disk_offset,
		     struct image_chunk *chunk);

#endif
