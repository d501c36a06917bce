/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Expands deflate streams (RFC 1951) that are completely in memory, such as
 * those of an image's chunks, into memory that holds all of the output. Because
 * it knows both ends, it is about twice as fast as zlib, which is still used
 * for streams that come in pieces or are not expanded from their beginning.
 */
#ifndef IMAGE_INFLATE_H
#define IMAGE_INFLATE_H

#include <stddef.h>
#include <stdint.h>

/* Codes of up to this many bits need only one table lookup. */
#define INFLATE_LITERAL_BITS 10
#define INFLATE_DISTANCE_BITS 8

/*
 * A Huffman code: the number of codes of each length, and the symbols in order.
 */
struct inflate_code {
	uint16_t count[16];
	uint16_t symbols[288];
};

/* State of one expansion, for one thread at a time. Needs no initialisation. */
struct inflate {
	struct inflate_code literal;
	struct inflate_code distance;
	uint32_t literals[1 << INFLATE_LITERAL_BITS];
	uint32_t distances[1 << INFLATE_DISTANCE_BITS];
};

/* Bytes after a stream that must be readable; their values do not matter. */
#define INFLATE_BEHIND 8

/*
 * Expands the stream of @length bytes at @data, which INFLATE_BEHIND readable
 * bytes follow. The stream must use all of them, and fill exactly @room bytes
 * at @to. Returns NULL, or what is wrong in a few words; then the contents of
 * @to are undefined.
 */
const char *inflate_whole(struct inflate *self, const uint8_t *data,
			  size_t length, uint8_t *to, size_t room);

#endif
