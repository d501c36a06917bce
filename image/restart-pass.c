// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the restart points of a gzip file: one pass that expands it completely,
 * member by member, and verifies each.
 *
 * zlib returns at the end of each block, and when the output is full. In the
 * middle of a block it says how many bits of a code it has read ahead, and how
 * much of that code's output has been written.
 */
#include "image/restart.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/foreign.h"
#include "image/image.h"
#include "lib/array.h"
#include "lib/deflate.h"
#include "lib/little-endian.h"
#include "lib/message.h"
#include "lib/progress.h"

#define IN_SIZE (128U << 10)	/* a member's header has to fit */
#define OUT_SIZE (192U << 10)
#define CODE_MAX 258		/* most bytes that a code makes */
#define HISTORY (RESTART_WINDOW + CODE_MAX)
#define LEVEL 6			/* of windows */

/* Bits of zlib's data_type. */
#define UNUSED_BITS 63
#define LAST_BLOCK 64
#define BLOCK_ENDED 128

struct pass {
	struct restart_index *index;
	const struct source *source;
	const char *name;
	uint64_t available;
	struct progress progress;
	z_stream stream;
	struct deflater deflater;

	uint64_t read;		/* bytes of the file, to the end of in[] */
	int unreadable;		/* -errno: what follows cannot be read */
	size_t used;		/* of out[] */
	uint64_t member_made;	/* the member's output so far, and its CRC */
	uint32_t member_crc;
	uint64_t block;		/* where the block begins, in bits */
	struct restart_point point;	/* of the current section */
	uint64_t trailer;	/* offset of the last trailer */
	uint32_t made;		/* the section's output so far */
	bool due;		/* section full, the next has no point yet */
	size_t entries_room, windows_room;

	uint8_t in[IN_SIZE];
	uint8_t out[OUT_SIZE];
	uint8_t scratch[RESTART_SCRATCH];
};

/* The current offset in the file. */
static uint64_t pass_position(const struct pass *pass)
{
	return pass->read - pass->stream.avail_in;
}

static int pass_fail(const struct pass *pass, int err)
{
	progress_clear(&pass->progress);
	return message_fail(err, "%s: at byte %" PRIu64, pass->name,
			    pass->read);
}

static int pass_refuse(const struct pass *pass, const char *why)
{
	/* Then that is why something is missing. */
	if (pass->unreadable)
		return pass_fail(pass, pass->unreadable);
	progress_clear(&pass->progress);
	message("%s: %s (at byte %" PRIu64 ", sector %" PRIu64 " of the disk)",
		pass->name, why, pass_position(pass),
		pass->index->disk_size / 512);
	return -EBADMSG;
}

/* For files that are not damaged, but exceed a limit. */
static int pass_refuse_size(const struct pass *pass, const char *why)
{
	progress_clear(&pass->progress);
	message("%s: %s; `zcat %s | ublk pack - NEW.gz` makes an image of it",
		pass->name, why, pass->name);
	return -EINVAL;
}

/*
 * Makes @size bytes available in in[], or fewer at the end of the file. On a
 * device, what cannot be read is behind the end, unless a member goes on there:
 * blocks of flash memory that no image uses may be bad.
 */
static int pass_fill(struct pass *pass, size_t size)
{
	z_stream *stream = &pass->stream;
	uint64_t rest = pass->available - pass->read;
	size_t room = IN_SIZE - stream->avail_in;
	ssize_t got;

	if (stream->avail_in >= size || !rest)
		return 0;
	memmove(pass->in, stream->next_in, stream->avail_in);
	stream->next_in = pass->in;
	if (room > rest)
		room = rest;
	got = source_read_part(pass->source, pass->in + stream->avail_in, room,
			       pass->read);
	if (got < 0) {
		if (!source_is_device(pass->source))
			return pass_fail(pass, got);
		pass->unreadable = got;
		pass->available = pass->read;
		return 0;
	}
	if (!got)
		return pass_fail(pass, -ENODATA);
	stream->avail_in += got;
	pass->read += got;
	progress_add(&pass->progress, got);
	return 0;
}

/*
 * Ends the current section. @next is the file offset of the next one's point.
 */
static int pass_close_section(struct pass *pass, uint64_t next)
{
	struct restart_index *index = pass->index;
	struct restart_point *point = &pass->point;
	uint8_t *entries;

	if (next - point->file_offset > RESTART_SPAN_MAX(index->section))
		return pass_refuse_size(pass, "members of next to nothing");
	entries = array_reserve(index->entries, RESTART_ENTRY, index->count, 1,
				&pass->entries_room);
	if (!entries)
		return pass_fail(pass, -ENOMEM);
	index->entries = entries;
	if (pass->trailer > point->file_offset)
		point->trailer = pass->trailer - point->file_offset;
	restart_put(index, index->count++, point);
	return 0;
}

/* Joins each pair of sections into one. */
static void pass_join_sections(struct restart_index *index)
{
	struct restart_point point, second;
	size_t to = 0;

	for (uint32_t i = 0; i < index->count / 2; i++) {
		size_t size;

		restart_get(index, 2 * i, &point);
		restart_get(index, 2 * i + 1, &second);
		size = second.window - point.window;
		memmove(index->windows + to, index->windows + point.window,
			size);
		point.window = to;
		to += size;
		point.crc = crc32_join(point.crc, second.crc,
					  index->section);
		point.zero = point.zero && second.zero;
		if (second.trailer)
			point.trailer = second.file_offset + second.trailer -
					point.file_offset;
		restart_put(index, i, &point);
	}
	index->windows_size = to;
	index->count /= 2;
	index->section *= 2;
}

static int pass_limit_memory(struct pass *pass)
{
	struct restart_index *index = pass->index;

	/*
	 * With an odd count, the section that begins here would be only half of
	 * a pair.
	 */
	if (index->count % 2 || restart_size(index) < RESTART_MEMORY)
		return 0;
	if (index->section > RESTART_SECTION_MAX / 2)
		return pass_refuse_size(pass,
					"too large, so many restart points");
	pass_join_sections(index);
	return 0;
}

/*
 * Stores the block's header (point->header bytes) and the window that ends at
 * @end.
 */
static int pass_add_window(struct pass *pass, const uint8_t *end)
{
	struct restart_index *index = pass->index;
	struct restart_point *point = &pass->point;
	uint64_t made = pass->member_made - point->skip;
	size_t window = made < RESTART_WINDOW ? made : RESTART_WINDOW;
	size_t size = point->header + window;
	uint8_t *windows;

	point->window = index->windows_size;
	if (!size)
		return 0;
	windows = array_reserve(index->windows, 1, index->windows_size,
				member_bound(size), &pass->windows_room);
	if (!windows)
		return pass_fail(pass, -ENOMEM);
	index->windows = windows;
	memcpy(pass->scratch + point->header, end - window, window);
	index->windows_size += member_deflate(&pass->deflater, pass->scratch,
					      size, false, index->windows +
					      index->windows_size);
	return 0;
}

/* Reads the header of the block that contains the code at bit @code. */
static int pass_read_header(struct pass *pass, uint64_t code)
{
	struct restart_point *point = &pass->point;
	uint64_t length = code / 8 + 1 - pass->block / 8;
	int ret;

	point->header = length < RESTART_HEADER ? length : RESTART_HEADER;
	point->header_bit = pass->block % 8;
	if (pass->block / 8 + point->header > pass->available)
		point->header = pass->available - pass->block / 8;
	ret = source_read(pass->source, pass->scratch, point->header,
			  pass->block / 8);
	return ret ? pass_fail(pass, ret) : 0;
}

/*
 * Makes the header of a stored block that begins here, with @rest bytes left.
 */
static void pass_make_header(struct pass *pass, bool last, uint16_t rest)
{
	pass->scratch[0] = last;
	put_le16(pass->scratch + 1, rest);
	put_le16(pass->scratch + 3, ~rest);
	pass->point.header = 5;
}

/*
 * Adds the point of a section that begins here; @block: at the beginning of a
 * block.
 */
static int pass_add_point(struct pass *pass, bool block)
{
	z_stream *stream = &pass->stream;
	uint64_t code = pass_position(pass) * 8 -
			(stream->data_type & UNUSED_BITS);
	struct restart_point point = { .zero = true };
	long mark = inflateMark(stream);
	long back = mark >> 16;
	int ret = 0;

	if (block)
		code = pass->block;
	else if (back >= 0)
		code -= back;
	if (pass->made)
		ret = pass_close_section(pass, code / 8);
	if (!ret)
		ret = pass_limit_memory(pass);
	if (ret)
		return ret;
	point.file_offset = code / 8;
	point.bit = code % 8;
	pass->point = point;
	pass->made = 0;
	pass->due = false;
	if (!block && back < 0) {
		pass_make_header(pass, stream->data_type & LAST_BLOCK, mark);
	} else if (!block) {
		pass->point.skip = mark & 0xffff;
		ret = pass_read_header(pass, code);
	}
	if (ret)
		return ret;
	return pass_add_window(pass, pass->out + pass->used - pass->point.skip);
}

/* Accounts for @length bytes that were expanded. */
static void pass_account(struct pass *pass, size_t length)
{
	const uint8_t *data = pass->out + pass->used;
	struct restart_point *point = &pass->point;
	uint32_t crc;

	if (!length)
		return;
	crc = crc32_add(0, data, length);
	pass->member_crc = crc32_join(pass->member_crc, crc, length);
	point->crc = crc32_join(point->crc, crc, length);
	point->zero = point->zero && image_all_zero(data, length);
	pass->used += length;
	pass->made += length;
	pass->member_made += length;
	pass->index->disk_size += length;
	pass->due = pass->made == pass->index->section;
}

/*
 * Expands some bytes. Returns 1, 0 at the end of the member's stream, or
 * -errno.
 */
static int pass_expand(struct pass *pass)
{
	z_stream *stream = &pass->stream;
	uint32_t room = pass->index->section - pass->made;
	bool block;
	int ret;

	if (OUT_SIZE - pass->used < OUT_SIZE / 8) {
		memmove(pass->out, pass->out + pass->used - HISTORY, HISTORY);
		pass->used = HISTORY;
	}
	if (room > OUT_SIZE - pass->used)
		room = OUT_SIZE - pass->used;
	stream->next_out = pass->out + pass->used;
	stream->avail_out = room;
	ret = inflate(stream, Z_BLOCK);
	pass_account(pass, room - stream->avail_out);
	if (ret == Z_STREAM_END)
		return 0;
	if (ret == Z_BUF_ERROR && pass->read == pass->available)
		return pass_refuse(pass, "truncated");
	if (ret != Z_OK && ret != Z_BUF_ERROR)
		return pass_refuse(pass, stream->msg ? stream->msg :
				   "not a deflate stream");
	block = stream->data_type & BLOCK_ENDED;
	if (block)
		pass->block = pass_position(pass) * 8 -
			      (stream->data_type & UNUSED_BITS);
	/* After the last block, the section begins with the next member. */
	if (pass->due && !(block && stream->data_type & LAST_BLOCK)) {
		ret = pass_add_point(pass, block);
		if (ret)
			return ret;
	}
	return 1;
}

static int pass_check_trailer(struct pass *pass)
{
	z_stream *stream = &pass->stream;
	int ret = pass_fill(pass, MEMBER_TRAILER);

	if (ret)
		return ret;
	if (stream->avail_in < MEMBER_TRAILER)
		return pass_refuse(pass, "truncated");
	if (get_le32(stream->next_in) != pass->member_crc)
		return pass_refuse(pass, "damaged: wrong checksum");
	if (get_le32(stream->next_in + 4) != (uint32_t)pass->member_made)
		return pass_refuse(pass, "damaged: wrong length");
	pass->trailer = pass_position(pass);
	stream->next_in += MEMBER_TRAILER;
	stream->avail_in -= MEMBER_TRAILER;
	return 0;
}

/* Expands the member whose header begins here. */
static int pass_expand_member(struct pass *pass)
{
	z_stream *stream = &pass->stream;
	size_t header = member_header(stream->next_in, stream->avail_in);
	int ret = 0;

	if (!header) {
		ret = pass_fill(pass, IN_SIZE);
		header = member_header(stream->next_in, stream->avail_in);
	}
	if (ret)
		return ret;
	if (!header && stream->avail_in == IN_SIZE &&
	    member_starts_gzip(stream->next_in))
		return pass_refuse_size(pass,
					"a gzip header longer than 128K, with "
					"such a name, comment or extra field");
	if (!header)
		return pass_refuse(pass,
				   "damaged or truncated: no gzip header");
	stream->next_in += header;
	stream->avail_in -= header;
	inflateReset(stream);
	pass->member_made = 0;
	pass->member_crc = 0;
	pass->block = pass_position(pass) * 8;
	if (pass->due)
		ret = pass_add_point(pass, true);
	while (!ret) {
		ret = pass_fill(pass, 1);
		if (!ret)
			ret = pass_expand(pass);
		if (!ret)
			return pass_check_trailer(pass);
		if (ret > 0)
			ret = 0;
	}
	return ret;
}

static int pass_expand_all(struct pass *pass)
{
	z_stream *stream = &pass->stream;
	int ret;

	stream->next_in = pass->in;
	do {
		ret = pass_expand_member(pass);
		if (!ret) {
			pass->index->file_size = pass_position(pass);
			ret = pass_fill(pass, MEMBER_FIXED);
		}
	} while (!ret && restart_resembles_member(stream->next_in,
						  stream->avail_in));
	if (!ret && pass->made)
		return pass_close_section(pass, pass->index->file_size);
	/* Nothing follows the last point, so it needs no window. */
	pass->index->windows_size = pass->point.window;
	return ret;
}

int restart_find(struct restart_index *index, const struct source *source,
		 const char *name, uint64_t available, uint32_t section)
{
	struct pass *pass = calloc(1, sizeof(*pass));
	int ret = -ENOMEM;

	*index = (struct restart_index){ .section = section };
	if (!pass || deflater_init(&pass->deflater, LEVEL))
		goto out;
	if (restart_stream_init(&pass->stream))
		goto out_deflater;
	pass->index = index;
	pass->source = source;
	pass->name = name;
	pass->available = available;
	pass->due = true;
	progress_start(&pass->progress, available);
	ret = pass_expand_all(pass);
	progress_clear(&pass->progress);
	if (!ret && pass->unreadable && !pass->stream.avail_in)
		image_warn_unreadable(name, pass->read);
	index->entries = array_shrink(index->entries,
				      (size_t)index->count * RESTART_ENTRY);
	index->windows = array_shrink(index->windows, index->windows_size);
	inflateEnd(&pass->stream);
out_deflater:
	deflater_free(&pass->deflater);
out:
	free(pass);
	if (ret == -ENOMEM)
		message_fail(ret, "%s", name);
	return ret;
}
