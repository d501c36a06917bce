// SPDX-License-Identifier: GPL-2.0
/*
 * Restart points: their form in memory, and how to expand a section from one.
 */
#include "image/restart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/deflate.h"
#include "lib/little-endian.h"

/*
 * The last code of a section may end after the next point: 48 bits at most, and
 * up to 7 unused bits before the first.
 */
#define CODE_BYTES 7

#define FLAG_ZERO 1

void restart_get(const struct restart_index *index, uint32_t number,
		 struct restart_point *point)
{
	const uint8_t *entry = index->entries + (size_t)number * RESTART_ENTRY;

	*point = (struct restart_point){
		.file_offset = get_le64(entry),
		.crc = get_le32(entry + 8),
		.trailer = get_le32(entry + 12),
		.window = get_le32(entry + 16),
		.header = get_le16(entry + 20),
		.skip = get_le16(entry + 22),
		.bit = entry[24],
		.header_bit = entry[25],
		.zero = entry[26] & FLAG_ZERO,
	};
}

void restart_put(struct restart_index *index, uint32_t number,
		 const struct restart_point *point)
{
	uint8_t *entry = index->entries + (size_t)number * RESTART_ENTRY;

	put_le64(entry, point->file_offset);
	put_le32(entry + 8, point->crc);
	put_le32(entry + 12, point->trailer);
	put_le32(entry + 16, point->window);
	put_le16(entry + 20, point->header);
	put_le16(entry + 22, point->skip);
	entry[24] = point->bit;
	entry[25] = point->header_bit;
	entry[26] = point->zero ? FLAG_ZERO : 0;
	entry[27] = 0;
}

/*
 * The values that the next point begins with; for the last point, those of the
 * end of the file.
 */
static void restart_get_next(const struct restart_index *index, uint32_t number,
			     struct restart_point *next)
{
	if (number + 1 < index->count) {
		restart_get(index, number + 1, next);
		return;
	}
	next->file_offset = index->file_size;
	next->window = index->windows_size;
}

uint64_t restart_span(const struct restart_index *index, uint32_t number)
{
	struct restart_point point, next;
	uint64_t end;

	restart_get(index, number, &point);
	restart_get_next(index, number, &next);
	end = index->file_size - next.file_offset > CODE_BYTES ?
	      next.file_offset + CODE_BYTES : index->file_size;
	return end - point.file_offset;
}

size_t restart_size(const struct restart_index *index)
{
	return (size_t)index->count * RESTART_ENTRY + index->windows_size;
}

void restart_free(struct restart_index *index)
{
	free(index->entries);
	free(index->windows);
}

bool restart_resembles_member(const uint8_t *data, size_t length)
{
	size_t equal = 0, count = 0;

	for (; count < 3 && count < length; count++)
		equal += data[count] == member_eof[count];
	return 2 * equal > count;
}

/* Sets the input to @data, from bit @bit of its first byte on. */
static void restart_set_input(z_stream *stream, const uint8_t *data,
			      size_t length, unsigned int bit)
{
	if (bit)
		inflatePrime(stream, 8 - bit, data[0] >> bit);
	stream->next_in = (z_const Bytef *)(uintptr_t)(data + !!bit);
	stream->avail_in = length - !!bit;
}

int restart_stream_init(z_stream *stream)
{
	const uint8_t byte = 0;
	int ret;

	memset(stream, 0, sizeof(*stream));
	ret = inflateInit2(stream, -MAX_WBITS);
	if (ret != Z_OK)
		return -ENOMEM;
	/* zlib allocates the window with the first dictionary, and keeps it. */
	ret = inflateSetDictionary(stream, &byte, 1);
	if (ret == Z_OK)
		return 0;
	inflateEnd(stream);
	return -ENOMEM;
}

struct restart_expander *restart_expander_new(void)
{
	struct restart_expander *expander = malloc(sizeof(*expander));

	if (!expander || !restart_stream_init(&expander->stream))
		return expander;
	free(expander);
	return NULL;
}

void restart_expander_free(struct restart_expander *expander)
{
	if (expander)
		inflateEnd(&expander->stream);
	free(expander);
}

/*
 * Expands the header and window of @point to @scratch. Returns their size, or
 * -1 on error.
 */
static int restart_unpack_window(const struct restart_index *index,
				 struct inflater *inflater, uint8_t *scratch,
				 uint32_t number,
				 const struct restart_point *point)
{
	struct restart_point next;
	const uint8_t *packed;
	uint32_t length, size;

	restart_get_next(index, number, &next);
	length = next.window - point->window;
	if (!length)
		return point->header ? -1 : 0;
	if (length < MEMBER_FIXED + MEMBER_EMPTY + MEMBER_TRAILER)
		return -1;
	packed = index->windows + point->window;
	size = get_le32(packed + length - 4);
	if (size < point->header || size - point->header > RESTART_WINDOW ||
	    member_inflate(inflater, MEMBER_OURS, packed, length, scratch,
			   size))
		return -1;
	return size;
}

/* Restores the stream's state at @point. */
static bool restart_restore(const struct restart_index *index,
			    struct restart_expander *expander,
			    struct inflater *inflater, uint32_t number,
			    const struct restart_point *point)
{
	z_stream *stream = &expander->stream;
	uint8_t *scratch = expander->scratch;
	int size = restart_unpack_window(index, inflater, scratch, number,
					 point);

	if (size < 0)
		return false;
	inflateReset(stream);
	if (size > point->header)
		inflateSetDictionary(stream, scratch + point->header,
				     size - point->header);
	if (!point->header)
		return true;
	restart_set_input(stream, scratch, point->header, point->header_bit);
	stream->next_out = scratch;
	stream->avail_out = 0;
	inflate(stream, Z_TREES);
	/* zlib must have read the header, and keep no bits from after it. */
	return stream->data_type & 256 && inflatePrime(stream, -1, 0) == Z_OK;
}

/* Expands data until the output is full, across members if necessary. */
static const char *restart_expand_input(z_stream *stream)
{
	size_t header;

	for (;;) {
		int ret = inflate(stream, Z_NO_FLUSH);

		if (!stream->avail_out)
			return NULL;
		if (ret != Z_STREAM_END)
			return "not a deflate stream of its length";
		if (stream->avail_in < MEMBER_TRAILER)
			return "ends early";
		stream->next_in += MEMBER_TRAILER;
		stream->avail_in -= MEMBER_TRAILER;
		header = member_header(stream->next_in, stream->avail_in);
		if (!header)
			return "wrong header";
		stream->next_in += header;
		stream->avail_in -= header;
		inflateReset(stream);
	}
}

const char *restart_expand(const struct restart_index *index,
			   struct restart_expander *expander,
			   struct inflater *inflater,
			   uint32_t number, const uint8_t *data, uint8_t *to,
			   uint32_t room)
{
	z_stream *stream = &expander->stream;
	struct restart_point point;
	const char *why = NULL;

	restart_get(index, number, &point);
	if (!restart_restore(index, expander, inflater, number, &point))
		return "its restart point is damaged";
	restart_set_input(stream, data, restart_span(index, number), point.bit);
	if (point.skip) {
		stream->next_out = expander->scratch;
		stream->avail_out = point.skip;
		why = restart_expand_input(stream);
	}
	if (why)
		return why;
	stream->next_out = to;
	stream->avail_out = room;
	why = restart_expand_input(stream);
	if (!why && crc32_add(0, to, room) != point.crc)
		why = "wrong checksum";
	return why;
}
