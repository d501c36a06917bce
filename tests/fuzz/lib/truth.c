// SPDX-License-Identifier: GPL-2.0
/* Reads gzip members, BGZF files and images of ours in the simplest way. */
#include "tests/fuzz/lib/truth.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/deflate.h"

/* Too little for zlib's fast path, for input and output. */
#define PIECE_IN 61
#define PIECE_OUT 200

static uint64_t number(const uint8_t *data, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | data[bytes];
	return value;
}

uint32_t truth_crc32(const uint8_t *data, size_t length)
{
	static uint32_t table[256];
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
		table[i] = value;
	}
	for (size_t i = 0; i < length; i++)
		crc = crc >> 8 ^ table[(crc ^ data[i]) & 255];
	return ~crc;
}

/*
 * Returns the offset after the zero byte that ends a name or comment at @at, or
 * 0 if there is none.
 */
static size_t behind_text(const uint8_t *data, size_t length, size_t at)
{
	while (at < length)
		if (!data[at++])
			return at;
	return 0;
}

/* Returns the length of any gzip header, or 0 if it is invalid. */
static size_t gzip_header(const uint8_t *data, size_t length)
{
	enum { HEADER_CRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16 };
	size_t at = 10;

	if (length < at || memcmp(data, "\x1f\x8b\x08", 3) || data[3] & 0xe0)
		return 0;
	if (data[3] & EXTRA) {
		if (length < at + 2)
			return 0;
		at += 2 + number(data + at, 2);
	}
	if (data[3] & NAME && !(at = behind_text(data, length, at)))
		return 0;
	if (data[3] & COMMENT && !(at = behind_text(data, length, at)))
		return 0;
	if (data[3] & HEADER_CRC) {
		if (at + 2 > length || number(data + at, 2) !=
		    (truth_crc32(data, at) & 0xffff))
			return 0;
		at += 2;
	}
	return at < length ? at : 0;
}

/* Expands piece by piece until the stream ends. */
static bool expand_stream(z_stream *stream, const uint8_t *data, size_t length,
			  uint8_t *to, size_t room)
{
	size_t used = 0, made = 0;
	int ret = Z_OK;

	while (ret == Z_OK) {
		uint8_t beyond;
		size_t in = length - used < PIECE_IN ? length - used : PIECE_IN;
		size_t out = room - made < PIECE_OUT ? room - made : PIECE_OUT;

		/* The end of a stream needs no room; excess data does. */
		stream->next_in = (z_const Bytef *)(uintptr_t)(data + used);
		stream->avail_in = in;
		stream->next_out = out ? to + made : &beyond;
		stream->avail_out = out ? out : 1;
		ret = inflate(stream, Z_NO_FLUSH);
		used += in - stream->avail_in;
		if (!out && !stream->avail_out)
			return false;
		made += out ? out - stream->avail_out : 0;
	}
	return ret == Z_STREAM_END;
}

bool truth_expand(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		  struct truth_member *member)
{
	static z_stream stream;
	const uint8_t *trailer;

	memset(member, 0, sizeof(*member));
	if (!stream.state && inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		abort();
	inflateReset(&stream);
	member->header = gzip_header(data, length);
	if (!member->header)
		return false;
	if (!expand_stream(&stream, data + member->header,
			   length - member->header, to, room))
		return false;
	member->used = member->header + stream.total_in + 8;
	member->made = stream.total_out;
	member->crc = truth_crc32(to, member->made);
	if (member->used > length)
		return false;
	trailer = data + member->used - 8;
	return number(trailer, 4) == member->crc &&
	       number(trailer + 4, 4) == (uint32_t)member->made;
}

bool truth_whole(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		 bool *strict)
{
	static struct inflater inflater;
	struct truth_member member;
	const uint8_t *trailer = data + length - 8;

	*strict = true;
	if (truth_expand(data, length, to, room, &member))
		return member.used == length && member.made == room;
	if (!inflater.state && inflater_init(&inflater))
		abort();
	*strict = false;
	return member.header && member.header + 8 <= length &&
	       !inflate_whole(&inflater, data + member.header,
			      length - member.header - 8, to, room) &&
	       number(trailer, 4) == truth_crc32(to, room) &&
	       number(trailer + 4, 4) == room;
}

bool truth_zcat(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		size_t *made)
{
	struct truth_member member;

	*made = 0;
	while (length) {
		if (!truth_expand(data, length, to + *made, room - *made,
				  &member))
			return false;
		*made += member.made;
		data += member.used;
		length -= member.used;
	}
	return true;
}

bool truth_gzip(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		size_t *made, size_t *used)
{
	struct truth_member member;
	bool more;

	*made = *used = 0;
	do {
		const uint8_t *at = data + *used;
		size_t rest = length - *used;

		if (!truth_expand(at, rest, to + *made, room - *made, &member))
			return false;
		*made += member.made;
		*used += member.used;
		at += member.used;
		rest -= member.used;
		if (rest >= 3)
			more = (at[0] == 0x1f) + (at[1] == 0x8b) +
			       (at[2] == 8) >= 2;
		else if (rest == 2)
			more = at[0] == 0x1f && at[1] == 0x8b;
		else
			more = rest && at[0] == 0x1f;
	} while (more);
	return true;
}

size_t truth_bgzf_header(const uint8_t *data, size_t length, size_t *block)
{
	size_t end, at = 12;

	if (length < 18 || memcmp(data, "\x1f\x8b\x08\x04", 4))
		return 0;
	end = 12 + number(data + 10, 2);
	if (end > length)
		return 0;
	while (at + 4 <= end) {
		size_t size = number(data + at + 2, 2);

		if (at + 4 + size > end)
			return 0;
		if (!memcmp(data + at, "BC\x02", 4)) {
			*block = number(data + at + 4, 2) + 1;
			return *block >= end + 10 ? end : 0;
		}
		at += 4 + size;
	}
	return 0;
}

bool truth_our_header(const uint8_t *data, size_t length, bool bc)
{
	uint8_t start[18] = "\x1f\x8b\x08\0\0\0\0\0\0\xff";

	if (bc) {
		start[3] = 4;
		memcpy(start + 10, "\x06\0BC\x02", 6);
		start[16] = length - 1;
		start[17] = (length - 1) >> 8;
	}
	return length >= (bc ? 28 : 20) &&
	       (!bc || length <= 65536) &&
	       !memcmp(data, start, bc ? 18 : 10);
}

/* Whether the empty member at @data has a private subfield of @length bytes. */
static bool is_private(const uint8_t *data, size_t length)
{
	static const uint8_t end[10] = { 3 };

	return !memcmp(data, "\x1f\x8b\x08\x04\0\0\0\0\0\xff", 10) &&
	       number(data + 10, 2) == length + 4 &&
	       !memcmp(data + 12, "UB", 2) && number(data + 14, 2) == length &&
	       !memcmp(data + 16 + length, end, 10) &&
	       number(data + 16 + length - 4, 4) ==
	       truth_crc32(data + 16, length - 4);
}

static uint64_t divide_up(uint64_t number, uint64_t by)
{
	return number / by + (number % by != 0);
}

/* Reads a page whose first chunk is @first. */
static bool read_page(const uint8_t *page, uint64_t first, uint64_t *base,
		      struct truth_image *image)
{
	bool bc = image->chunk_size <= 61440;
	uint64_t count = image->count - first < 1024 ? image->count - first :
			 1024;
	uint64_t max = image->chunk_size + 26 +
		       5 * divide_up(image->chunk_size, 65535);
	const uint8_t *entries = page + 32;
	uint64_t length = 0;

	if (!is_private(page, 24 + 4 * count) || memcmp(page + 16, "I\1", 2) ||
	    number(page + 18, 2) != count ||
	    number(page + 20, 4) != first / 1024 ||
	    number(page + 24, 8) != *base || number(entries, 4) << 1 & ~1U)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct truth_chunk *chunk = &image->chunks[first + i];
		uint64_t from = number(entries + 4 * i, 4);
		uint64_t to = number(entries + 4 * i + 4, 4);

		if (i + 1 == count && to >> 31)
			return false;
		chunk->zero = from >> 31;
		from &= 0x7fffffff;
		to &= 0x7fffffff;
		length = to - from;
		if (to < from || length < (bc ? 28 : 20) || length > max)
			return false;
		chunk->disk_offset = (first + i) * image->chunk_size;
		chunk->disk_length = image->disk_size - chunk->disk_offset <
				     image->chunk_size ?
				     image->disk_size - chunk->disk_offset :
				     image->chunk_size;
		chunk->file_offset = *base + from;
		chunk->file_length = length;
	}
	*base = image->chunks[first + count - 1].file_offset + length;
	return true;
}

static bool read_index(const uint8_t *data, struct truth_image *image)
{
	uint64_t base = 66;

	for (uint64_t first = 0; first < image->count; first += 1024)
		if (!read_page(data + image->index + first / 1024 * 4146,
			       first, &base, image))
			return false;
	return base == image->index;
}

bool truth_ours(const uint8_t *data, size_t length, struct truth_image *image)
{
	static const uint8_t end[28] =
		"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x1b\0\x03";
	uint64_t pages, size;
	bool bc;

	memset(image, 0, sizeof(*image));
	if (length < 66 || !is_private(data, 40) || memcmp(data + 16, "D\1", 2))
		return false;
	image->chunk_size = number(data + 20, 4);
	image->disk_size = number(data + 24, 8);
	image->index = number(data + 32, 8);
	image->file_size = number(data + 40, 8);
	if (!image->chunk_size || image->chunk_size % 4096 ||
	    image->chunk_size > 1 << 20)
		return false;
	bc = image->chunk_size <= 61440;
	image->count = divide_up(image->disk_size, image->chunk_size);
	pages = divide_up(image->count, 1024);
	if (image->count > length / 4 || image->index < 66 ||
	    image->index > length)
		return false;
	size = image->index + pages * 50 + image->count * 4 + (bc ? 28 : 0);
	if (size != image->file_size || size > length ||
	    number(data + 18, 2) != bc || number(data + 48, 4) != pages)
		return false;
	image->chunks = calloc(image->count + 1, sizeof(*image->chunks));
	if (!image->chunks)
		abort();
	if (read_index(data, image) &&
	    (!bc || !memcmp(data + size - 28, end, 28)))
		return true;
	truth_free(image);
	return false;
}

bool truth_goes_on(const uint8_t *data, size_t length)
{
	uint64_t size = length < 66 ? 0 : number(data + 40, 8);

	return size >= 66 && size <= length && length - size >= 66 &&
	       is_private(data + size, 40) && !memcmp(data + size + 16, "D\1", 2);
}

bool truth_bgzf(const uint8_t *data, size_t length, struct truth_image *image)
{
	size_t block = 0;

	memset(image, 0, sizeof(*image));
	image->file_size = length;
	image->chunks = calloc(length / 26 + 1, sizeof(*image->chunks));
	if (!image->chunks)
		abort();
	for (size_t at = 0; at < length; at += block) {
		struct truth_chunk *chunk = &image->chunks[image->count];

		if (!truth_bgzf_header(data + at, length - at, &block) ||
		    block > length - at) {
			truth_free(image);
			return false;
		}
		chunk->disk_offset = image->disk_size;
		chunk->file_offset = at;
		chunk->file_length = block;
		chunk->disk_length = number(data + at + block - 4, 4);
		image->disk_size += chunk->disk_length;
		if (chunk->disk_length)
			image->count++;
		else
			image->empty++;
		image->ended = !chunk->disk_length && block == 28;
	}
	return true;
}

void truth_free(struct truth_image *image)
{
	free(image->chunks);
	image->chunks = NULL;
}
