// SPDX-License-Identifier: GPL-2.0
/* Whole deflate streams with libdeflate. */
#include "lib/deflate.h"

#include <errno.h>
#include <libdeflate.h>

int deflater_init(struct deflater *self, int level)
{
	self->state = libdeflate_alloc_compressor(level);
	return self->state ? 0 : -ENOMEM;
}

void deflater_free(struct deflater *self)
{
	libdeflate_free_compressor(self->state);
}

size_t deflate_whole(struct deflater *self, const uint8_t *data, size_t length,
		     uint8_t *to, size_t room)
{
	return libdeflate_deflate_compress(self->state, data, length, to, room);
}

int inflater_init(struct inflater *self)
{
	self->state = libdeflate_alloc_decompressor();
	return self->state ? 0 : -ENOMEM;
}

void inflater_free(struct inflater *self)
{
	libdeflate_free_decompressor(self->state);
}

const char *inflate_whole(struct inflater *self, const uint8_t *data,
			  size_t length, uint8_t *to, size_t room)
{
	size_t used, made;

	if (libdeflate_deflate_decompress_ex(self->state, data, length, to,
					     room, &used, &made))
		return "not a deflate stream of its length";
	return used < length || made < room ? "ends early" : NULL;
}

uint32_t crc32_add(uint32_t crc, const void *data, size_t length)
{
	return length ? libdeflate_crc32(crc, data, length) : crc;
}
