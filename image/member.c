// SPDX-License-Identifier: GPL-2.0
/*
 * One member of a gzip file, completely in memory. The headers that are written
 * here are compared byte by byte when they are read: no changed bit is ignored.
 */
#include "image/member.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/deflate.h"
#include "lib/little-endian.h"

#define FLAG_CRC 2
#define FLAG_EXTRA 4
#define FLAG_NAME 8
#define FLAG_COMMENT 16
#define FLAGS_RESERVED 0xe0
#define STORED_MAX 65535	/* bytes of one stored block */
#define STORED_HEADER 5

const uint8_t member_eof[MEMBER_EOF] = {
	0x1f, 0x8b, 8, FLAG_EXTRA, 0, 0, 0, 0, 0, 0xff,
	6, 0, 'B', 'C', 2, 0, MEMBER_EOF - 1, 0, 3, 0,
};

static size_t stored_size(size_t length)
{
	size_t blocks = (length + STORED_MAX - 1) / STORED_MAX;

	return length + blocks * STORED_HEADER;
}

size_t member_bound(size_t length)
{
	return MEMBER_BC + stored_size(length) + MEMBER_TRAILER;
}

void member_put_header(uint8_t *to, bool extra)
{
	memcpy(to, member_eof, MEMBER_FIXED);
	if (!extra)
		to[3] = 0;
}

static void put_private_start(uint8_t *to, size_t length)
{
	member_put_header(to, true);
	put_le16(to + 10, length + 4);
	to[12] = 'U';
	to[13] = 'B';
	put_le16(to + 14, length);
}

/* The last bytes of every empty member: an empty stream, CRC 0, length 0. */
static const uint8_t *empty_end(void)
{
	return member_eof + MEMBER_EOF - MEMBER_EMPTY - MEMBER_TRAILER;
}

size_t member_put_private(uint8_t *to, size_t length)
{
	put_private_start(to, length);
	memcpy(to + MEMBER_PRIVATE + length, empty_end(),
	       MEMBER_EMPTY + MEMBER_TRAILER);
	return MEMBER_PRIVATE_SIZE(length);
}

bool member_is_private(const uint8_t *data, size_t length)
{
	uint8_t start[MEMBER_PRIVATE];

	put_private_start(start, length);
	return !memcmp(data, start, MEMBER_PRIVATE) &&
	       !memcmp(data + MEMBER_PRIVATE + length, empty_end(),
		       MEMBER_EMPTY + MEMBER_TRAILER);
}

bool member_starts_private(const uint8_t *data)
{
	return member_starts_gzip(data) && data[3] & FLAG_EXTRA &&
	       (data[12] == 'U' || data[13] == 'B');
}

bool member_starts_gzip(const uint8_t *data)
{
	return !memcmp(data, member_eof, 3);
}

/* The value of the BC subfield in @length bytes of subfields, or -1. */
static int find_bc(const uint8_t *data, size_t length)
{
	while (length >= 4) {
		size_t size = get_le16(data + 2);

		if (size > length - 4)
			return -1;
		if (data[0] == 'B' && data[1] == 'C' && size == 2)
			return get_le16(data + 4);
		data += 4 + size;
		length -= 4 + size;
	}
	return -1;
}

size_t member_bgzf_header(const uint8_t *data, size_t length,
			  uint32_t *member_length)
{
	size_t header;
	int bc;

	if (length < MEMBER_BC || !member_starts_gzip(data) ||
	    data[3] != FLAG_EXTRA)
		return 0;
	header = 12 + get_le16(data + 10);
	if (header > length)
		return 0;
	bc = find_bc(data + 12, header - 12);
	if (bc < 0 || bc + 1U < header + MEMBER_EMPTY + MEMBER_TRAILER)
		return 0;
	*member_length = bc + 1;
	return header;
}

/*
 * The offset after the zero byte that ends a text at @at, or @length if there
 * is none.
 */
static size_t member_skip_text(const uint8_t *data, size_t length, size_t at)
{
	while (at < length && data[at])
		at++;
	return at < length ? at + 1 : length;
}

size_t member_header(const uint8_t *data, size_t length)
{
	size_t at = MEMBER_FIXED;

	/*
	 * The two bytes are the length of an extra field or the shortest
	 * stream.
	 */
	if (length < MEMBER_FIXED + 2 || !member_starts_gzip(data) ||
	    data[3] & FLAGS_RESERVED)
		return 0;
	if (data[3] & FLAG_EXTRA)
		at += 2 + get_le16(data + at);
	if (data[3] & FLAG_NAME)
		at = member_skip_text(data, length, at);
	if (data[3] & FLAG_COMMENT)
		at = member_skip_text(data, length, at);
	if (data[3] & FLAG_CRC) {
		if (at + 2 > length ||
		    get_le16(data + at) != (crc32_add(0, data, at) & 0xffff))
			return 0;
		at += 2;
	}
	return at < length ? at : 0;
}

/*
 * Returns the size of the deflate stream, which is always stored_size(length).
 */
static size_t member_store(const uint8_t *data, size_t length, uint8_t *to)
{
	uint8_t *start = to;

	while (length) {
		size_t n = length < STORED_MAX ? length : STORED_MAX;

		*to = n == length;	/* the last block; stored */
		put_le16(to + 1, n);
		put_le16(to + 3, ~n);
		memcpy(to + STORED_HEADER, data, n);
		to += STORED_HEADER + n;
		data += n;
		length -= n;
	}
	return to - start;
}

size_t member_deflate(struct deflater *self, const uint8_t *data,
		      size_t length, bool bc, uint8_t *to)
{
	size_t header = bc ? MEMBER_BC : MEMBER_FIXED;
	size_t size;

	size = deflate_whole(self, data, length, to + header,
			     stored_size(length));
	if (!size)
		size = member_store(data, length, to + header);
	put_le32(to + header + size, crc32_add(0, data, length));
	put_le32(to + header + size + 4, length);
	size += header + MEMBER_TRAILER;

	member_put_header(to, bc);
	if (bc) {
		memcpy(to, member_eof, MEMBER_BC);
		put_le16(to + MEMBER_BC - 2, size - 1);
	}
	return size;
}

uint32_t member_crc(const uint8_t *data, size_t length)
{
	return get_le32(data + length - MEMBER_TRAILER);
}

/* The size of the member's header, or 0 if it is not of this @kind. */
static size_t member_check_header(enum member_kind kind, const uint8_t *data,
				  size_t length)
{
	uint8_t expected[MEMBER_BC];
	uint32_t member_length;
	size_t header;

	if (kind == MEMBER_ANY_BGZF) {
		header = member_bgzf_header(data, length, &member_length);
		return header && member_length == length ? header : 0;
	}
	header = kind == MEMBER_OURS_BC ? MEMBER_BC : MEMBER_FIXED;
	if (length < header + MEMBER_EMPTY + MEMBER_TRAILER)
		return 0;
	memcpy(expected, member_eof, MEMBER_BC);
	put_le16(expected + MEMBER_BC - 2, length - 1);
	if (kind == MEMBER_OURS)
		member_put_header(expected, false);
	return memcmp(data, expected, header) ? 0 : header;
}

const char *member_inflate(struct inflater *self, enum member_kind kind,
			   const uint8_t *data, size_t length, uint8_t *to,
			   size_t room)
{
	size_t header = member_check_header(kind, data, length);
	const uint8_t *trailer = data + length - MEMBER_TRAILER;
	const char *why;

	if (!header)
		return "wrong header";
	if (get_le32(trailer + 4) != room)
		return "wrong length";
	why = inflate_whole(self, data + header, trailer - data - header, to,
			    room);
	if (why)
		return why;
	if (crc32_add(0, to, room) != member_crc(data, length))
		return "wrong checksum";
	return NULL;
}
