// SPDX-License-Identifier: GPL-2.0
/*
 * Writes and compares identities. It opens no file of its own but sysfs's, and
 * keeps nothing.
 */
#include "core/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* <sys/stat.h> and <linux/stat.h> cannot both be included. */
#define KIND 0170000
#define KIND_BLOCK 0060000

#ifndef BLKGETDISKSEQ			/* Linux 5.15 */
#define BLKGETDISKSEQ _IOR(0x12, 128, __u64)
#endif

__attribute__((format(printf, 2, 3)))
static void identity_append(char text[IDENTITY_MAX], const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;

	if (length && length + 1 < IDENTITY_MAX)
		text[length++] = ',';
	va_start(args, format);
	vsnprintf(text + length, IDENTITY_MAX - length, format, args);
	va_end(args);
}

static void identity_append_time(char text[IDENTITY_MAX], const char *key,
				 const struct statx_timestamp *time)
{
	identity_append(text, "%s=%lld.%09u", key, (long long)time->tv_sec,
			time->tv_nsec);
}

/* Adds the start of a partition on its disk. A disk has no such attribute. */
static void identity_append_start(char text[IDENTITY_MAX],
				  const struct statx *st)
{
	char path[64], start[24] = "";
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/start",
		 st->stx_rdev_major, st->stx_rdev_minor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = read(fd, start, sizeof(start) - 1);
	close(fd);
	start[length > 0 ? length : 0] = '\0';
	start[strcspn(start, "\n")] = '\0';
	identity_append(text, "start=%s", start);
}

static void identity_describe_disk(int fd, const struct statx *st,
				   char text[IDENTITY_MAX])
{
	uint64_t sequence;

	identity_append(text, "disk=%u:%u", st->stx_rdev_major,
			st->stx_rdev_minor);
	if (!ioctl(fd, BLKGETDISKSEQ, &sequence))
		identity_append(text, "sequence=%llu",
				(unsigned long long)sequence);
	identity_append_start(text, st);
}

static void identity_describe_file(const struct statx *st, bool unchanged,
				   char text[IDENTITY_MAX])
{
	identity_append(text, "dev=%u:%u", st->stx_dev_major,
			st->stx_dev_minor);
	identity_append(text, "inode=%llu", (unsigned long long)st->stx_ino);
	if (st->stx_mask & STATX_BTIME)
		identity_append_time(text, "born", &st->stx_btime);
	if (unchanged)
		identity_append_time(text, "written", &st->stx_mtime);
}

int identity_of(int fd, const struct identity_contents *contents,
		char text[IDENTITY_MAX])
{
	struct statx st;

	*text = '\0';
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH,
		    STATX_BASIC_STATS | STATX_BTIME, &st))
		return -errno;
	if ((st.stx_mode & KIND) == KIND_BLOCK)
		identity_describe_disk(fd, &st, text);
	else
		identity_describe_file(&st, contents, text);
	if (!contents)
		return 0;
	identity_append(text, "size=%llu", (unsigned long long)contents->size);
	if (contents->sampled)
		identity_append(text, "samples=%08x", contents->samples);
	return 0;
}

/* Finds the value of @key and its @length. Returns NULL if there is none. */
static const char *identity_value(const char *text, const char *key,
				  size_t key_length, size_t *length)
{
	for (; *text; text += *text == ',') {
		if (!strncmp(text, key, key_length) &&
		    text[key_length] == '=') {
			text += key_length + 1;
			*length = strcspn(text, ",");
			return text;
		}
		text += strcspn(text, ",");
	}
	return NULL;
}

static bool identity_equal(const char *one, const char *other, const char *key,
			   size_t key_length)
{
	size_t first, second;
	const char *a = identity_value(one, key, key_length, &first);
	const char *b = identity_value(other, key, key_length, &second);

	return !a || !b || (first == second && !memcmp(a, b, first));
}

/*
 * Whether the device number is the same after the next mount. A filesystem
 * without a block device gets a new number at each mount; for its files the
 * time of birth is compared instead.
 */
static bool has_lasting_number(const char *text)
{
	size_t length;
	const char *dev = identity_value(text, "dev", 3, &length);

	return !dev || strncmp(dev, "0:", 2) ||
	       !identity_value(text, "born", 4, &length);
}

bool identity_same(const char *one, const char *other)
{
	const bool lasting = has_lasting_number(one) ||
			     has_lasting_number(other);
	const char *key = one;

	/* One is a file, the other a block device. */
	if (strncmp(one, other, 4))
		return false;
	for (; *key; key += strcspn(key, ","), key += *key == ',') {
		size_t length = strcspn(key, "=,");

		if (!lasting && length == 3 && !memcmp(key, "dev", 3))
			continue;
		if (!identity_equal(one, other, key, length))
			return false;
	}
	return true;
}

bool identity_is_disk(const char *path, dev_t *dev)
{
	struct statx st;

	if (syscall(SYS_statx, AT_FDCWD, path,
		    AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) ||
	    (st.stx_mode & KIND) != KIND_BLOCK)
		return false;
	*dev = makedev(st.stx_rdev_major, st.stx_rdev_minor);
	return true;
}
