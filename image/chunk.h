/* SPDX-License-Identifier: GPL-2.0 */
/* A chunk of an image: its place on the disk and in the file. */
#ifndef IMAGE_CHUNK_H
#define IMAGE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

/* Offsets and lengths in bytes. */
struct image_chunk {
	uint64_t number;	/* from 0 */
	uint64_t disk_offset;
	uint64_t file_offset;
	uint32_t disk_length;
	uint32_t file_length;
	bool zero;		/* known to be all zeroes; need not be read */
};

#endif
