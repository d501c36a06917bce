/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Expands deflate streams (RFC 1951) that are whole in memory, as those of the
 * chunks of an image are, to memory that holds all of what they make. Knowing
 * both ends it is some two times as fast as zlib, which does the rest: streams
 * that come in pieces or are not expanded from their beginning.
 */
#ifndef IMAGE_INFLATE_H
#define IMAGE_INFLATE_H

#include <stddef.h>
#include <stdint.h>

/* Codes of up to so many bits are found by one look at a table. */
#define INFLATE_LITERAL_BITS 10
#define INFLATE_DISTANCE_BITS 8

/* A Huffman code: how many there are of each length, and in which order. */
struct inflate_code {
	uint16_t count[16];
	uint16_t symbols[288];
};

/* What a stream is expanded with; one thread's. Needs no initialisation. */
struct inflate {
	struct inflate_code literal;
	struct inflate_code distance;
	uint32_t literals[1 << INFLATE_LITERAL_BITS];
	uint32_t distances[1 << INFLATE_DISTANCE_BITS];
};

/* Bytes behind a stream that must be there to be read, whatever they are. */
#define INFLATE_BEHIND 8

/*
 * Expands the stream of @length bytes at @data, INFLATE_BEHIND more being there,
 * all of it and nothing more, to exactly @room bytes at @to. Returns NULL, or what is wrong with it in a few
 * words; @to has anything in it then.
 */
const char *inflate_whole(struct inflate *self, const uint8_t *data,
			  size_t length, uint8_t *to, size_t room);

#endif
