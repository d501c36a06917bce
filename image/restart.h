/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restart points of a gzip file that was not made to be read at any offset:
 * what is needed to expand it from its middle. Its disk is cut into sections of
 * one size, and each has a point where it begins. The points are kept as they
 * are written to an index file, which format.md describes.
 *
 * A point lies wherever a section begins, also within a block or a code of
 * deflate. So it has the header of the block, the window of 32 KiB before, and
 * how much of what the code makes comes before the section.
 */
#ifndef IMAGE_RESTART_H
#define IMAGE_RESTART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/member.h"

/* Bytes of the disk between two points. */
#define RESTART_SECTION_DEFAULT (1U << 20)
#define RESTART_SECTION_MIN (64U << 10)
#define RESTART_SECTION_MAX (16U << 20)

/* All points of a file take no more memory: where they would, sections grow. */
#define RESTART_MEMORY (32U << 20)

#define RESTART_ENTRY 28
#define RESTART_WINDOW 32768
#define RESTART_HEADER 288	/* most bytes of a block's header */

/* Most bytes of the file that hold a section. */
#define RESTART_SPAN(section) (4ULL * (section))

struct restart_index {
	uint64_t disk_size;
	uint64_t file_size;	/* to the end of the last member */
	uint32_t section;	/* bytes; the last one may be smaller */
	uint32_t count;
	uint8_t *entries;	/* RESTART_ENTRY bytes each */
	uint8_t *windows;	/* members that hold a header and a window */
	size_t windows_size;
};

/* An entry, taken apart. */
struct restart_point {
	uint64_t file_offset;	/* of the byte where its code begins */
	uint32_t crc;		/* of the section */
	uint32_t trailer;	/* from there to its last trailer; 0: none */
	uint32_t window;	/* where in the windows its own begins */
	uint16_t header;	/* bytes of the block's header; 0: no need */
	uint16_t skip;		/* bytes the code makes before the section */
	uint8_t bit;		/* where in the byte the code begins */
	uint8_t header_bit;	/* where in its first byte the header does */
	bool zero;		/* the section is all zeroes */
};

void restart_get(const struct restart_index *index, uint32_t number,
		 struct restart_point *point);
void restart_put(struct restart_index *index, uint32_t number,
		 const struct restart_point *point);

/* Bytes of the file from a section's point on that hold it. */
uint64_t restart_span(const struct restart_index *index, uint32_t number);

/* Bytes of memory, and of an index file but for its front. */
size_t restart_size(const struct restart_index *index);
void restart_free(struct restart_index *index);

/*
 * Finds the points of the gzip file in the first @available bytes of @fd, in
 * one pass that expands and verifies all of it, with progress. @section: how
 * far apart they shall be. Returns 0, or -errno after telling what is wrong
 * and where; @index is to be freed in any case.
 */
int restart_find(struct restart_index *index, int fd, const char *name,
		 uint64_t available, uint32_t section);

/*
 * Reads them from the index file at @path, and sees whether it is of this file.
 * Returns 0, -ENOENT (untold) where there is none or an empty one, or -errno
 * after telling; @index is to be freed in any case.
 */
int restart_load(struct restart_index *index, int fd, const char *name,
		 uint64_t available, const char *path);

/* Writes such a file, whole or not at all. 0, or -errno after telling. */
int restart_save(const struct restart_index *index, int fd, const char *name,
		 const char *path, bool replace);

/*
 * Whether the @length bytes (3 are enough) behind a member are the next one,
 * though maybe damaged, and not just what is left of a larger partition.
 */
bool restart_resembles_member(const uint8_t *data, size_t length);

/* Room for what a point's window expands to. */
#define RESTART_SCRATCH (RESTART_HEADER + RESTART_WINDOW)

/*
 * Expands section @number from its restart_span() bytes at @data, to @room
 * bytes at @to, all of it. @inflater has a window; @scratch has room for
 * RESTART_SCRATCH bytes. Returns NULL, or what is wrong in a few words.
 */
const char *restart_expand(const struct restart_index *index,
			   struct inflater *inflater, uint8_t *scratch,
			   uint32_t number, const uint8_t *data, uint8_t *to,
			   uint32_t room);

#endif
