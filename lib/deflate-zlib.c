// SPDX-License-Identifier: GPL-2.0
/* Whole deflate streams with zlib alone. */
#include "lib/deflate.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define LEVEL_MAX 9
#define MEMORY_LEVEL 8		/* gzip's and pigz's choice */

int deflater_init(struct deflater *self, int level)
{
	z_stream *stream = calloc(1, sizeof(*stream));

	self->state = stream;
	if (level > LEVEL_MAX)
		level = LEVEL_MAX;
	if (stream && deflateInit2(stream, level, Z_DEFLATED, -MAX_WBITS,
				   MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
		return 0;
	free(stream);
	self->state = NULL;
	return -ENOMEM;
}

void deflater_free(struct deflater *self)
{
	if (self->state)
		deflateEnd(self->state);
	free(self->state);
}

/* Sets input and output to all that there is. */
static void set_whole(z_stream *stream, const uint8_t *data, size_t length,
		      uint8_t *to, size_t room)
{
	stream->next_in = (z_const Bytef *)(uintptr_t)data;
	stream->avail_in = length;
	stream->next_out = to;
	stream->avail_out = room;
}

size_t deflate_whole(struct deflater *self, const uint8_t *data, size_t length,
		     uint8_t *to, size_t room)
{
	z_stream *stream = self->state;

	deflateReset(stream);
	set_whole(stream, data, length, to, room);
	if (deflate(stream, Z_FINISH) != Z_STREAM_END)
		return 0;
	return room - stream->avail_out;
}

/*
 * zlib wants a window only for a stream that is not complete yet. To a whole
 * one that means that it does not fit.
 */
static voidpf no_memory(voidpf opaque, uInt items, uInt size)
{
	(void)opaque;
	(void)items;
	(void)size;
	return NULL;
}

int inflater_init(struct inflater *self)
{
	z_stream *stream = calloc(1, sizeof(*stream));

	self->state = stream;
	if (!stream || inflateInit2(stream, -MAX_WBITS) != Z_OK) {
		free(stream);
		self->state = NULL;
		return -ENOMEM;
	}
	stream->zalloc = no_memory;
	return 0;
}

void inflater_free(struct inflater *self)
{
	if (self->state)
		inflateEnd(self->state);
	free(self->state);
}

const char *inflate_whole(struct inflater *self, const uint8_t *data,
			  size_t length, uint8_t *to, size_t room)
{
	z_stream *stream = self->state;

	inflateReset(stream);
	set_whole(stream, data, length, to, room);
	if (inflate(stream, Z_FINISH) != Z_STREAM_END)
		return "not a deflate stream of its length";
	return stream->avail_in || stream->avail_out ? "ends early" : NULL;
}

uint32_t crc32_add(uint32_t crc, const void *data, size_t length)
{
	return length ? crc32_z(crc, data, length) : crc;
}
