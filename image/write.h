/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes a compressed image: the members in order, then the index, and last the
 * front. Without its front, nothing takes the file for an image.
 */
#ifndef IMAGE_WRITE_H
#define IMAGE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_writer {
	int fd;
	uint32_t chunk_size;
	uint64_t offset;	/* file offset of the next member */
	uint64_t disk_size;	/* so far */
	uint32_t *chunks;	/* length of each member | IMAGE_ENTRY_ZERO */
	uint64_t count;
	size_t room;
};

/* @fd is an empty file that is open for writing. It stays the caller's. */
void image_writer_start(struct image_writer *writer, int fd,
			uint32_t chunk_size);

/*
 * Adds the member of the next chunk, which contains @disk_length bytes of the
 * disk: chunk_size, except for the last chunk. Returns 0 or -errno.
 */
int image_writer_add(struct image_writer *writer, const uint8_t *member,
		     uint32_t length, uint32_t disk_length, bool zero);

/* Writes the index and the front. Returns 0 or -errno. */
int image_writer_finish(struct image_writer *writer);

void image_writer_free(struct image_writer *writer);

#endif
