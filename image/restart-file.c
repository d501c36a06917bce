// SPDX-License-Identifier: GPL-2.0
/* Index files of restart points. format.md describes their bytes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/restart.h"
#include "lib/deflate.h"
#include "lib/little-endian.h"
#include "lib/message.h"
#include "lib/output.h"
#include "lib/whole-io.h"

#define FRONT 48
#define HEAD 4096	/* bytes of the gzip file that are compared */

static const char magic[8] = "ublkgzi\1";

static uint32_t restart_points_crc(const struct restart_index *index)
{
	uint32_t crc = crc32_add(0, index->entries,
				 (size_t)index->count * RESTART_ENTRY);

	return crc32_add(crc, index->windows, index->windows_size);
}

static int add_to_print(const struct source *source, uint64_t offset,
			size_t length, uint32_t *crc)
{
	uint8_t data[HEAD];
	int ret = source_read(source, data, length, offset);

	*crc = crc32_add(*crc, data, length);
	return ret;
}

/*
 * A checksum that tells the gzip file from others of its size: over its first
 * bytes, and over trailers, which depend on everything before them.
 */
static int restart_fingerprint(const struct restart_index *index,
			       const struct source *source,
			       uint32_t *crc)
{
	uint64_t size = index->file_size;
	struct restart_point point;
	int ret;

	*crc = 0;
	ret = add_to_print(source, 0, size < HEAD ? size : HEAD, crc);
	for (uint32_t i = 0; !ret && i < index->count; i++) {
		restart_get(index, i, &point);
		if (point.trailer)
			ret = add_to_print(source, point.file_offset +
					   point.trailer, MEMBER_TRAILER, crc);
	}
	if (!ret)
		ret = add_to_print(source, size - MEMBER_TRAILER,
				   MEMBER_TRAILER, crc);
	return ret;
}

int restart_save(const struct restart_index *index, const struct source *source,
		 const char *name, const char *path, bool replace)
{
	size_t entries = (size_t)index->count * RESTART_ENTRY;
	struct output output;
	uint8_t front[FRONT];
	uint32_t print;
	int ret = restart_fingerprint(index, source, &print);

	if (ret)
		return message_fail(ret, "%s", name);
	memcpy(front, magic, 8);
	put_le64(front + 8, index->disk_size);
	put_le64(front + 16, index->file_size);
	put_le32(front + 24, index->section);
	put_le32(front + 28, print);
	put_le64(front + 32, index->windows_size);
	put_le32(front + 40, restart_points_crc(index));
	put_le32(front + 44, crc32_add(0, front, 44));

	ret = output_create(&output, path, replace);
	if (ret)
		return ret;
	ret = whole_write(output.fd, front, FRONT);
	if (!ret)
		ret = whole_write(output.fd, index->entries, entries);
	if (!ret)
		ret = whole_write(output.fd, index->windows,
				  index->windows_size);
	if (!ret)
		return output_commit(&output);
	message_fail(ret, "%s", path);
	output_abandon(&output);
	return ret;
}

/* Parses the front. Returns NULL, or what is wrong with it. */
static const char *restart_get_front(struct restart_index *index,
				     const uint8_t *front, uint64_t size)
{
	uint64_t windows = get_le64(front + 32), count;

	if (memcmp(front, magic, 7))
		return "not an index of restart points";
	if (get_le32(front + 44) != crc32_add(0, front, 44))
		return "damaged: wrong checksum";
	if (front[7] != magic[7])
		return "of a version that this program does not know";
	index->disk_size = get_le64(front + 8);
	index->file_size = get_le64(front + 16);
	index->section = get_le32(front + 24);
	if (index->section < RESTART_SECTION_MIN ||
	    index->section > RESTART_SECTION_MAX ||
	    windows > 2 * RESTART_MEMORY)
		return "damaged: it makes no sense";
	count = index->disk_size / index->section +
		!!(index->disk_size % index->section);
	if (count > 2 * RESTART_MEMORY / RESTART_ENTRY ||
	    size != FRONT + count * RESTART_ENTRY + windows)
		return "damaged or truncated: not as long as it says";
	index->count = count;
	index->windows_size = windows;
	return NULL;
}

/* Whether all values of the points are in range. */
static bool restart_are_sane(const struct restart_index *index)
{
	struct restart_point point = { }, last;

	if (index->file_size < MEMBER_FIXED + MEMBER_EMPTY + MEMBER_TRAILER)
		return false;
	for (uint32_t i = 0; i < index->count; i++) {
		last = point;
		restart_get(index, i, &point);
		if (point.file_offset < last.file_offset ||
		    point.file_offset >= index->file_size ||
		    point.window < last.window ||
		    point.window > index->windows_size || point.bit > 7 ||
		    point.header_bit > 7 || point.header > RESTART_HEADER ||
		    point.skip > RESTART_WINDOW ||
		    (uint64_t)point.trailer + MEMBER_TRAILER >
		    index->file_size - point.file_offset)
			return false;
	}
	for (uint32_t i = 0; i < index->count; i++)
		if (restart_span(index, i) > RESTART_SPAN_MAX(index->section) + 8)
			return false;
	return true;
}

static int restart_file_refuse(const char *path, const char *why)
{
	message("%s: %s; without this file a new one is made", path, why);
	return -EBADMSG;
}

/* Reads what follows the front. */
static int restart_load_points(struct restart_index *index, int file,
			       const char *path, uint32_t crc)
{
	size_t entries = (size_t)index->count * RESTART_ENTRY;
	int ret;

	index->entries = malloc(entries + 1);
	index->windows = malloc(index->windows_size + 1);
	if (!index->entries || !index->windows)
		return message_fail(ENOMEM, "%s", path);
	ret = whole_pread(file, index->entries, entries, FRONT);
	if (!ret)
		ret = whole_pread(file, index->windows, index->windows_size,
				  FRONT + entries);
	if (ret)
		return message_fail(ret, "%s", path);
	if (restart_points_crc(index) != crc)
		return restart_file_refuse(path, "damaged: wrong checksum");
	return restart_are_sane(index) ? 0 :
	       restart_file_refuse(path, "damaged: it makes no sense");
}

/* Whether the points belong to this gzip file. */
static int restart_file_compare(const struct restart_index *index,
				const struct source *source,
				const char *name, uint64_t available,
				const char *path, uint32_t print)
{
	uint64_t size = index->file_size;
	uint8_t behind[MEMBER_FIXED];
	size_t length = sizeof(behind);
	uint32_t crc = ~print;
	int ret = 0;

	if (size <= available) {
		if (length > available - size)
			length = available - size;
		ret = source_read(source, behind, length, size);
		/* As when the index was made (restart-pass.c). */
		if (ret && source_is_device(source)) {
			ret = 0;
			length = 0;
		}
		if (!ret)
			ret = restart_fingerprint(index, source, &crc);
	}
	if (ret)
		return message_fail(ret, "%s", name);
	if (crc != print || restart_resembles_member(behind, length))
		return restart_file_refuse(path, "of another image");
	return 0;
}

int restart_load(struct restart_index *index, const struct source *source,
		 const char *name, uint64_t available, const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t front[FRONT];
	const char *why;
	int64_t size;
	int ret;

	*index = (struct restart_index){ };
	if (file < 0)
		return errno == ENOENT ? -ENOENT :
					 message_fail(errno, "%s", path);
	size = lseek(file, 0, SEEK_END);
	ret = size ? whole_pread(file, front, FRONT, 0) : -ENOENT;
	if (ret == -ENODATA)
		ret = restart_file_refuse(path, "damaged or truncated");
	else if (ret && size)
		message_fail(ret, "%s", path);
	if (!ret) {
		why = restart_get_front(index, front, size);
		ret = why ? restart_file_refuse(path, why) :
		      restart_load_points(index, file, path,
					  get_le32(front + 40));
	}
	close(file);
	return ret ? ret : restart_file_compare(index, source, name, available,
						path, get_le32(front + 28));
}
