// SPDX-License-Identifier: GPL-2.0
/*
 * Identities of files: the identity of a file does not change, under any name,
 * and no other file has it. With contents, it changes when they are written.
 */
#include "core/identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int number, failures;
static char directory[] = "/tmp/identity.XXXXXX", path[64], other[64];
static const struct identity_contents contents = {
	.size = 5, .sampled = true, .samples = 0x1234,
};

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

static void make(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

static void identify(const char *name, bool with_contents,
		     char text[IDENTITY_MAX])
{
	int fd = open(name, O_RDONLY);

	if (fd < 0 || identity_of(fd, with_contents ? &contents : NULL, text))
		abort();
	close(fd);
}

static void test_file(bool with_contents)
{
	char first[IDENTITY_MAX], now[IDENTITY_MAX];
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;
	ino_t inode;
	int i;

	make(path, "first");
	stat(path, &st);
	times[1] = st.st_mtim;
	inode = st.st_ino;
	identify(path, with_contents, first);
	printf("# %s\n", first);
	identify(path, with_contents, now);
	check(identity_same(first, now), "a file is the same");
	check(!rename(path, other), "it is moved");
	identify(other, with_contents, now);
	check(identity_same(first, now), "by another name, too");
	check(!link(other, path) && !chmod(path, 0644), "it gets a link");
	identify(path, with_contents, now);
	check(identity_same(first, now), "and other rights, too");
	usleep(20000);
	make(path, "other");
	identify(path, with_contents, now);
	check(identity_same(first, now) == !with_contents,
	      "one that was written is another one if its contents count");
	utimensat(AT_FDCWD, path, times, 0);
	identify(path, with_contents, now);
	check(identity_same(first, now), "but by its time");
	unlink(other);
	make(other, "first");
	utimensat(AT_FDCWD, other, times, 0);
	identify(other, with_contents, now);
	check(!identity_same(first, now), "a copy is another one");
	unlink(other);
	unlink(path);
	for (i = 0; i < 20; i++) {
		make(path, "first");
		stat(path, &st);
		utimensat(AT_FDCWD, path, times, 0);
		identify(path, with_contents, now);
		if (st.st_ino == inode && strstr(first, "born="))
			break;
		unlink(path);
	}
	check(!identity_same(first, now), "and one that gets its inode");
	unlink(path);
}

static void test_compare(void)
{
	check(identity_same("dev=8:1,inode=5", "dev=8:1,inode=5"), "equal");
	check(!identity_same("dev=8:1,inode=5", "dev=8:1,inode=55"), "longer");
	check(!identity_same("dev=8:1,inode=55", "dev=8:1,inode=5"), "shorter");
	check(!identity_same("dev=8:1,inode=5", "dev=8:2,inode=5"),
	      "another filesystem");
	check(identity_same("dev=8:1,inode=5,born=1.2", "dev=8:1,inode=5"),
	      "what one does not know does not count");
	check(!identity_same("dev=8:1,inode=5,born=1.2",
			     "dev=8:1,inode=5,born=1.3"), "born later");
	check(identity_same("dev=0:41,inode=5,born=1.2",
			    "dev=0:43,inode=5,born=1.2"),
	      "a number of no device is another one with each mount");
	check(!identity_same("dev=0:41,inode=5", "dev=0:43,inode=5"),
	      "unless there is nothing else");
	check(!identity_same("dev=0:41,inode=5,born=1.2",
			     "dev=8:1,inode=5,born=1.2"),
	      "and not when one is that of a device");
	check(!identity_same("dev=8:1,inode=5", "disk=8:1"),
	      "a file is no device");
	check(identity_same("disk=8:1,sequence=3,start=2048",
			    "disk=8:1,sequence=3,start=2048"), "a device");
	check(!identity_same("disk=8:1,sequence=3", "disk=8:1,sequence=4"),
	      "that has been away");
	check(!identity_same("dev=8:1,inode=5,samples=0",
			     "dev=8:1,inode=5,samples=1"), "other samples");
	check(!identity_same("", "dev=8:1"), "nothing is like nothing else");
}

int main(void)
{
	dev_t dev;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/file", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	test_file(false);
	test_file(true);
	test_compare();
	check(!identity_is_disk("/dev/null", &dev) &&
	      !identity_is_disk(directory, &dev) &&
	      !identity_is_disk(path, &dev), "these are no disks");
	rmdir(directory);
	printf("1..%d\n", number);
	return failures != 0;
}
