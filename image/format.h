/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Our image format: converts the front and the index pages between structs and
 * bytes. format.md describes the same for people.
 */
#ifndef IMAGE_FORMAT_H
#define IMAGE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/member.h"

#define IMAGE_VERSION 1
#define IMAGE_CHUNK_STEP 4096U		/* chunk sizes are multiples of this */
#define IMAGE_CHUNK_BC 61440U		/* up to this size members have BC */
#define IMAGE_CHUNK_MAX (1U << 20)
#define IMAGE_DISK_MAX (1ULL << 62)

#define IMAGE_FRONT_FIELDS 40		/* bytes in the private subfield */
#define IMAGE_FRONT MEMBER_PRIVATE_SIZE(IMAGE_FRONT_FIELDS)

#define IMAGE_PAGE_CHUNKS 1024U
#define IMAGE_PAGE_FIELDS(chunks) (24 + 4 * (chunks))
#define IMAGE_PAGE(chunks) MEMBER_PRIVATE_SIZE(IMAGE_PAGE_FIELDS(chunks))
#define IMAGE_PAGE_MAX IMAGE_PAGE(IMAGE_PAGE_CHUNKS)

#define IMAGE_ENTRY_ZERO (1U << 31)	/* the chunk is all zeroes */
#define IMAGE_ENTRY_OFFSET (IMAGE_ENTRY_ZERO - 1)

/* The independent fields of the front. All others follow from these. */
struct image_front {
	uint64_t disk_size;	/* bytes */
	uint64_t index_offset;	/* file offset of the first index page */
	uint32_t chunk_size;	/* bytes of the disk per chunk */
};

bool image_has_bc(const struct image_front *front);
uint64_t image_chunks(const struct image_front *front);
uint64_t image_pages(const struct image_front *front);
uint32_t image_page_chunks(const struct image_front *front, uint64_t page);
uint64_t image_index_size(const struct image_front *front);
uint64_t image_file_size(const struct image_front *front);

/* Smallest and largest size of a chunk's member, in bytes. */
uint32_t image_member_min(const struct image_front *front);
uint32_t image_member_max(const struct image_front *front);

void image_put_front(const struct image_front *front,
		     uint8_t to[IMAGE_FRONT]);

/*
 * Checks every byte of a front. Returns NULL and fills in *@front, or returns
 * what is wrong.
 */
const char *image_get_front(const uint8_t from[IMAGE_FRONT],
			    struct image_front *front);

/*
 * Writes page @number, for @count chunks, to @to: IMAGE_PAGE(@count) bytes.
 * @entries are the offsets of @count chunks and of the end, relative to @base.
 */
void image_put_page(uint8_t *to, uint32_t number, uint64_t base,
		    const uint32_t *entries, uint32_t count);

/* A page of the index, checked. */
struct image_page {
	uint64_t base;		/* file offset of its first chunk */
	uint64_t end;		/* file offset of the end of its last chunk */
	uint32_t count;		/* chunks */
	uint32_t zeroes;	/* chunks that are all zeroes */
};

/*
 * Checks every byte of page @number at @from, which is complete. Returns NULL
 * and fills in *@page, or returns what is wrong. The caller checks that
 * consecutive pages fit together.
 */
const char *image_get_page(const uint8_t *from,
			   const struct image_front *front, uint64_t number,
			   struct image_page *page);

/*
 * The file offset of a checked page, and its entry @i (0 to count) with its
 * flag.
 */
uint64_t image_page_base(const uint8_t *page);
uint32_t image_page_entry(const uint8_t *page, uint32_t i);

#endif
