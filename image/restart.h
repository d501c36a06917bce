/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restart points of a gzip file: what is needed to expand it from its middle,
 * although it was not made for that. The disk is cut into sections of one size,
 * and each has a point at its beginning. Points in memory have the same form as
 * in an index file, which format.md describes.
 *
 * A section may begin anywhere, even within a deflate block or within the
 * output of one code. So a point keeps the header of the block, the preceding
 * window of 32 KiB, and how many bytes of the code's output come before the
 * section.
 */
#ifndef IMAGE_RESTART_H
#define IMAGE_RESTART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "image/member.h"
#include "sources/source.h"

/* Bytes of the disk between two points. */
#define RESTART_SECTION_DEFAULT (1U << 20)
#define RESTART_SECTION_MIN (64U << 10)
#define RESTART_SECTION_MAX (16U << 20)

/*
 * The most memory, in bytes, for all points of a file. If they would need more,
 * sections are made larger.
 */
#define RESTART_MEMORY (32U << 20)

#define RESTART_ENTRY 28
#define RESTART_WINDOW 32768
#define RESTART_HEADER 288	/* largest header of a block, in bytes */

/* The most bytes of the file that hold one section. */
#define RESTART_SPAN_MAX(section) (4ULL * (section))

struct restart_index {
	uint64_t disk_size;
	uint64_t file_size;	/* to the end of the last member */
	uint32_t section;	/* bytes; the last one may be smaller */
	uint32_t count;
	uint8_t *entries;	/* RESTART_ENTRY bytes each */
	uint8_t *windows;	/* members, each a header and a window */
	size_t windows_size;
};

/* An entry as a struct. */
struct restart_point {
	uint64_t file_offset;	/* of the byte where its code begins */
	uint32_t crc;		/* of the section */
	uint32_t trailer;	/* from there to its last trailer; 0: none */
	uint32_t window;	/* offset of its window in windows */
	uint16_t header;	/* size of the block's header; 0: not needed */
	uint16_t skip;		/* bytes the code makes before the section */
	uint8_t bit;		/* bit of the byte where the code begins */
	uint8_t header_bit;	/* likewise for the header */
	bool zero;		/* the section is all zeroes */
};

void restart_get(const struct restart_index *index, uint32_t number,
		 struct restart_point *point);
void restart_put(struct restart_index *index, uint32_t number,
		 const struct restart_point *point);

/* How many bytes of the file, from its point on, hold a section. */
uint64_t restart_span(const struct restart_index *index, uint32_t number);

/* Size in memory in bytes, and of an index file without its front. */
size_t restart_size(const struct restart_index *index);
void restart_free(struct restart_index *index);

/*
 * Finds the points of the gzip file in the first @available bytes of @fd, in
 * one pass that expands and verifies it completely. Shows progress. @section is
 * the distance of the points, in bytes of the disk. Returns 0, or -errno after
 * printing why and where. The caller frees @index in any case.
 */
int restart_find(struct restart_index *index, const struct source *source,
		 const char *name, uint64_t available, uint32_t section);

/*
 * Reads the points from the index file @path, and checks that they belong to
 * this gzip file. Returns 0; -ENOENT, printing nothing, if the file does not
 * exist or is empty; or -errno after printing why. The caller frees @index in
 * any case.
 */
int restart_load(struct restart_index *index, const struct source *source,
		 const char *name, uint64_t available, const char *path);

/*
 * Writes an index file, completely or not at all. Returns 0, or -errno after
 * printing why.
 */
int restart_save(const struct restart_index *index, const struct source *source,
		 const char *name, const char *path, bool replace);

/*
 * Whether the @length bytes (3 are enough) after a member are another member,
 * though perhaps damaged, and not just old contents of a larger partition.
 */
bool restart_resembles_member(const uint8_t *data, size_t length);

/* Room for the expanded window of a point, in bytes. */
#define RESTART_SCRATCH (RESTART_HEADER + RESTART_WINDOW)

/*
 * Prepares @stream for expansion, and allocates its window. Returns 0 or
 * -ENOMEM; then inflateEnd() is not needed. @stream must not be moved.
 */
int restart_stream_init(z_stream *stream);

/* What a thread needs to expand sections, beside an inflater for windows. */
struct restart_expander {
	z_stream stream;
	uint8_t scratch[RESTART_SCRATCH];
};

/* Allocates all memory that is needed. Returns NULL if there is none. */
struct restart_expander *restart_expander_new(void);
void restart_expander_free(struct restart_expander *expander);

/*
 * Expands section @number from its restart_span() bytes at @data, to exactly
 * @room bytes at @to. Returns NULL, or what is wrong in a few words.
 */
const char *restart_expand(const struct restart_index *index,
			   struct restart_expander *expander,
			   struct inflater *inflater,
			   uint32_t number, const uint8_t *data, uint8_t *to,
			   uint32_t room);

#endif
