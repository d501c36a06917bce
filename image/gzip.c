// SPDX-License-Identifier: GPL-2.0
/* Any gzip file as an image. */
#include "image/gzip.h"

#include <errno.h>
#include <string.h>

#include "lib/message.h"

/*
 * Writes the points to @keep, unless another process has done so meanwhile. An
 * error is printed, but the disk can be served without the file.
 */
static void gzip_keep_points(const struct restart_index *index,
			     const struct source *source,
			     const char *name, uint64_t available,
			     const char *keep)
{
	struct restart_index other;

	if (restart_load(&other, source, name, available, keep) == -ENOENT)
		restart_save(index, source, name, keep, true);
	restart_free(&other);
}

int image_gzip_open(struct restart_index *index, const struct source *source,
		    const char *name, uint64_t available, uint32_t section,
		    const char *keep)
{
	int ret = -ENOENT;

	*index = (struct restart_index){ 0 };
	if (keep && !strcmp(keep, "-")) {
		message("--index -: has to be a file, which is read at any "
			"place");
		return -EINVAL;
	}
	if (keep)
		ret = restart_load(index, source, name, available, keep);
	if (ret != -ENOENT)
		return ret;
	ret = restart_find(index, source, name, available,
			   section ? section : RESTART_SECTION_DEFAULT);
	if (!ret && keep)
		gzip_keep_points(index, source, name, available, keep);
	return ret;
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
