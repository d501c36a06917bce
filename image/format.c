// SPDX-License-Identifier: GPL-2.0
/*
 * Converts the front and the index pages of an image between structs and bytes.
 * Does no I/O.
 */
#include "image/format.h"

#include <string.h>

#include "lib/deflate.h"
#include "lib/little-endian.h"

/* Offsets in the private subfield of the front ... */
enum {
	FRONT_KIND = 0,
	FRONT_VERSION = 1,
	FRONT_FLAGS = 2,
	FRONT_CHUNK_SIZE = 4,
	FRONT_DISK_SIZE = 8,
	FRONT_INDEX_OFFSET = 16,
	FRONT_FILE_SIZE = 24,
	FRONT_PAGES = 32,
	FRONT_CRC = 36,
};

/* ... and of an index page. */
enum {
	PAGE_KIND = 0,
	PAGE_VERSION = 1,
	PAGE_COUNT = 2,
	PAGE_NUMBER = 4,
	PAGE_BASE = 8,
	PAGE_ENTRIES = 16,	/* count + 1 of them, then the CRC */
};

#define KIND_FRONT 'D'
#define KIND_PAGE 'I'
#define FLAG_BC 1	/* data members have BC; BGZF's end marker is last */

bool image_has_bc(const struct image_front *front)
{
	return front->chunk_size <= IMAGE_CHUNK_BC;
}

uint64_t image_chunks(const struct image_front *front)
{
	return (front->disk_size + front->chunk_size - 1) / front->chunk_size;
}

uint64_t image_pages(const struct image_front *front)
{
	return (image_chunks(front) + IMAGE_PAGE_CHUNKS - 1) /
	       IMAGE_PAGE_CHUNKS;
}

uint32_t image_page_chunks(const struct image_front *front, uint64_t page)
{
	uint64_t rest = image_chunks(front) - page * IMAGE_PAGE_CHUNKS;

	return rest < IMAGE_PAGE_CHUNKS ? rest : IMAGE_PAGE_CHUNKS;
}

uint64_t image_index_size(const struct image_front *front)
{
	return image_pages(front) * IMAGE_PAGE(0) + image_chunks(front) * 4;
}

uint64_t image_file_size(const struct image_front *front)
{
	return front->index_offset + image_index_size(front) +
	       (image_has_bc(front) ? MEMBER_EOF : 0);
}

uint32_t image_member_min(const struct image_front *front)
{
	return (image_has_bc(front) ? MEMBER_BC : MEMBER_FIXED) +
	       MEMBER_EMPTY + MEMBER_TRAILER;
}

uint32_t image_member_max(const struct image_front *front)
{
	return member_bound(front->chunk_size);
}

void image_put_front(const struct image_front *front, uint8_t to[IMAGE_FRONT])
{
	uint8_t *fields = to + MEMBER_PRIVATE;

	member_put_private(to, IMAGE_FRONT_FIELDS);
	fields[FRONT_KIND] = KIND_FRONT;
	fields[FRONT_VERSION] = IMAGE_VERSION;
	put_le16(fields + FRONT_FLAGS, image_has_bc(front) ? FLAG_BC : 0);
	put_le32(fields + FRONT_CHUNK_SIZE, front->chunk_size);
	put_le64(fields + FRONT_DISK_SIZE, front->disk_size);
	put_le64(fields + FRONT_INDEX_OFFSET, front->index_offset);
	put_le64(fields + FRONT_FILE_SIZE, image_file_size(front));
	put_le32(fields + FRONT_PAGES, image_pages(front));
	put_le32(fields + FRONT_CRC, crc32_add(0, fields, FRONT_CRC));
}

/*
 * Values must be in range even if all checksums match: the image may be
 * malicious.
 */
static bool front_is_sane(const struct image_front *front)
{
	if (!front->chunk_size || front->chunk_size % IMAGE_CHUNK_STEP ||
	    front->chunk_size > IMAGE_CHUNK_MAX)
		return false;
	if (front->disk_size > IMAGE_DISK_MAX ||
	    front->index_offset < IMAGE_FRONT ||
	    front->index_offset > IMAGE_DISK_MAX)
		return false;
	return image_pages(front) <= UINT32_MAX;
}

const char *image_get_front(const uint8_t from[IMAGE_FRONT],
			    struct image_front *front)
{
	const uint8_t *fields = from + MEMBER_PRIVATE;
	uint8_t expected[IMAGE_FRONT];

	if (!member_is_private(from, IMAGE_FRONT_FIELDS) ||
	    fields[FRONT_KIND] != KIND_FRONT ||
	    get_le32(fields + FRONT_CRC) != crc32_add(0, fields, FRONT_CRC))
		return "the header is damaged";
	if (fields[FRONT_VERSION] != IMAGE_VERSION)
		return "made by a newer ublk, whose format this one cannot read";

	front->chunk_size = get_le32(fields + FRONT_CHUNK_SIZE);
	front->disk_size = get_le64(fields + FRONT_DISK_SIZE);
	front->index_offset = get_le64(fields + FRONT_INDEX_OFFSET);
	if (!front_is_sane(front))
		return "the header makes no sense";
	/* The other fields each have one valid value. */
	image_put_front(front, expected);
	if (memcmp(from, expected, IMAGE_FRONT))
		return "the header makes no sense";
	return NULL;
}

void image_put_page(uint8_t *to, uint32_t number, uint64_t base,
		    const uint32_t *entries, uint32_t count)
{
	uint8_t *fields = to + MEMBER_PRIVATE;
	size_t crc = IMAGE_PAGE_FIELDS(count) - 4;

	member_put_private(to, IMAGE_PAGE_FIELDS(count));
	fields[PAGE_KIND] = KIND_PAGE;
	fields[PAGE_VERSION] = IMAGE_VERSION;
	put_le16(fields + PAGE_COUNT, count);
	put_le32(fields + PAGE_NUMBER, number);
	put_le64(fields + PAGE_BASE, base);
	for (uint32_t i = 0; i <= count; i++)
		put_le32(fields + PAGE_ENTRIES + 4 * i, entries[i]);
	put_le32(fields + crc, crc32_add(0, fields, crc));
}

uint64_t image_page_base(const uint8_t *page)
{
	return get_le64(page + MEMBER_PRIVATE + PAGE_BASE);
}

uint32_t image_page_entry(const uint8_t *page, uint32_t i)
{
	return get_le32(page + MEMBER_PRIVATE + PAGE_ENTRIES + 4 * i);
}

/*
 * Checks that entries ascend from 0 in steps that a member can have, and that
 * the end has no flag.
 */
static bool check_entries(const uint8_t *from, const struct image_front *front,
			  struct image_page *page)
{
	uint32_t min = image_member_min(front);
	uint32_t max = image_member_max(front);
	uint32_t last = 0;

	for (uint32_t i = 0; i <= page->count; i++) {
		uint32_t entry = image_page_entry(from, i);
		uint32_t offset = entry & IMAGE_ENTRY_OFFSET;

		if (i ? offset < last || offset - last < min ||
			offset - last > max : offset != 0)
			return false;
		if (entry & IMAGE_ENTRY_ZERO) {
			if (i == page->count)
				return false;
			page->zeroes++;
		}
		last = offset;
	}
	page->end = page->base + last;
	return true;
}

const char *image_get_page(const uint8_t *from,
			   const struct image_front *front, uint64_t number,
			   struct image_page *page)
{
	const uint8_t *fields = from + MEMBER_PRIVATE;
	uint32_t count = image_page_chunks(front, number);
	size_t crc = IMAGE_PAGE_FIELDS(count) - 4;

	if (!member_is_private(from, crc + 4) ||
	    get_le32(fields + crc) != crc32_add(0, fields, crc))
		return "the index is damaged";
	*page = (struct image_page){
		.count = count,
		.base = get_le64(fields + PAGE_BASE),
	};
	if (fields[PAGE_KIND] != KIND_PAGE ||
	    fields[PAGE_VERSION] != IMAGE_VERSION ||
	    get_le16(fields + PAGE_COUNT) != count ||
	    get_le32(fields + PAGE_NUMBER) != number ||
	    page->base < IMAGE_FRONT || page->base > front->index_offset ||
	    !check_entries(from, front, page))
		return "the index makes no sense";
	return NULL;
}
