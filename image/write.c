// SPDX-License-Identifier: GPL-2.0
/* Writes a compressed image. The members come compressed. */
#include "image/write.h"

#include <errno.h>
#include <stdlib.h>

#include "image/format.h"
#include "lib/array.h"
#include "lib/whole-io.h"

void image_writer_start(struct image_writer *writer, int fd,
			uint32_t chunk_size)
{
	*writer = (struct image_writer){
		.fd = fd,
		.chunk_size = chunk_size,
		.offset = IMAGE_FRONT,
	};
}

static int writer_append(struct image_writer *writer, const void *data,
			 size_t length)
{
	int ret = whole_pwrite(writer->fd, data, length, writer->offset);

	writer->offset += length;
	return ret;
}

int image_writer_add(struct image_writer *writer, const uint8_t *member,
		     uint32_t length, uint32_t disk_length, bool zero)
{
	uint32_t *chunks = array_reserve(writer->chunks, sizeof(*chunks),
					 writer->count, 1, &writer->room);

	if (!chunks)
		return -ENOMEM;
	writer->chunks = chunks;
	writer->chunks[writer->count++] = length |
					  (zero ? IMAGE_ENTRY_ZERO : 0);
	writer->disk_size += disk_length;
	return writer_append(writer, member, length);
}

/*
 * Converts lengths to offsets from @base, writes the page, and advances @base.
 */
static int writer_write_page(struct image_writer *writer, uint64_t number,
			     uint32_t count, uint64_t *base, uint8_t *page)
{
	const uint32_t *chunks = writer->chunks + number * IMAGE_PAGE_CHUNKS;
	uint32_t entries[IMAGE_PAGE_CHUNKS + 1];
	uint32_t offset = 0;

	for (uint32_t i = 0; i < count; i++) {
		entries[i] = offset | (chunks[i] & IMAGE_ENTRY_ZERO);
		offset += chunks[i] & IMAGE_ENTRY_OFFSET;
	}
	entries[count] = offset;
	image_put_page(page, number, *base, entries, count);
	*base += offset;
	return writer_append(writer, page, IMAGE_PAGE(count));
}

static int writer_write_index(struct image_writer *writer,
			      const struct image_front *front)
{
	uint8_t page[IMAGE_PAGE_MAX];
	uint64_t base = IMAGE_FRONT;
	int ret = 0;

	for (uint64_t i = 0; !ret && i < image_pages(front); i++)
		ret = writer_write_page(writer, i, image_page_chunks(front, i),
					&base, page);
	if (!ret && image_has_bc(front))
		ret = writer_append(writer, member_eof, MEMBER_EOF);
	return ret;
}

int image_writer_finish(struct image_writer *writer)
{
	struct image_front front = {
		.chunk_size = writer->chunk_size,
		.disk_size = writer->disk_size,
		.index_offset = writer->offset,
	};
	uint8_t bytes[IMAGE_FRONT];
	int ret;

	/* Page numbers are 32-bit. Both limits are far beyond any disk. */
	if (front.disk_size > IMAGE_DISK_MAX ||
	    image_pages(&front) > UINT32_MAX)
		return -EFBIG;
	ret = writer_write_index(writer, &front);
	if (ret)
		return ret;
	image_put_front(&front, bytes);
	return whole_pwrite(writer->fd, bytes, sizeof(bytes), 0);
}

void image_writer_free(struct image_writer *writer)
{
	free(writer->chunks);
	writer->chunks = NULL;
}
