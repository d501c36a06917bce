// SPDX-License-Identifier: GPL-2.0
/*
 * Opens, claims and examines the file or block device of a disk. It has no
 * state.
 */
#include "targets/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/deflate.h"
#include "lib/message.h"
#include "sources/source.h"

#define DIRECT_BLOCK_MAX 4096
#define SAMPLE 4096
/*
 * How long to wait for a claim to be released. The kernel closes the files of a
 * killed server a moment after the process is gone, as io_uring has them.
 */
#define CLAIM_RESUMED_MS 5000	/* of the last server of the same device */
#define CLAIM_MS 500
#define CLAIM_TICK_MS 10

static int backing_busy(const char *path)
{
	message("%s: in use; unmount it first, or serve it with --read-only",
		path);
	return -EBUSY;
}

int backing_refuse_standard_input(void)
{
	message("-: standard input cannot be served, as it has no name to open "
		"it by again; `./-` is a file called so");
	return -EINVAL;
}

int backing_open(const char *path, bool *read_only)
{
	int fd = source_refuse_remote(path);

	if (fd)
		return fd;
	fd = -1;
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
	/* O_NONBLOCK was only for the open(), which would block on a pipe. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

/* A read-only disk can be opened for writing, but not written. */
static bool backing_is_read_only(int fd)
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
		*read_only |= backing_is_read_only(fd);
		return 0;
	}
	if (S_ISREG(st->st_mode))
		return 0;
	message("%s: %s, not a file or block device", path,
		S_ISDIR(st->st_mode) ? "a directory" : "special");
	return -EINVAL;
}

/* Locks the range. Returns -EAGAIN if another process has locked part of it. */
static int backing_lock_range(int fd, const struct backing_use *use)
{
	struct flock lock = {
		.l_type = use->read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = use->offset,
		.l_len = use->size,
	};

	/*
	 * A lock of the open file, because it is passed from process to
	 * process.
	 */
	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	/* other errors: this filesystem has no locks */
	return errno == EAGAIN || errno == EACCES ? -EAGAIN : 0;
}

/* Whether anyone else has a lock on any range of the file. */
static bool backing_others_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/*
 * Takes the lock of flock(), too. Programs that know no ranges lock the whole
 * file with it: flock(1) and earlier versions of this program. So each side
 * notices the other.
 */
static int backing_lock_file(int fd, const struct backing_use *use)
{
	int err = backing_lock_range(fd, use);

	if (err)
		return err;
	if (!use->read_only && flock(fd, LOCK_NB | LOCK_EX) &&
	    errno == EWOULDBLOCK && !backing_others_lock(fd))
		return -EAGAIN;
	return flock(fd, LOCK_NB | LOCK_SH) && errno == EWOULDBLOCK ?
	       -EAGAIN : 0;
}

/*
 * O_EXCL claims a block device, and fails if the device is mounted. If several
 * servers have ranges of one device, one of them has this claim for all.
 */
static int backing_claim_device(int *fd, const char *path,
				const struct backing_use *use)
{
	int claimed = -1;

	if (!use->read_only || use->claims) {
		claimed = open(path, (use->read_only ? O_RDONLY : O_RDWR) |
			       O_CLOEXEC | O_EXCL);
		if (claimed < 0 &&
		    (errno != EBUSY || !backing_others_lock(*fd)))
			return -errno;
	}
	if (claimed >= 0) {
		close(*fd);
		*fd = claimed;
	}
	return backing_lock_range(*fd, use);
}

int backing_claim(int *fd, const char *path, const struct stat *st,
		  const struct backing_use *use, bool resumed)
{
	bool block_device = S_ISBLK(st->st_mode);
	int left = resumed ? CLAIM_RESUMED_MS : CLAIM_MS;
	int err;

	for (;;) {
		err = block_device ? backing_claim_device(fd, path, use) :
				     backing_lock_file(*fd, use);
		if ((err != -EBUSY && err != -EAGAIN) || left <= 0)
			break;
		clock_sleep_ms(CLAIM_TICK_MS);
		left -= CLAIM_TICK_MS;
	}
	/*
	 * A reader may share the device with its owner, unless the range is
	 * locked.
	 */
	if (err == -EBUSY && use->read_only)
		err = backing_lock_range(*fd, use);
	if (err == -EBUSY)
		return backing_busy(path);
	if (err != -EAGAIN)
		return err ? message_fail(err, "%s", path) : 0;
	message("%s: in use by another server", path);
	return -EBUSY;
}

/*
 * The smallest power of two that direct I/O works with here, or 0. Only EINVAL
 * means that a block is too small: other read errors have other causes.
 */
static uint32_t backing_direct_block(int fd, uint64_t offset)
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
	needed = backing_direct_block(fd, offset);
	if (!needed || needed > block || offset % needed) {
		fcntl(fd, F_SETFL, flags);
		return false;
	}
	/*
	 * Drop the page cache: a direct write must first invalidate what is
	 * cached in its range, and that makes the ring pass the write to a
	 * worker thread.
	 */
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return true;
}

bool backing_in_memory(int fd)
{
	struct statfs fs;
	struct stat st;

	/* The filesystem of a device is that of its node, which is a tmpfs. */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || fstatfs(fd, &fs))
		return false;
	return (unsigned long)fs.f_type == TMPFS_MAGIC ||
	       (unsigned long)fs.f_type == RAMFS_MAGIC;
}

bool backing_punches(int fd, const struct stat *st, uint64_t end)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (S_ISBLK(st->st_mode))
		return backing_limit(st->st_rdev, "write_zeroes_max_bytes");
	/* From @end on there is no data that this could destroy. */
	return !fallocate(fd, punch, end, DIRECT_BLOCK_MAX);
}

int backing_samples(int fd, uint64_t offset, uint64_t size, unsigned int count,
		    uint32_t *crc)
{
	/* aligned for direct I/O */
	static _Alignas(SAMPLE) uint8_t sample[SAMPLE];
	uint64_t last = (size - 1) / SAMPLE;
	unsigned int i;

	*crc = 0;
	for (i = 0; i < count; i++) {
		uint64_t block = last / (count - 1) * i +
				 last % (count - 1) * i / (count - 1);
		uint64_t left = size - block * SAMPLE;
		ssize_t n = pread(fd, sample, SAMPLE, offset + block * SAMPLE);

		if (n < 0)
			return -errno;
		*crc = crc32_add(*crc, sample, (uint64_t)n < left ? (uint64_t)n :
								left);
	}
	return 0;
}

uint64_t backing_limit(dev_t dev, const char *name)
{
	char path[96], text[24];
	ssize_t length;
	int fd, up;

	/*
	 * A partition has no queue directory: that of its disk is one level up.
	 */
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
