// SPDX-License-Identifier: GPL-2.0
/*
 * Claims of a regular file. Ranges that do not overlap can be claimed together,
 * by writers or readers. Two writers of one range are refused. A lock of the
 * whole file by another program is noticed, and that program notices ours.
 */
#include "targets/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int number, failures;
static char path[] = "/tmp/backing.XXXXXX";

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

static int claim_again(bool read_only, uint64_t offset, uint64_t size,
		       bool resumed)
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
	err = backing_claim(&fd, path, &st, &use, resumed);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Claims the range. Returns the descriptor, or -errno. */
static int claim(bool read_only, uint64_t offset, uint64_t size)
{
	return claim_again(read_only, offset, size, false);
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

/* Whether the process sleeps. */
static bool sleeps(pid_t pid)
{
	char name[32], text[16] = "";
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/syscall", pid);
	fd = open(name, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		abort();
	close(fd);
	return atoi(text) == SYS_clock_nanosleep;
}

/* A child locks all of the file until its parent waits in a claim. */
static bool waits_for_release(bool resumed)
{
	int said[2], fd, status;
	pid_t child;
	char byte;

	if (pipe(said))
		abort();
	child = fork();
	if (!child) {
		fd = open(path, O_RDWR);
		if (flock(fd, LOCK_EX) || write(said[1], "", 1) != 1)
			_exit(1);
		while (!sleeps(getppid()))
			sched_yield();
		_exit(0);
	}
	if (child < 0 || read(said[0], &byte, 1) != 1)
		abort();
	fd = claim_again(false, 0, 4096, resumed);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(said[0]);
	close(said[1]);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_release(void)
{
	int tries = 0;

	check(waits_for_release(true), "the device's last server is waited for");
	/* Half a second may pass on a busy machine before the child runs. */
	while (tries < 10 && !waits_for_release(false))
		tries++;
	check(tries < 10, "another one is, for a moment");
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
	test_release();
	unlink(path);
	printf("1..%d\n", number);
	return failures != 0;
}
