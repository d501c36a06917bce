// SPDX-License-Identifier: GPL-2.0
/*
 * Creates, checks and reads the file that stores written blocks (format.md).
 * The order of the writes guarantees that after a power cut at any moment the
 * file counts as new, or is complete.
 */
#include "targets/cow/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/same-store.h"
#include "lib/deflate.h"
#include "lib/little-endian.h"
#include "lib/message.h"
#include "lib/output.h"
#include "lib/storage.h"
#include "lib/whole-io.h"
#include "targets/backing.h"

#define VERSION 1
#define SECTOR 512		/* storage writes it atomically */
#define HEADER 64		/* bytes of the header; zeroes fill the block */
#define NEW_ZEROES 32		/* blocks that are blank in a new file */

static const char magic[8] = "ublk-cow";

/*
 * Aligned, because the descriptors may use direct I/O. For the main thread
 * only.
 */
static _Alignas(COW_BLOCK) uint8_t page[COW_BLOCK];

struct cow_layout cow_layout(uint64_t disk_size)
{
	const uint64_t map_bits = COW_BLOCK * 8;
	struct cow_layout layout;

	layout.blocks = (disk_size + COW_BLOCK - 1) / COW_BLOCK;
	layout.map_size = (layout.blocks + map_bits - 1) / map_bits * COW_BLOCK;
	layout.data = COW_MAP_AT + layout.map_size;
	layout.size = layout.data + layout.blocks * COW_BLOCK;
	return layout;
}

/*
 * Reads a block to @page, or less at the end of the file. Returns the number of
 * bytes, or -errno.
 */
static ssize_t cow_file_read_page(int fd, uint64_t offset)
{
	ssize_t n = pread(fd, page, COW_BLOCK, offset);

	return n < 0 ? -errno : n;
}

static void cow_file_put_header(uint8_t header[HEADER],
				const struct cow_layout *layout,
				const struct cow_base *base, uint32_t crc)
{
	memset(header, 0, HEADER);
	memcpy(header, magic, sizeof(magic));
	put_le32(header + 8, VERSION);
	put_le32(header + 12, COW_BLOCK);
	put_le64(header + 16, layout->blocks);
	put_le64(header + 24, base->size);
	put_le32(header + 32, crc);
	put_le64(header + 40, COW_MAP_AT);
	put_le64(header + 48, layout->data);
	put_le32(header + 60, crc32_add(0, header, 60));
}

/* Whether each sector is all zeroes, or all 0xff as in erased flash. */
static bool cow_file_is_blank(const uint8_t *bytes, size_t length)
{
	size_t at, n;

	for (at = 0; at < length; at += n) {
		n = length - at < SECTOR ? length - at : SECTOR;
		if ((bytes[at] && bytes[at] != 0xff) ||
		    memcmp(bytes + at, bytes + at + 1, n - 1))
			return false;
	}
	return true;
}

/*
 * Whether @file is new, so that its start may be overwritten: it is empty or
 * blank, or has part of the header @header, because the power failed while that
 * was written. Returns 1, 0 or -errno.
 */
static int cow_file_is_new(const struct cow_file *file,
			   const uint8_t header[HEADER])
{
	unsigned int block, i;
	ssize_t n;

	for (block = 0; block < NEW_ZEROES; block++) {
		n = cow_file_read_page(file->fd, block * COW_BLOCK);
		if (n <= 0)
			return n < 0 ? n : 1;
		if (cow_file_is_blank(page, n))
			continue;
		for (i = 0; !block && i < HEADER && (ssize_t)i < n; i++)
			if (page[i] == header[i])
				page[i] = 0;
		if (!cow_file_is_blank(page, n))
			return 0;
	}
	return 1;
}

/*
 * Writes the map, all zeroes, and syncs it before a header declares it valid.
 */
static int cow_file_make(const struct cow_file *file, const struct stat *st,
			 const uint8_t header[HEADER])
{
	uint64_t at;
	int err = 0;

	/* A longer file is not cut: what follows is not ours. */
	if (S_ISREG(st->st_mode) &&
	    (uint64_t)st->st_size < file->layout.size &&
	    ftruncate(file->fd, file->layout.size))
		return -errno;
	memset(page, 0, sizeof(page));
	for (at = 0; !err && at < file->layout.data; at += COW_BLOCK)
		err = whole_pwrite(file->fd, page, COW_BLOCK, at);
	if (!err)
		err = whole_sync(file->fd);
	memcpy(page, header, HEADER);
	if (!err)
		err = whole_pwrite(file->fd, page, COW_BLOCK, 0);
	return err ? err : whole_sync(file->fd);
}

static int cow_file_check_size(const struct cow_file *file)
{
	uint64_t size;
	int err = storage_size(file->fd, &size);

	if (err)
		return message_fail(err, "%s", file->path);
	if (size >= file->layout.size)
		return 0;
	message("%s: has %llu bytes, and needs %llu", file->path,
		(unsigned long long)size,
		(unsigned long long)file->layout.size);
	return -EINVAL;
}

/* Compares the header of an existing file with the expected one. */
static int cow_file_check_header(const struct cow_file *file,
				 const uint8_t header[HEADER])
{
	ssize_t n = cow_file_read_page(file->fd, 0);

	if (n < 0)
		return message_fail(n, "%s", file->path);
	if (n < HEADER || memcmp(page, magic, sizeof(magic)))
		message("%s: holds something else; what keeps writes must be "
			"empty, erased, or begin with %u zeroes", file->path,
			NEW_ZEROES * COW_BLOCK);
	else if (get_le32(page + 60) != crc32_add(0, page, 60))
		message("%s: its header is damaged", file->path);
	else if (get_le32(page + 8) != VERSION)
		message("%s: of version %u, which this program does not know",
			file->path, get_le32(page + 8));
	else if (memcmp(page, header, HEADER))
		message("%s: was written over another image or file",
			file->path);
	else
		return 0;
	return -EINVAL;
}

static int cow_file_check_or_make(struct cow_file *file, const struct stat *st,
				  const uint8_t header[HEADER])
{
	int ret = cow_file_is_new(file, header);

	/*
	 * cow_file_is_new() also accepts the complete header, since all of its
	 * bytes are expected. But then the file is not new.
	 */
	if (ret > 0 && cow_file_read_page(file->fd, 0) == (ssize_t)COW_BLOCK &&
	    !memcmp(page, header, HEADER))
		ret = 0;
	if (ret < 0)
		return message_fail(ret, "%s", file->path);
	if (!ret) {
		ret = cow_file_check_header(file, header);
		return ret ? ret : cow_file_check_size(file);
	}
	if (file->read_only || file->resumed) {
		message("%s: holds nothing that was written", file->path);
		return -EINVAL;
	}
	if (S_ISBLK(st->st_mode) && cow_file_check_size(file))
		return -EINVAL;
	ret = cow_file_make(file, st, header);
	return ret ? message_fail(ret, "%s", file->path) : 0;
}

/*
 * Creates the file, and syncs its directory: otherwise a power cut could remove
 * the file together with data that was flushed to it later.
 */
static int cow_file_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char *real;
	int err;

	if (fd < 0)
		return -errno;
	/* @path may be a link to it in another directory. */
	real = realpath(path, NULL);
	err = real ? output_sync_directory(real, fd) : -errno;
	free(real);
	close(fd);
	return err;
}

/*
 * Creates the file if it does not exist. But not in /dev: there the user means
 * a device, which is missing.
 */
static int cow_file_open_path(struct cow_file *file)
{
	int err;

	if (!file->read_only && !file->resumed && access(file->path, F_OK) &&
	    strncmp(file->path, "/dev/", 5)) {
		err = cow_file_create(file->path);
		if (err)
			return message_fail(err, "%s", file->path);
	}
	return backing_open(file->path, &file->read_only);
}

static int cow_file_set_up(struct cow_file *file, const struct cow_base *base,
			   bool read_only, bool claimed)
{
	const struct backing_use use = { .read_only = read_only };
	uint8_t header[HEADER];
	struct stat st;
	uint32_t crc;
	uint64_t end;
	int err;

	err = backing_examine(file->fd, file->path, &st, &file->read_only);
	if (!err && file->read_only != read_only)
		err = message_fail(EROFS, "%s", file->path);
	if (!err && !claimed)
		err = same_store_refuse(base->fd, "what is below it", &st,
					file->path);
	if (!err && !claimed)
		err = backing_claim(&file->fd, file->path, &st, &use,
				    file->resumed);
	if (err)
		return err;
	err = backing_samples(base->fd, base->offset, base->size, COW_SAMPLES,
			      &crc);
	if (err)
		return message_fail(err, "what is below %s", file->path);
	cow_file_put_header(header, &file->layout, base, crc);
	err = cow_file_check_or_make(file, &st, header);
	if (err)
		return err;
	/* Data after the last block belongs to somebody else. */
	end = file->layout.size;
	if ((uint64_t)st.st_size > end)
		end = st.st_size;
	file->punches = !read_only && backing_punches(file->fd, &st, end);
	return 0;
}

int cow_file_open(struct cow_file *file, const char *path,
		  const struct cow_base *base, uint64_t disk_size,
		  bool read_only, int inherited, bool resumed)
{
	int err;

	*file = (struct cow_file){
		.fd = inherited,
		.path = path,
		.read_only = read_only,
		.resumed = resumed,
		.layout = cow_layout(disk_size),
	};
	if (inherited < 0)
		file->fd = cow_file_open_path(file);
	if (file->fd < 0)
		return file->fd;
	err = cow_file_set_up(file, base, read_only, inherited >= 0);
	if (!err)
		return 0;
	close(file->fd);
	file->fd = -1;
	return err;
}

int cow_file_load(const struct cow_file *file, uint8_t *map)
{
	int err = whole_pread(file->fd, map, file->layout.map_size, COW_MAP_AT);

	return err ? message_fail(err, "%s", file->path) : 0;
}

int cow_file_store(const struct cow_file *file, const uint8_t *map)
{
	int err = fdatasync(file->fd) ? -errno : 0;

	if (!err)
		err = whole_pwrite(file->fd, map, file->layout.map_size,
				   COW_MAP_AT);
	if (!err && fdatasync(file->fd))
		err = -errno;
	return err ? message_fail(err, "%s", file->path) : 0;
}
