/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One member of a gzip file (RFC 1952), whole in memory: making it, taking it
 * apart, and expanding it. Knows nothing of files and indexes.
 */
#ifndef IMAGE_MEMBER_H
#define IMAGE_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "image/inflate.h"

#define MEMBER_FIXED 10		/* header without an extra field */
#define MEMBER_BC 18		/* header with BGZF's BC subfield alone */
#define MEMBER_TRAILER 8	/* CRC-32 and length of the contents */
#define MEMBER_EMPTY 2		/* deflate stream of no bytes */
#define MEMBER_EOF 28		/* BGZF's last, empty member */
#define MEMBER_BGZF_MAX 65536	/* a BGZF member, and its contents */

extern const uint8_t member_eof[MEMBER_EOF];

/*
 * Most bytes that member_deflate() makes of @length bytes: what does not get
 * smaller is stored.
 */
size_t member_bound(size_t length);

/* A header: ours have no time, no name and no flag but the extra field's. */
void member_put_header(uint8_t *to, bool extra);

/*
 * An empty member around a private subfield UB of @length bytes at
 * to + MEMBER_PRIVATE, which are the caller's to fill in. Returns the bytes of
 * the whole member.
 */
#define MEMBER_PRIVATE 16
#define MEMBER_PRIVATE_SIZE(length) \
	(MEMBER_PRIVATE + (length) + MEMBER_EMPTY + MEMBER_TRAILER)
size_t member_put_private(uint8_t *to, size_t length);

/* Whether @data has just the bytes around @length bytes of such a subfield. */
bool member_is_private(const uint8_t *data, size_t length);

/*
 * Whether the first MEMBER_PRIVATE bytes at @data say a subfield UB follows. One
 * letter of it is enough: the other may be damaged.
 */
bool member_starts_private(const uint8_t *data);

/* Whether the first three bytes at @data are those of a gzip member. */
bool member_starts_gzip(const uint8_t *data);

/*
 * Reads the header of a BGZF member of which @length bytes are at hand.
 * Returns the header's bytes and the member's in *@member_length, or 0 when it
 * is no BGZF member, its header not wholly there, or its length impossible.
 */
size_t member_bgzf_header(const uint8_t *data, size_t length,
			  uint32_t *member_length);

/*
 * Bytes of a gzip header of anyone's making, with something behind it; 0 when
 * it is none, damaged, or not wholly in the @length bytes at @data.
 */
size_t member_header(const uint8_t *data, size_t length);

/* State to deflate with; one thread's. */
struct deflater {
	z_stream stream;
};

/* @level: 1 to 9. Returns 0 or -ENOMEM. */
int deflater_init(struct deflater *self, int level);
void deflater_free(struct deflater *self);

/*
 * Makes one member of @length (> 0) bytes, with a BC subfield or without, at
 * @to, which has room for member_bound(length). Returns its length. The same
 * contents give the same bytes, whatever was deflated before.
 */
size_t member_deflate(struct deflater *self, const uint8_t *data,
		      size_t length, bool bc, uint8_t *to);

/* What the member of @length bytes at @data says its contents' CRC-32 is. */
uint32_t member_crc(const uint8_t *data, size_t length);

/* State to inflate with; one thread's. Allocates when made, never later. */
struct inflater {
	struct inflate whole;
	z_stream stream;	/* zlib's, if it has a window */
};

void inflater_init(struct inflater *self);
void inflater_free(struct inflater *self);

/*
 * Makes the stream, with the memory of a window, for what is not expanded from
 * its beginning, or in pieces. Returns 0 or -ENOMEM. @self must not be moved then
 * until it is freed.
 */
int inflater_add_window(struct inflater *self);

/* What a member of an image has to look like. */
enum member_kind {
	MEMBER_OURS,		/* ublk pack's header */
	MEMBER_OURS_BC,		/* the same with a BC subfield */
	MEMBER_ANY_BGZF,	/* a BGZF header of anyone's making */
};

/*
 * Expands the member of @length bytes at @data, all of it and nothing more,
 * to exactly @room bytes at @to, which is not NULL also where they are none.
 * Returns NULL, or what is wrong with it in a few words; @to has anything in
 * it then.
 */
const char *member_inflate(struct inflater *self, enum member_kind kind,
			   const uint8_t *data, size_t length, uint8_t *to,
			   size_t room);

#endif
