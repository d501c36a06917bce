// SPDX-License-Identifier: GPL-2.0
/*
 * Claims of a regular file. Ranges that do not overlap can be claimed together,
 * by writers or readers. Two writers of one range are refused. A lock of the
 * whole file by another program is noticed, and that program notices ours.
 */
#include "targets/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static int number, failures;
static char path[] = "/tmp/backing.XXXXXX";

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/* Claims the range. Returns the descriptor, or -errno. */
static int claim(bool read_only, uint64_t offset, uint64_t size)
{
	const struct backing_use use = {
		.read_only = read_only, .offset = offset, .size = size,
	};
	bool only_read = read_only;
	int fd = backing_open(path, &only_read);
	struct stat st;
	int err;

	if (fd < 0 || fstat(fd, &st))
		abort();
	err = backing_claim(&fd, path, &st, &use, false);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static bool refused(bool read_only, uint64_t offset, uint64_t size)
{
	int fd = claim(read_only, offset, size);

	if (fd >= 0)
		close(fd);
	return fd == -EBUSY;
}

static bool free_now(bool read_only, uint64_t offset, uint64_t size)
{
	int fd = claim(read_only, offset, size);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_ranges(void)
{
	int middle = claim(false, 4096, 8192), end, first;

	check(middle >= 0, "a part is taken");
	check(refused(false, 0, 0), "all of it is not");
	check(refused(true, 0, 0), "nor to read");
	check(refused(false, 4096, 8192), "nor the same");
	check(refused(false, 0, 4097), "nor a byte of it");
	check(refused(false, 12287, 1), "nor its last one");
	check(refused(true, 8192, 4), "nor some to read");
	end = claim(false, 12288, 0);
	check(end >= 0, "all behind it is free");
	first = claim(true, 0, 4096);
	check(first >= 0, "and all before");
	check(free_now(true, 0, 100), "which another one reads, too");
	check(refused(false, 0, 100), "and nobody writes");
	check(refused(false, 1ULL << 40, 1), "what the file may become is taken");
	close(middle);
	check(free_now(false, 4096, 8192), "one that ends gives it back");
	check(refused(false, 4096, 8193), "and no more");
	close(end);
	close(first);
	check(free_now(false, 0, 0), "then all is free");
}

static void test_inherited(void)
{
	int fd = claim(false, 0, 4096), copy = dup(fd);

	close(fd);
	check(refused(false, 0, 4096), "a copy of the descriptor has it on");
	close(copy);
	check(free_now(false, 0, 4096), "as long as it is open");
}

static void test_others(void)
{
	int fd = open(path, O_RDWR), ours;

	check(!flock(fd, LOCK_EX) && refused(false, 0, 4096) &&
	      refused(true, 0, 4096), "who locks all of it is seen");
	check(!flock(fd, LOCK_SH) && refused(false, 0, 4096) &&
	      free_now(true, 0, 4096), "one that reads is a reader");
	flock(fd, LOCK_UN);
	ours = claim(false, 0, 4096);
	check(ours >= 0 && flock(fd, LOCK_EX | LOCK_NB), "and sees a writer");
	close(ours);
	ours = claim(true, 0, 4096);
	check(ours >= 0 && flock(fd, LOCK_EX | LOCK_NB) &&
	      !flock(fd, LOCK_SH | LOCK_NB), "and a reader");
	close(ours);
	close(fd);
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0 || ftruncate(fd, 65536))
		return 1;
	close(fd);
	test_ranges();
	test_inherited();
	test_others();
	unlink(path);
	printf("1..%d\n", number);
	return failures != 0;
}
