/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A gzip file of anyone's making as an image: each section between two restart
 * points is a chunk.
 */
#ifndef IMAGE_GZIP_H
#define IMAGE_GZIP_H

#include "image/chunk.h"
#include "image/restart.h"

/*
 * Finds the restart points of the gzip file in the first @available bytes of @fd,
 * which messages call @name, @section bytes of the disk apart, 0: as it comes. Or
 * reads them from the file @keep, if it is there, and else keeps them in it; NULL:
 * neither. Returns 0, or -errno after telling what is wrong and where. @index is to
 * be freed with restart_free() in any case.
 */
int image_gzip_open(struct restart_index *index, int fd, const char *name,
		    uint64_t available, uint32_t section, const char *keep);

/* The chunk that holds @disk_offset, which is below disk_size. */
void image_gzip_find(const struct restart_index *index, uint64_t disk_offset,
		     struct image_chunk *chunk);

#endif
