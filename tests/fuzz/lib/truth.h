/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finds out what a gzip file contains, without the reader's code: a simple
 * reading of RFC 1952, of BGZF in the SAM specification, and of
 * image/format.md. It also inflates with zlib, but in small pieces, through
 * other code paths than the reader. It computes the checksum itself.
 */
#ifndef TESTS_FUZZ_TRUTH_H
#define TESTS_FUZZ_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t truth_crc32(const uint8_t *data, size_t length);

/* One gzip member. */
struct truth_member {
	size_t header;		/* length of the header */
	size_t used;		/* length of the member */
	size_t made;		/* length of its contents */
	uint32_t crc;		/* of the contents, whatever the trailer says */
};

/*
 * Expands the member at the start of @data to at most @room bytes at @to.
 * Returns false if it is damaged or longer. @member->made and ->crc are valid
 * even if only the trailer is wrong. ->used is 0 if the stream has no end.
 */
bool truth_expand(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		  struct truth_member *member);

/*
 * Expands the member that all of @data should be, to exactly @room bytes.
 * Returns false if it is not one. What zlib refuses, libdeflate may expand,
 * because it does not check all rules of the format: then the trailer must be
 * right nevertheless, and *@strict is false.
 */
bool truth_whole(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		 bool *strict);

/*
 * Returns what zcat makes of all of @data. False if zcat would report an error,
 * or if @room is too small.
 */
bool truth_zcat(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		size_t *made);

/*
 * The same for a gzip file that may be followed by other data: *@used is the
 * end of its last member. Data that starts like a member counts as one, even if
 * it is invalid.
 */
bool truth_gzip(const uint8_t *data, size_t length, uint8_t *to, size_t room,
		size_t *made, size_t *used);

/* Length of a BGZF block's header and of the block; 0 if it is none. */
size_t truth_bgzf_header(const uint8_t *data, size_t length, size_t *block);

/*
 * Whether @length bytes have exactly the header that `ublk pack` gives a chunk.
 */
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
	uint64_t index;		/* of ours: offset of the index */
	uint64_t count;
	uint64_t empty;		/* of BGZF: number of empty blocks */
	bool ended;		/* of BGZF: the last block is the end marker */
	struct truth_chunk *chunks;
};

/*
 * Reads front, index and end of an image of ours. Returns false if they are not
 * as image/format.md says, or do not fit into @length.
 */
bool truth_ours(const uint8_t *data, size_t length, struct truth_image *image);

/* As truth_ours() for a BGZF file of exactly @length bytes. */
bool truth_bgzf(const uint8_t *data, size_t length, struct truth_image *image);

/*
 * Whether the front of another image follows what may be one of ours. To zcat both
 * are one disk.
 */
bool truth_goes_on(const uint8_t *data, size_t length);

void truth_free(struct truth_image *image);

#endif
