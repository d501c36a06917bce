// SPDX-License-Identifier: GPL-2.0
/*
 * The index of a BGZF file. A header contains the length of its member in the
 * file, a trailer the length on the disk, so one pass over headers and trailers
 * finds all blocks.
 *
 * A trailer proves nothing until its block is expanded, and one wrong length
 * would shift everything that follows. bgzip makes all blocks of the same
 * length, except the last one. So a block whose length differs from both its
 * neighbours' is expanded during the pass.
 */
#include "image/bgzf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/foreign.h"
#include "image/member.h"
#include "lib/array.h"
#include "lib/little-endian.h"
#include "lib/message.h"

#define GROUP_BLOCKS 128	/* most blocks that a search steps over */
#define WINDOW 4096

/* A block's length in the file and on the disk, each minus one. */
struct bgzf_block {
	uint16_t file;
	uint16_t disk;
};

/* Consecutive blocks without an empty one between them. */
struct bgzf_group {
	uint64_t file_offset;
	uint64_t disk_offset;
	uint64_t first;		/* number of its first block */
};

/* State of the pass over the file. */
struct hop {
	struct image_bgzf *bgzf;
	const struct source *source;
	const char *name;
	uint64_t available;
	uint64_t offset;	/* of the current member */
	bool apart;		/* the previous member was empty */
	bool ended;		/* and was BGZF's end marker */
	struct image_chunk suspect;	/* unlike the block before it */
	uint64_t window_offset;
	size_t window_length;
	uint8_t window[WINDOW];
};

static int bgzf_refuse(const struct hop *hop, const char *why)
{
	message("%s: %s (at byte %" PRIu64 ")", hop->name, why,
		hop->offset);
	return -EBADMSG;
}

/*
 * Returns up to @length (at most WINDOW) bytes at @offset, or NULL after
 * printing why.
 */
static const uint8_t *bgzf_look(struct hop *hop, uint64_t offset,
				size_t *length)
{
	uint64_t rest = hop->available - offset;
	ssize_t got;

	if (*length > rest)
		*length = rest;
	if (offset < hop->window_offset || offset + *length >
	    hop->window_offset + hop->window_length) {
		got = source_read_part(hop->source, hop->window,
				       rest < WINDOW ? rest : WINDOW, offset);
		hop->window_offset = offset;
		hop->window_length = got < 0 ? 0 : got;
		if (hop->window_length < *length) {
			message_fail(got < 0 ? got : -EIO,
				     "%s: cannot read at byte %" PRIu64,
				     hop->name, offset + hop->window_length);
			return NULL;
		}
	}
	return hop->window + (offset - hop->window_offset);
}

/* Makes room for one more item. On error the old memory stays valid. */
static int bgzf_add_block(struct hop *hop, uint32_t file_length,
			  uint32_t disk_length)
{
	struct image_bgzf *bgzf = hop->bgzf;
	uint64_t in_group = 0;
	void *items;

	items = array_reserve(bgzf->blocks, sizeof(*bgzf->blocks), bgzf->count,
			      1, &bgzf->room);
	if (!items)
		return -ENOMEM;
	bgzf->blocks = items;
	items = array_reserve(bgzf->groups, sizeof(*bgzf->groups),
			      bgzf->group_count, 1, &bgzf->group_room);
	if (!items)
		return -ENOMEM;
	bgzf->groups = items;

	if (bgzf->group_count)
		in_group = bgzf->count -
			   bgzf->groups[bgzf->group_count - 1].first;
	if (!in_group || in_group == GROUP_BLOCKS || hop->apart)
		bgzf->groups[bgzf->group_count++] = (struct bgzf_group){
			.file_offset = hop->offset,
			.disk_offset = hop->bgzf->disk_size,
			.first = bgzf->count,
		};
	bgzf->blocks[bgzf->count++] = (struct bgzf_block){
		.file = file_length - 1,
		.disk = disk_length - 1,
	};
	return 0;
}

/* Expands a block to verify it. */
static int bgzf_verify_block(struct hop *hop, const struct image_chunk *block)
{
	uint8_t *member = malloc(2 * MEMBER_BGZF_MAX);
	const char *why = "out of memory";
	struct inflater inflater;
	int ret = inflater_init(&inflater);

	if (member && !ret) {
		ret = source_read(hop->source, member, block->file_length,
				  block->file_offset);
		why = ret ? "it cannot be read" :
		      member_inflate(&inflater, MEMBER_ANY_BGZF, member,
				     block->file_length,
				     member + MEMBER_BGZF_MAX,
				     block->disk_length);
	}
	inflater_free(&inflater);
	free(member);
	if (!why)
		return 0;
	message("%s: damaged block at byte %" PRIu64 ": %s", hop->name,
		block->file_offset, why);
	return -EBADMSG;
}

/*
 * Compares a block's length with the previous one's. Verifies the previous
 * block if its length differs from both neighbours'.
 */
static int bgzf_compare_block(struct hop *hop, uint32_t file_length,
			      uint32_t disk_length)
{
	const struct image_bgzf *bgzf = hop->bgzf;
	int ret;

	if (hop->suspect.disk_length &&
	    hop->suspect.disk_length != disk_length) {
		ret = bgzf_verify_block(hop, &hop->suspect);
		if (ret)
			return ret;
	}
	hop->suspect.disk_length = 0;
	if (!bgzf->count ||
	    bgzf->blocks[bgzf->count - 1].disk + 1U != disk_length)
		hop->suspect = (struct image_chunk){
			.file_offset = hop->offset,
			.file_length = file_length,
			.disk_length = disk_length,
		};
	return 0;
}

/*
 * Handles an empty block whose last bytes are @last. Since no chunk contains
 * it, it is verified here: other programs expand it, and would fail if it were
 * damaged.
 */
static int bgzf_add_empty(struct hop *hop, uint32_t length, const uint8_t *last)
{
	const struct image_chunk block = {
		.file_offset = hop->offset,
		.file_length = length,
	};

	hop->apart = true;
	hop->ended = length == MEMBER_EOF;
	if (hop->ended && !memcmp(last, member_eof + MEMBER_BC,
				  MEMBER_EMPTY + MEMBER_TRAILER))
		return 0;
	return bgzf_verify_block(hop, &block);
}

/* Handles one member of @length bytes. */
static int bgzf_add_member(struct hop *hop, uint32_t length)
{
	size_t size = MEMBER_EMPTY + MEMBER_TRAILER;
	const uint8_t *last;
	uint32_t disk_length;
	int ret;

	last = bgzf_look(hop, hop->offset + length - size, &size);
	if (!last)
		return -EIO;
	disk_length = get_le32(last + size - 4);
	if (disk_length > MEMBER_BGZF_MAX)
		return bgzf_refuse(hop, "a BGZF block of an impossible length");
	if (!disk_length)
		return bgzf_add_empty(hop, length, last);
	ret = bgzf_compare_block(hop, length, disk_length);
	if (!ret)
		ret = bgzf_add_block(hop, length, disk_length);
	if (ret == -ENOMEM)
		message_fail(ret, "%s: its index", hop->name);
	hop->apart = hop->ended = false;
	hop->bgzf->disk_size += disk_length;
	if (disk_length > hop->bgzf->chunk_max)
		hop->bgzf->chunk_max = disk_length;
	if (length > hop->bgzf->member_max)
		hop->bgzf->member_max = length;
	return ret;
}

/*
 * Whether bytes that are not a valid member header still resemble one. After an
 * end marker they are then the damaged start of another file that was appended.
 */
static bool bgzf_resembles_member(const uint8_t *data, size_t length)
{
	static const uint8_t places[] = { 0, 1, 2, 3, 10, 12, 13, 14 };
	unsigned int equal = 0, count = 0;

	for (; count < sizeof(places) && places[count] < length; count++)
		equal += data[places[count]] == member_eof[places[count]];
	return count && equal >= (count + 1) / 2;
}

/*
 * The file has no end marker. Several programs do not write one, and zcat does
 * not need it; but a file that was truncated between two blocks looks the same.
 */
static int bgzf_warn_no_end(const struct hop *hop)
{
	message("%s: warning: without the empty block that ends a BGZF file (at "
		"byte %" PRIu64 "); if the file was cut, the end of the disk "
		"is missing", hop->name, hop->offset);
	return 0;
}

/*
 * Whether only one repeated byte follows, 0 or 0xff, as on an erased or empty
 * medium. Returns 1, 0, or -EIO after printing why.
 */
static int bgzf_rest_is_blank(struct hop *hop)
{
	uint64_t rest = hop->available - hop->offset, at = 0;
	const uint8_t *data;

	/* If it were a hole in the file, a block would begin in this range. */
	if (rest > 2 * MEMBER_BGZF_MAX)
		rest = 2 * MEMBER_BGZF_MAX;
	while (at < rest) {
		size_t size = rest - at < WINDOW ? rest - at : WINDOW;

		data = bgzf_look(hop, hop->offset + at, &size);
		if (!data)
			return -EIO;
		if ((data[0] != 0 && data[0] != 0xff) ||
		    memcmp(data, data + 1, size - 1))
			return 0;
		at += size;
	}
	return 1;
}

/*
 * Whether what follows cannot be read, on a device: blocks of flash memory that
 * no image uses may be bad.
 */
static bool bgzf_is_bad(const struct hop *hop)
{
	uint8_t byte;

	return source_is_device(hop->source) &&
	       source_read_part(hop->source, &byte, 1, hop->offset) < 0 &&
	       !source_is_lost(hop->source);
}

/*
 * Finds the next member. Returns 1, 0 at the end of the image, or -errno. The
 * image ends at the end of the file. On a larger partition it ends at an end
 * marker that no other member follows, or where the rest is empty.
 */
static int bgzf_next_member(struct hop *hop, uint32_t *length)
{
	size_t size = MEMBER_BC;
	const uint8_t *header;
	bool plain;
	int ret;

	if (hop->offset == hop->available)
		return hop->ended ? 0 : bgzf_warn_no_end(hop);
	if (hop->ended && bgzf_is_bad(hop)) {
		image_warn_unreadable(hop->name, hop->offset);
		return 0;
	}
	header = bgzf_look(hop, hop->offset, &size);
	if (!header)
		return -EIO;
	plain = size >= MEMBER_FIXED && member_starts_gzip(header);
	if (hop->ended && !plain && !bgzf_resembles_member(header, size))
		return 0;
	if (size == MEMBER_BC && get_le16(header + 10) > MEMBER_BC - 12) {
		/*
		 * There are other subfields besides BC. Those longer than
		 * WINDOW are rare.
		 */
		size = 12 + get_le16(header + 10);
		if (size > WINDOW)
			size = WINDOW;
		header = bgzf_look(hop, hop->offset, &size);
		if (!header)
			return -EIO;
	}
	if (!member_bgzf_header(header, size, length)) {
		if (plain)
			return -ENOTSUP;
		ret = hop->bgzf->count ? bgzf_rest_is_blank(hop) : 0;
		if (ret)
			return ret < 0 ? ret : bgzf_warn_no_end(hop);
		return bgzf_refuse(hop, "not a BGZF block");
	}
	if (*length > hop->available - hop->offset)
		return bgzf_refuse(hop, "truncated");
	return 1;
}

static int bgzf_hop(struct hop *hop)
{
	uint32_t length = 0;
	int ret;

	while ((ret = bgzf_next_member(hop, &length)) > 0) {
		ret = bgzf_add_member(hop, length);
		if (ret)
			return ret;
		hop->offset += length;
	}
	return ret;
}

int image_bgzf_open(struct image_bgzf *bgzf, const struct source *source,
		    const char *name, uint64_t available)
{
	struct hop *hop = calloc(1, sizeof(*hop));
	int ret;

	*bgzf = (struct image_bgzf){ 0 };
	if (!hop)
		return message_fail(ENOMEM, "%s", name);
	hop->bgzf = bgzf;
	hop->source = source;
	hop->name = name;
	hop->available = available;
	ret = bgzf_hop(hop);
	bgzf->file_size = hop->offset;
	free(hop);
	if (ret)
		return ret;
	bgzf->blocks = array_shrink(bgzf->blocks,
				    bgzf->count * sizeof(*bgzf->blocks));
	bgzf->groups = array_shrink(bgzf->groups,
				    bgzf->group_count * sizeof(*bgzf->groups));
	return 0;
}

void image_bgzf_free(struct image_bgzf *bgzf)
{
	free(bgzf->blocks);
	free(bgzf->groups);
}

uint64_t image_bgzf_size(const struct image_bgzf *bgzf)
{
	return bgzf->count * sizeof(*bgzf->blocks) +
	       bgzf->group_count * sizeof(*bgzf->groups);
}

/* Finds the last group that begins at or before @disk_offset. */
static const struct bgzf_group *bgzf_find_group(const struct image_bgzf *bgzf,
						uint64_t disk_offset)
{
	uint64_t low = 0, high = bgzf->group_count;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (bgzf->groups[middle].disk_offset <= disk_offset)
			low = middle;
		else
			high = middle;
	}
	return &bgzf->groups[low];
}

void image_bgzf_find(const struct image_bgzf *bgzf, uint64_t disk_offset,
		     struct image_chunk *chunk)
{
	const struct bgzf_group *group = bgzf_find_group(bgzf, disk_offset);

	*chunk = (struct image_chunk){
		.number = group->first,
		.disk_offset = group->disk_offset,
		.file_offset = group->file_offset,
	};
	for (;; chunk->number++) {
		const struct bgzf_block *block = &bgzf->blocks[chunk->number];

		chunk->disk_length = block->disk + 1U;
		chunk->file_length = block->file + 1U;
		if (disk_offset - chunk->disk_offset < chunk->disk_length)
			return;
		chunk->disk_offset += chunk->disk_length;
		chunk->file_offset += chunk->file_length;
	}
}
