// SPDX-License-Identifier: GPL-2.0
/*
 * A gzip file of anyone's making as an image.
 */
#include "image/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/restart.h"
#include "lib/message.h"

/*
 * Writes the points to @file, unless another start has done so meanwhile. What
 * fails is told, and no reason not to serve the disk.
 */
static void keep_points(const struct image *image, uint64_t available,
			const char *file)
{
	struct restart_index other;

	if (restart_load(&other, image->fd, image->name, available, file) ==
	    -ENOENT)
		restart_save(image->gzip, image->fd, image->name, file, true);
	restart_free(&other);
}

/* The points, from an index file or by a pass, and then kept in the file. */
static int get_points(struct image *image, uint64_t available,
		      const struct image_options *options)
{
	const char *file = options->index;
	int ret = -ENOENT;

	if (file && !strcmp(file, "-")) {
		message("--index -: has to be a file, which is read at any "
			"place");
		return -EINVAL;
	}
	if (file)
		ret = restart_load(image->gzip, image->fd, image->name,
				   available, file);
	if (ret != -ENOENT)
		return ret;
	ret = restart_find(image->gzip, image->fd, image->name, available,
			   options->section ? options->section :
			   RESTART_SECTION_DEFAULT);
	if (!ret && file)
		keep_points(image, available, file);
	return ret;
}

int image_gzip_open(struct image *image, uint64_t available,
		    const struct image_options *options)
{
	struct restart_index *index = calloc(1, sizeof(*index));
	struct restart_point point;
	int ret;

	if (!index)
		return message_fail(ENOMEM, "%s", image->name);
	image->format = IMAGE_GZIP;
	image->gzip = index;
	ret = get_points(image, available, options);
	if (ret)
		return ret;
	image->disk_size = index->disk_size;
	image->file_size = index->file_size;
	image->chunks = index->count;
	image->chunk_max = index->disk_size < index->section ?
			   index->disk_size : index->section;
	image->index_size = restart_size(index);
	for (uint32_t i = 0; i < index->count; i++) {
		uint64_t span = restart_span(index, i);

		restart_get(index, i, &point);
		image->zeroes += point.zero;
		if (span > image->member_max)
			image->member_max = span;
	}
	return 0;
}

void image_gzip_free(struct restart_index *index)
{
	if (index)
		restart_free(index);
	free(index);
}

void image_gzip_find(const struct restart_index *index, uint64_t disk_offset,
		     struct image_chunk *chunk)
{
	uint32_t number = disk_offset / index->section;
	uint64_t begin = (uint64_t)number * index->section;
	uint64_t rest = index->disk_size - begin;
	struct restart_point point;

	restart_get(index, number, &point);
	*chunk = (struct image_chunk){
		.number = number,
		.disk_offset = begin,
		.disk_length = rest < index->section ? rest : index->section,
		.file_offset = point.file_offset,
		.file_length = restart_span(index, number),
		.zero = point.zero,
	};
}
