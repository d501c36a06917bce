/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Any gzip file as an image: each section between two restart points is a
 * chunk.
 */
#ifndef IMAGE_GZIP_H
#define IMAGE_GZIP_H

#include "image/chunk.h"
#include "image/restart.h"

/*
 * Finds the restart points of the gzip file in the first @available bytes of
 * @fd, which messages call @name. @section is their distance in bytes of the
 * disk; 0 means the default. If @keep is not NULL, reads them from the index
 * file @keep, or writes them to it if it does not exist. Returns 0, or -errno
 * after printing why and where. The caller frees @index with restart_free() in
 * any case.
 */
int image_gzip_open(struct restart_index *index, const struct source *source,
		    const char *name, uint64_t available, uint32_t section,
		    const char *keep);

/* Finds the chunk that contains @disk_offset, which is less than disk_size. */
void image_gzip_find(const struct restart_index *index, uint64_t disk_offset,
		     struct image_chunk *chunk);

#endif
