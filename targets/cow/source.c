// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a disk with its written blocks from start to end: first the data of the
 * base, then the blocks that the map has over it.
 */
#include "targets/cow/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/member.h"
#include "lib/message.h"
#include "lib/whole-io.h"

#define SECTOR 512U

static int cow_source_open_image(struct cow_source *source)
{
	const struct image_options how = { };
	int err = image_open_again(&source->image, source->below->source.fd,
				   source->below->name, &how);

	if (err)
		return err;
	source->compressed = true;
	/* The same size as `ublk zimg` serves. */
	source->size = (source->image.disk_size + SECTOR - 1) / SECTOR * SECTOR;
	source->member = malloc(source->image.member_max);
	source->data = malloc(source->image.chunk_max);
	if (!source->member || !source->data)
		return message_fail(ENOMEM, "%s", source->below->name);
	err = image_reader_init(&source->reader, &source->image);
	source->readable = !err;
	return err ? message_fail(err, "%s", source->below->name) : 0;
}

static int cow_source_open_parts(struct cow_source *source, const char *path)
{
	struct cow_base base = { .fd = source->below->source.fd };
	uint8_t magic[3] = { 0 };
	int err = 0;

	source->size = source->below->size / SECTOR * SECTOR;
	if (!whole_pread(base.fd, magic, sizeof(magic), 0) &&
	    member_starts_gzip(magic))
		err = cow_source_open_image(source);
	if (err)
		return err;
	base.size = source->compressed ? source->image.file_size : source->size;
	err = cow_file_open(&source->file, path, &base, source->size, true, -1,
			    false);
	if (err)
		return err;
	source->map = malloc(source->file.layout.map_size);
	if (!source->map)
		return message_fail(ENOMEM, "%s", path);
	return cow_file_load(&source->file, source->map);
}

int cow_source_open(struct cow_source *source, const char *path,
		    struct disk_source *below)
{
	int err;

	*source = (struct cow_source){ .file.fd = -1, .below = below };
	if (!below->sized || !below->size) {
		message("%s: neither a file nor a block device with something "
			"in it", below->name);
		return -EINVAL;
	}
	err = cow_source_open_parts(source, path);
	if (err)
		cow_source_close(source);
	return err;
}

void cow_source_close(struct cow_source *source)
{
	if (source->readable)
		image_reader_free(&source->reader);
	if (source->compressed)
		image_release(&source->image);
	if (source->file.fd >= 0)
		close(source->file.fd);
	free(source->member);
	free(source->data);
	free(source->map);
}

/* Expands the chunk at @offset, unless source->data has it. */
static int cow_source_expand(struct cow_source *source, uint64_t offset)
{
	struct image_chunk *chunk = &source->chunk;
	char text[IMAGE_DAMAGE_TEXT];
	const char *why;
	int err;

	if (offset - chunk->disk_offset < chunk->disk_length)
		return 0;
	err = image_find(&source->reader, offset, chunk);
	if (err)
		return message_fail(err, "%s: its index", source->below->name);
	why = image_read(&source->reader, chunk, source->member, source->data);
	if (!why)
		return 0;
	message("%s: damaged: %s", source->below->name,
		image_damage_text(chunk, why, text));
	return -EIO;
}

static int cow_source_read_image(struct cow_source *source, uint8_t *data,
				 size_t length)
{
	uint64_t at = source->offset, end = at + length;

	while (at < end) {
		const struct image_chunk *chunk = &source->chunk;
		uint64_t n = end - at;
		int err;

		/* The disk does not fill its last sector. */
		if (at >= source->image.disk_size) {
			memset(data, 0, n);
			return 0;
		}
		err = cow_source_expand(source, at);
		if (err)
			return err;
		if (n > chunk->disk_offset + chunk->disk_length - at)
			n = chunk->disk_offset + chunk->disk_length - at;
		memcpy(data, source->data + (at - chunk->disk_offset), n);
		data += n;
		at += n;
	}
	return 0;
}

/* Replaces the blocks that were written. */
static int cow_source_read_written(struct cow_source *source, uint8_t *data,
				   size_t length, bool *hole)
{
	uint64_t block = source->offset / COW_BLOCK;
	size_t at, n;
	int err = 0;

	for (at = 0; !err && at < length; at += COW_BLOCK, block++) {
		if (!cow_map_has(source->map, block))
			continue;
		if (*hole)
			memset(data, 0, length);
		*hole = false;
		n = length - at < COW_BLOCK ? length - at : COW_BLOCK;
		err = whole_pread(source->file.fd, data + at, n,
				  cow_block_at(&source->file.layout, block));
	}
	return err ? message_fail(err, "%s", source->file.path) : 0;
}

ssize_t cow_source_read(struct cow_source *source, uint8_t *data,
			size_t length, bool *hole)
{
	ssize_t got;

	*hole = false;
	if (length > source->size - source->offset)
		length = source->size - source->offset;
	if (source->compressed)
		got = cow_source_read_image(source, data, length);
	else
		got = disk_source_read(source->below, data, length, hole);
	if (got >= 0)
		got = cow_source_read_written(source, data, length, hole);
	if (got < 0)
		return got;
	source->offset += length;
	return length;
}
