/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes and expands deflate streams (RFC 1951) that are completely in memory,
 * such as those of an image's chunks, and calculates their checksums. Streams
 * that come in pieces, or are not expanded from their beginning, are zlib's
 * (image/restart.c).
 *
 * There are two implementations: deflate-libdeflate.c, and deflate-zlib.c,
 * which is slower, needs no other library, and is in programs that are built
 * with LIBDEFLATE=no.
 */
#ifndef LIB_DEFLATE_H
#define LIB_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

/* State for compression, for one thread at a time. */
struct deflater {
	void *state;
};

#define DEFLATE_LEVEL_MAX 12

/*
 * @level: 1 to DEFLATE_LEVEL_MAX; zlib's highest is 9, which it takes for
 * higher ones. Returns 0 or -ENOMEM. deflater_free() may be called in any case.
 */
int deflater_init(struct deflater *self, int level);
void deflater_free(struct deflater *self);

/*
 * Compresses the @length (> 0) bytes at @data. Returns the size of the stream,
 * or 0 if it would not fit into the @room bytes at @to; it may also return 0 if the
 * stream would leave 8 or fewer of them unused. The same data, level and room always give
 * the same bytes, on each processor.
 */
size_t deflate_whole(struct deflater *self, const uint8_t *data, size_t length,
		     uint8_t *to, size_t room);

/* State for expansion, for one thread at a time. */
struct inflater {
	void *state;
};

/*
 * Returns 0 or -ENOMEM. Nothing is allocated later. inflater_free() may be
 * called in any case.
 */
int inflater_init(struct inflater *self);
void inflater_free(struct inflater *self);

/*
 * Expands the stream of @length bytes at @data. It must use all of them, and
 * fill exactly the @room bytes at @to, which must not be NULL even if @room is
 * 0. Returns NULL, or what is wrong in a few words; then the contents of @to
 * are undefined.
 *
 * What zlib expands is accepted by both, with the same contents. libdeflate
 * also accepts some streams that break rules of the format without being
 * ambiguous, such as those with more codes than there can be.
 */
const char *inflate_whole(struct inflater *self, const uint8_t *data,
			  size_t length, uint8_t *to, size_t room);

/*
 * The CRC-32 (gzip's) of something whose CRC-32 was @crc so far, and that goes
 * on with the @length bytes at @data. The CRC-32 of no bytes is 0.
 */
uint32_t crc32_add(uint32_t crc, const void *data, size_t length);

/*
 * The CRC-32 of two parts joined, calculated from those of the parts. The second
 * has @length bytes.
 */
uint32_t crc32_join(uint32_t first, uint32_t second, uint64_t length);

#endif
