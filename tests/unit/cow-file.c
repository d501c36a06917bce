// SPDX-License-Identifier: GPL-2.0
/*
 * The file that stores written blocks, from its creation: its directory is
 * synced before anything is written; data after it stays; a refused file is
 * closed once; and a device that has a file already cannot use another one.
 */
#include "targets/cow/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISK (1U << 20)
#define BEHIND 8192

static int number, failures;
static unsigned int bad_closes, directories;
static char directory[] = "/tmp/cow-file.XXXXXX", path[64], link_path[64];
static struct cow_base base;

/* Replaces the C library's. */
int close(int fd)
{
	int ret = syscall(SYS_close, fd);

	bad_closes += ret < 0;
	return ret;
}

int fsync(int fd)
{
	struct stat st;

	directories += !fstat(fd, &st) && S_ISDIR(st.st_mode);
	return syscall(SYS_fsync, fd);
}

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

static int try_open(const char *name, bool resumed)
{
	struct cow_file file;
	int err = cow_file_open(&file, name, &base, DISK, false, -1, resumed);

	if (!err)
		close(file.fd);
	else
		check(file.fd < 0, "what is refused leaves nothing open");
	return err;
}

static void test_new(void)
{
	directories = 0;
	check(!try_open(path, false) && directories == 1,
	      "the directory of a new one is synced");
	check(!try_open(path, false) && directories == 1,
	      "and not when it is used again");
	unlink(path);
	check(!symlink(path, link_path) && !try_open(link_path, false) &&
	      directories == 2 && !access(path, F_OK), "also by a link");
	unlink(link_path);
}

static void test_behind(void)
{
	uint8_t behind[BEHIND], got[BEHIND];
	uint64_t end = cow_layout(DISK).size;
	int fd = open(path, O_RDWR);

	memset(behind, 'b', sizeof(behind));
	check(fd >= 0 && pwrite(fd, behind, BEHIND, end) == BEHIND &&
	      !try_open(path, false) &&
	      pread(fd, got, BEHIND, end) == BEHIND &&
	      !memcmp(got, behind, BEHIND), "what is behind it stays");
	check(!ftruncate(fd, 0) &&
	      pwrite(fd, behind, BEHIND, end) == BEHIND &&
	      !try_open(path, false) &&
	      pread(fd, got, BEHIND, end) == BEHIND &&
	      !memcmp(got, behind, BEHIND), "and behind what becomes one");
	close(fd);
}

static void test_refused(void)
{
	struct stat st;
	int fd;

	unlink(path);
	check(try_open(path, true) == -ENOENT && access(path, F_OK),
	      "for a device that has one none is made");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	check(try_open(path, true) == -EINVAL && !fstat(fd, &st) &&
	      !st.st_size, "nor of an empty one");
	check(write(fd, "something else", 14) == 14 &&
	      try_open(path, false) == -EINVAL, "nor of something else");
	close(fd);
	check(!bad_closes, "each descriptor is closed once");
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/kept", directory);
	snprintf(link_path, sizeof(link_path), "%s/link", directory);
	base = (struct cow_base){ .fd = fileno(tmpfile()), .size = DISK };
	if (ftruncate(base.fd, DISK))
		return 1;
	test_new();
	test_behind();
	test_refused();
	unlink(path);
	rmdir(directory);
	printf("1..%d\n", number);
	return failures != 0;
}
