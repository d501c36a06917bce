/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a gzip file holds, found out without the reader's code: a plain reading
 * of RFC 1952, of the SAM specification's BGZF and of image/format.md. zlib
 * inflates for it too, but in small pieces, through other paths than the
 * reader's; the checksum is counted here.
 */
#ifndef TESTS_FUZZ_TRUTH_H
#define TESTS_FUZZ_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t truth_crc32(const uint8_t *data, size_t length);

/* One gzip member. */
struct truth_member {
	size_t header;		/* bytes of it */
	size_t used;		/* of the whole member */
	size_t made;		/* what it expands to */
	uint32_t crc;		/* of that, whatever the trailer says */
};

/*
 * Expands the member at the beginning of @data, into @room bytes at @to at
 * most. False when it is damaged, or longer. @member->made and ->crc are of
 * the deflate stream also where just the trailer is wrong; ->used is 0 where
 * the stream has no end.
 */
bool truth_expand(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		  struct truth_member *member);

/*
 * What zcat makes of all of @data. False where it would complain, or where
 * there is more than @room.
 */
bool truth_zcat(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		size_t *made);

/*
 * The same of a gzip file that something else may follow: *@used is where its
 * last member ends. What begins like a member, if not quite, is one.
 */
bool truth_gzip(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		size_t *made, size_t *used);

/* Bytes of a BGZF block's header, and of the block; 0 when it is none. */
size_t truth_bgzf_header(const uint8_t *data, size_t length, size_t *block);

/* Whether @length bytes have the one header that `ublk pack` gives a chunk. */
bool truth_our_header(const uint8_t *data, size_t length, bool bc);

struct truth_chunk {
	uint64_t disk_offset;
	uint64_t file_offset;
	uint32_t disk_length;
	uint32_t file_length;
	bool zero;
};

struct truth_image {
	uint32_t chunk_size;	/* of ours */
	uint64_t disk_size;
	uint64_t file_size;
	uint64_t index;		/* of ours: where it begins */
	uint64_t count;
	uint64_t empty;		/* of BGZF: blocks of no bytes */
	bool ended;		/* of BGZF: the last is the one that ends it */
	struct truth_chunk *chunks;
};

/*
 * Reads front, index and end of an image of ours. False where they are not
 * what image/format.md says, or do not fit in @length.
 */
bool truth_ours(const uint8_t *data, size_t length, struct truth_image *image);

/* The same for a BGZF file that has just @length bytes. */
bool truth_bgzf(const uint8_t *data, size_t length, struct truth_image *image);

void truth_free(struct truth_image *image);

#endif
