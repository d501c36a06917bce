// SPDX-License-Identifier: GPL-2.0
/*
 * Opens, claims and examines what lies behind a disk. It keeps nothing.
 */
#include "targets/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "core/message.h"

#define DIRECT_BLOCK_MAX 4096
#define CLAIM_MS 5000
#define CLAIM_TICK_MS 10

static int backing_busy(const char *path)
{
	message("%s: in use; unmount it first, or serve it with --read-only",
		path);
	return -EBUSY;
}

int backing_open(const char *path, bool *read_only)
{
	int fd = -1;

	if (!*read_only)
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && (*read_only || errno == EACCES || errno == EROFS ||
		       errno == EPERM || errno == ETXTBSY)) {
		*read_only = true;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0)
		return errno == EBUSY ? backing_busy(path) :
					message_fail(errno, "%s", path);
	/* Only the open must not wait, as that of a pipe would. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

/* A disk that is read-only can be opened for writing, but not written. */
static bool device_read_only(int fd)
{
	int read_only = 0;

	return !ioctl(fd, BLKROGET, &read_only) && read_only;
}

int backing_examine(int fd, const char *path, struct stat *st,
		    bool *read_only)
{
	if (fstat(fd, st))
		return message_fail(errno, "%s", path);
	if (S_ISBLK(st->st_mode)) {
		*read_only |= device_read_only(fd);
		return 0;
	}
	if (S_ISREG(st->st_mode))
		return 0;
	message("%s: %s, not a file or block device", path,
		S_ISDIR(st->st_mode) ? "a directory" : "special");
	return -EINVAL;
}

/*
 * Two writers of one file destroy each other's filesystem: a regular file is
 * locked, and of a block device the kernel is asked for a claim by opening it
 * again, which a mounted one refuses. Returns 0 or -errno without telling,
 * -EBUSY where somebody else has it.
 */
static int try_claim(int *fd, const char *path, bool block_device,
		     bool read_only)
{
	int claimed;

	if (!block_device) {
		if (!flock(*fd, LOCK_NB | (read_only ? LOCK_SH : LOCK_EX)))
			return 0;
		/* or this filesystem has no locks */
		return errno == EWOULDBLOCK ? -EBUSY : 0;
	}
	if (read_only)
		return 0;
	claimed = open(path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (claimed < 0)
		return -errno;
	close(*fd);
	*fd = claimed;
	return 0;
}

int backing_claim(int *fd, const char *path, const struct stat *st,
		  bool read_only, bool wait)
{
	const struct timespec tick = { .tv_nsec = CLAIM_TICK_MS * 1000000 };
	bool block_device = S_ISBLK(st->st_mode);
	int left = wait ? CLAIM_MS : 0;
	int err;

	while ((err = try_claim(fd, path, block_device, read_only)) == -EBUSY &&
	       left > 0) {
		nanosleep(&tick, NULL);
		left -= CLAIM_TICK_MS;
	}
	if (err != -EBUSY)
		return err ? message_fail(err, "%s", path) : 0;
	if (block_device)
		return backing_busy(path);
	message("%s: in use by another server", path);
	return err;
}

/*
 * The smallest power of two that direct I/O works with here, 0 for none. That
 * these bytes cannot be read is no reason against it.
 */
static uint32_t direct_block(int fd, uint64_t offset)
{
	uint32_t block;
	void *buffer;

	if (posix_memalign(&buffer, DIRECT_BLOCK_MAX, DIRECT_BLOCK_MAX))
		return 0;
	for (block = 512; block <= DIRECT_BLOCK_MAX; block *= 2)
		if (pread(fd, buffer, block, offset) >= 0 || errno != EINVAL)
			break;
	free(buffer);
	return block <= DIRECT_BLOCK_MAX ? block : 0;
}

bool backing_try_direct(int fd, uint64_t offset, uint32_t block)
{
	int flags = fcntl(fd, F_GETFL);
	uint32_t needed;

	if (fcntl(fd, F_SETFL, flags | O_DIRECT))
		return false;
	needed = direct_block(fd, offset);
	if (!needed || needed > block || offset % needed) {
		fcntl(fd, F_SETFL, flags);
		return false;
	}
	/*
	 * What the page cache still has of it each write would have to drop
	 * first, and could not be done without waiting.
	 */
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return true;
}

bool backing_punches(int fd, const struct stat *st, uint64_t end)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (S_ISBLK(st->st_mode))
		return backing_limit(st->st_rdev, "write_zeroes_max_bytes");
	/* Behind the end there is nothing to lose. */
	return !fallocate(fd, punch, end, DIRECT_BLOCK_MAX);
}

uint64_t backing_limit(dev_t dev, const char *name)
{
	char path[96], text[24];
	ssize_t length;
	int fd, up;

	/* A partition has its disk's queue, one level up. */
	for (up = 0; up < 2; up++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s",
			 major(dev), minor(dev), up ? "../" : "", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[length > 0 ? length : 0] = '\0';
		return strtoull(text, NULL, 10);
	}
	return 0;
}
