// SPDX-License-Identifier: GPL-2.0
/* The disk that is packed, read once from start to end. */
#include "image/disk-source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "lib/message.h"
#include "lib/storage.h"
#include "lib/whole-io.h"

/*
 * Whether the file's size says nothing about its length, as in /proc (size 0)
 * and /sys (a page). Such a file is read to its end, like a pipe.
 */
static bool disk_source_is_unsized(int fd, const struct stat *st)
{
	struct statfs fs;
	char byte;

	if (!fstatfs(fd, &fs) && fs.f_type == SYSFS_MAGIC)
		return true;
	return !st->st_size && pread(fd, &byte, 1, 0) != 0;
}

/*
 * Standard input may already have been read from, so the disk begins at the
 * current offset.
 */
static int disk_source_find_size(struct disk_source *source)
{
	int fd = source->source.fd;
	struct stat st;
	off_t start;
	int err;

	if (fstat(fd, &st))
		return message_fail(errno, "%s", source->name);
	if (S_ISDIR(st.st_mode))
		return message_fail(EISDIR, "%s", source->name);
	if (S_ISBLK(st.st_mode)) {
		err = storage_size(fd, &source->size);
		if (err)
			return message_fail(err, "%s", source->name);
	} else if (S_ISREG(st.st_mode) &&
		   !disk_source_is_unsized(fd, &st)) {
		source->size = st.st_size;
		source->holes = true;
	} else {
		return 0;
	}
	source->sized = true;
	start = lseek(fd, 0, SEEK_CUR);
	if (start < 0)
		return message_fail(errno, "%s", source->name);
	source->offset = start;
	if (source->size < source->offset)
		source->size = source->offset;
	return 0;
}

int disk_source_open(struct disk_source *source, const char *path)
{
	bool standard = !strcmp(path, "-");
	int ret;

	*source = (struct disk_source){
		.source = source_of(STDIN_FILENO),
		.name = standard ? "standard input" : path,
	};
	if (source_is_remote(path)) {
		source->sized = true;
		return source_open(&source->source, path, &source->size);
	}
	if (!standard)
		source->source.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (source->source.fd < 0)
		return message_fail(errno, "%s", path);
	ret = disk_source_find_size(source);
	if (ret)
		disk_source_close(source);
	else
		posix_fadvise(source->source.fd, 0, 0,
			      POSIX_FADV_SEQUENTIAL);
	return ret;
}

void disk_source_close(struct disk_source *source)
{
	if (source->source.fd != STDIN_FILENO)
		source_close(&source->source);
}

/* Whether the next @length bytes are in a hole. */
static bool disk_source_in_hole(struct disk_source *source, size_t length)
{
	off_t data;

	if (!source->holes)
		return false;
	if (source->data <= source->offset) {
		data = lseek(source->source.fd, source->offset,
			     SEEK_DATA);
		if (data >= 0)
			source->data = data;
		else if (errno == ENXIO)
			source->data = source->size;
		else
			source->holes = false;
	}
	return source->holes && source->data >= source->offset + length;
}

static ssize_t disk_source_read_pipe(struct disk_source *source, void *data,
				     size_t length)
{
	ssize_t n = whole_read(source->source.fd, data, length);

	return n < 0 ? message_fail(n, "%s", source->name) : n;
}

ssize_t disk_source_read(struct disk_source *source, void *data, size_t length,
			 bool *hole)
{
	int ret;

	*hole = false;
	if (!source->sized)
		return disk_source_read_pipe(source, data, length);
	if (length > source->size - source->offset)
		length = source->size - source->offset;
	*hole = length && disk_source_in_hole(source, length);
	if (!*hole) {
		ret = source_read(&source->source, data, length,
				  source->offset);
		if (ret == -ENODATA)
			message("%s: became shorter while being read",
				source->name);
		else if (ret)
			message_fail(ret, "%s: cannot read", source->name);
		if (ret)
			return ret;
	}
	source->offset += length;
	return length;
}
