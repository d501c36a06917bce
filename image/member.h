/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One member of a gzip file (RFC 1952), completely in memory: creates, parses
 * and expands it. Knows nothing about files and indexes.
 */
#ifndef IMAGE_MEMBER_H
#define IMAGE_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/deflate.h"

#define MEMBER_FIXED 10		/* header without an extra field */
#define MEMBER_BC 18		/* header with only BGZF's BC subfield */
#define MEMBER_TRAILER 8	/* CRC-32 and length of the contents */
#define MEMBER_EMPTY 2		/* deflate stream of no bytes */
#define MEMBER_EOF 28		/* BGZF's end marker, an empty member */
#define MEMBER_BGZF_MAX 65536	/* largest BGZF member, and its contents */

extern const uint8_t member_eof[MEMBER_EOF];

/*
 * The most bytes that member_deflate() makes of @length bytes: data that does
 * not get smaller is stored.
 */
size_t member_bound(size_t length);

/*
 * Writes a header. Ours have no time, no name, and no flag except that for the
 * extra field.
 */
void member_put_header(uint8_t *to, bool extra);

/*
 * Writes an empty member with a private subfield UB of @length bytes. Its
 * contents, at to + MEMBER_PRIVATE, are the caller's to fill in. Returns the
 * size of the member in bytes.
 */
#define MEMBER_PRIVATE 16
#define MEMBER_PRIVATE_SIZE(length) \
	(MEMBER_PRIVATE + (length) + MEMBER_EMPTY + MEMBER_TRAILER)
size_t member_put_private(uint8_t *to, size_t length);

/*
 * Whether @data is such a member, apart from the @length bytes of the subfield.
 */
bool member_is_private(const uint8_t *data, size_t length);

/*
 * Whether the first MEMBER_PRIVATE bytes at @data announce a subfield UB. One
 * matching letter is enough: the other may be damaged.
 */
bool member_starts_private(const uint8_t *data);

/* Whether the first three bytes at @data are those of a gzip member. */
bool member_starts_gzip(const uint8_t *data);

/*
 * Parses the header of a BGZF member, of which @length bytes are in memory.
 * Returns the header's size and stores the member's in *@member_length. Returns
 * 0 if it is not a BGZF member, is incomplete, or has an impossible length.
 */
size_t member_bgzf_header(const uint8_t *data, size_t length,
			  uint32_t *member_length);

/*
 * The size of any gzip header that something follows, in bytes. Returns 0 if it
 * is none, damaged, or not completely in the @length bytes at @data.
 */
size_t member_header(const uint8_t *data, size_t length);

/*
 * Makes one member of @length (> 0) bytes, with a BC subfield if @bc is set, at
 * @to, which has room for member_bound(length) bytes. Returns its size. The
 * same contents always give the same bytes.
 */
size_t member_deflate(struct deflater *self, const uint8_t *data,
		      size_t length, bool bc, uint8_t *to);

/*
 * The CRC-32 of the contents according to the member of @length bytes at @data.
 */
uint32_t member_crc(const uint8_t *data, size_t length);

/* The header that a member must have. */
enum member_kind {
	MEMBER_OURS,		/* ublk pack's header */
	MEMBER_OURS_BC,		/* the same with a BC subfield */
	MEMBER_ANY_BGZF,	/* any BGZF header */
};

/*
 * Expands the member of @length bytes at @data. The member must use all of
 * them, and fill exactly @room bytes at @to, which must not be NULL even if
 * @room is 0. Returns NULL, or what is wrong in a few words; then the contents
 * of @to are undefined.
 */
const char *member_inflate(struct inflater *self, enum member_kind kind,
			   const uint8_t *data, size_t length, uint8_t *to,
			   size_t room);

#endif
