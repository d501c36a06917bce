// SPDX-License-Identifier: GPL-2.0
/*
 * Follows block devices down to their backing files, through sysfs and our
 * records.
 */
#include "core/same-store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/record.h"
#include "lib/key-value.h"
#include "lib/message.h"

/*
 * Most devices on top of each other. A record may even say that a device lies
 * on itself.
 */
#define DEPTH_MAX 8

static bool is_one(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Reads the first line of an attribute in a block device's sysfs directory. */
static bool read_attribute(dev_t dev, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev),
		 minor(dev), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return length > 0;
}

/*
 * Finds the disk that the partition @dev is on. Returns false for another
 * device.
 */
static bool find_disk(dev_t dev, struct stat *disk)
{
	unsigned int high;
	char text[32];
	char *end;

	if (!read_attribute(dev, "partition", text, sizeof(text)) ||
	    !read_attribute(dev, "../dev", text, sizeof(text)))
		return false;
	high = strtoul(text, &end, 10);
	*disk = (struct stat){ .st_mode = S_IFBLK };
	if (*end == ':')
		disk->st_rdev = makedev(high, strtoul(end + 1, NULL, 10));
	return *end == ':';
}

static bool reaches(const struct stat *from, const struct stat *to,
		    unsigned int depth);

static bool path_reaches(const char *path, const struct stat *to,
			 unsigned int depth)
{
	struct stat st;

	return *path == '/' && !stat(path, &st) && reaches(&st, to, depth);
}

/*
 * Whether @dev is a ublk device whose backing or copy-on-write file lies on
 * @to.
 */
static bool served_reaches(dev_t dev, const struct stat *to, unsigned int depth)
{
	char node[PATH_MAX], path[PATH_MAX], target[32], key[40], *text;
	const char *number;
	bool found;

	snprintf(node, sizeof(node), "/sys/dev/block/%u:%u", major(dev),
		 minor(dev));
	if (!realpath(node, path))
		return false;
	number = strrchr(path, '/') + 1;
	if (strncmp(number, "ublkb", 5) ||
	    record_read(atoi(number + 5), &text) < 0)
		return false;
	found = key_value_get(text, "argument", path, sizeof(path)) &&
		path_reaches(path, to, depth);
	if (!found && key_value_get(text, "target", target, sizeof(target))) {
		snprintf(key, sizeof(key), "%s_cow", target);
		found = key_value_get(text, key, path, sizeof(path)) &&
			path_reaches(path, to, depth);
	}
	free(text);
	return found;
}

/* Whether @from is @to, or a device that lies on it. */
static bool reaches(const struct stat *from, const struct stat *to,
		    unsigned int depth)
{
	char path[PATH_MAX];
	struct stat disk;

	if (is_one(from, to))
		return true;
	if (!S_ISBLK(from->st_mode) || !depth)
		return false;
	if (find_disk(from->st_rdev, &disk))
		return reaches(&disk, to, depth - 1);
	if (read_attribute(from->st_rdev, "loop/backing_file", path,
			   sizeof(path)))
		return path_reaches(path, to, depth - 1);
	return served_reaches(from->st_rdev, to, depth - 1);
}

bool same_store(const struct stat *a, const struct stat *b)
{
	return reaches(a, b, DEPTH_MAX) || reaches(b, a, DEPTH_MAX);
}

int same_store_refuse(int in, const char *in_name, const struct stat *out,
		      const char *out_name)
{
	struct stat st;

	/*
	 * An input that is neither file nor disk (a pipe, /dev/null) loses
	 * nothing.
	 */
	if (fstat(in, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) ||
	    !same_store(&st, out))
		return 0;
	if (is_one(&st, out))
		message("%s: input and output are the same file", out_name);
	else
		message("%s: holds the same as the input, %s, or part of it; "
			"nothing was written", out_name, in_name);
	return -EINVAL;
}
