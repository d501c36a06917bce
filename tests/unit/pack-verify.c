// SPDX-License-Identifier: GPL-2.0
/*
 * ublk pack --verify on a medium that loses or changes data. The pwrite() here,
 * which replaces the C library's, does that.
 */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "commands/verb.h"
#include "lib/message.h"
#include "tests/unit/image-test.h"

#define CHUNKS 9
#define DISK (CHUNKS * IMAGE_CHUNK_STEP - 1000)
#define STORED (IMAGE_CHUNK_STEP + 31)	/* bytes of a member of random data */

static char folder[] = "/tmp/pack-verify.XXXXXX";
static char disk[64], image[64];
static uint8_t data[DISK];	/* contents of the disk */

/* What will happen to a later write. */
static enum { KEPT, FLIPPED, LOST, SWAPPED } fate;
static off_t place;	/* which byte or which write it happens to */

static ssize_t store(int fd, const void *from, size_t length, off_t at)
{
	return syscall(SYS_pwrite64, fd, from, length, at);
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t at)
{
	uint8_t copy[IMAGE_PAGE_MAX + STORED];

	if (fate == LOST && at == place)
		return length;
	if (fate == SWAPPED && at == place)
		return store(fd, from, length, at + STORED);
	if (fate == SWAPPED && at == place + STORED)
		return store(fd, from, length, at - STORED);
	if (fate != FLIPPED || place < at || place >= at + (off_t)length)
		return store(fd, from, length, at);
	memcpy(copy, from, length);
	copy[place - at] ^= 16;
	return store(fd, copy, length, at);
}

/* Four random chunks, one of text, one of zeroes, and a partial chunk. */
static void make_input(void)
{
	uint32_t state = 7;
	int fd = open(disk, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		abort();
	for (uint32_t i = 0; i < 4 * IMAGE_CHUNK_STEP; i++)
		data[i] = next_random(&state);
	memset(data + 4 * IMAGE_CHUNK_STEP, 'x', 100);
	memset(data + DISK - 500, 'y', 500);
	if (whole_write(fd, data, DISK))
		abort();
	close(fd);
}

/* Runs the command without its output. Returns its exit status. */
static int pack(bool verify)
{
	static char verb[] = "pack", chunk[] = "-c4K", jobs[] = "-j1";
	static char option[] = "--verify";
	char *argv[] = { verb, chunk, jobs, disk, image,
			 verify ? option : NULL, NULL };
	_Alignas(uint64_t) char settings[256] = { 0 };
	const struct option_group groups[] = {
		{ verb_pack.options, settings }, { NULL, NULL },
	};
	int quiet = open("/dev/null", O_WRONLY);
	int output = dup(STDOUT_FILENO);
	int messages = message_redirect(quiet);
	int status;

	memcpy(settings, verb_pack.defaults, verb_pack.settings_size);
	if (options_parse(groups, verify ? 6 : 5, argv) != 2)
		abort();
	fflush(stdout);
	dup2(quiet, STDOUT_FILENO);
	status = verb_pack.run(settings, 2, argv + 1);
	fflush(stdout);
	dup2(output, STDOUT_FILENO);
	message_redirect(messages);
	close(output);
	close(quiet);
	return status;
}

/* Whether the directory contains only the disk. */
static bool nothing_there(void)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(entries)))
		count += entry->d_name[0] != '.';
	closedir(entries);
	return count == 1;
}

static bool refused(void)
{
	return pack(true) == EXIT_FAILED && nothing_there();
}

/* Reads the image, and removes it. Returns the outcome. */
static enum outcome made(void)
{
	int fd = open(image, O_RDONLY);
	enum outcome outcome;

	if (fd < 0 || unlink(image))
		abort();
	outcome = try_image(fd, lseek(fd, 0, SEEK_END), data, DISK);
	close(fd);
	return outcome;
}

/*
 * Every byte of the front, the index and the end marker, and some of the
 * members. Deflate may pad its last byte with bits that have no effect.
 */
static void test_flips(off_t size)
{
	unsigned int tried = 0, found = 0, same = 0;

	fate = FLIPPED;
	for (place = 0; place < size;
	     place += place < 150 || place + 250 > size ? 1 : 101) {
		tried++;
		if (refused())
			found++;
		else if (made() == GOOD)
			same++;
	}
	check(found + same == tried && found > 400 && same < 10,
	      "another byte on the medium: %u of %u found, %u say nothing",
	      found, tried, same);
	place = IMAGE_FRONT + 1000;
	check(pack(false) == EXIT_DONE && made() == DAMAGED,
	      "which nobody sees without --verify");
}

static void test_writes(void)
{
	place = IMAGE_FRONT;
	fate = SWAPPED;
	check(refused(), "two good chunks in each other's place");
	check(pack(false) == EXIT_DONE && made() == WRONG,
	      "which no check of the image alone would see");
	fate = LOST;
	check(refused(), "a chunk that was not written");
	place = 0;
	check(refused(), "a front that was not written");
}

int main(void)
{
	struct stat st;

	if (!mkdtemp(folder))
		abort();
	snprintf(disk, sizeof(disk), "%s/disk", folder);
	snprintf(image, sizeof(image), "%s/image", folder);
	make_input();
	check(pack(true) == EXIT_DONE && !stat(image, &st) && made() == GOOD,
	      "what is kept is good");
	test_flips(st.st_size);
	test_writes();
	unlink(disk);
	check(!rmdir(folder), "and nothing is left");
	return done_testing();
}
