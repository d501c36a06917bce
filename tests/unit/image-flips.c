// SPDX-License-Identifier: GPL-2.0
/*
 * An image with one bit changed, and cut to every length: it is refused, or a
 * chunk is reported as damaged, or the change is harmless. Wrong data is never
 * returned. Every EVERYth bit is changed, from a random one on; all of them in
 * `make fuzz F=faults`.
 */
#include "tests/unit/image-test.h"

#include <time.h>

static size_t first_bit, every = 7;

struct tally {
	unsigned int outcomes[4];
	unsigned int harmless_outside;	/* changes outside of chunks */
};

static struct tally flip_all(int fd, const uint8_t *disk, uint64_t size,
			     uint64_t chunks_from, uint64_t chunks_to)
{
	struct tally tally = { };
	size_t length;
	uint8_t *file = slurp(fd, &length);

	for (size_t bit = first_bit; bit < length * 8; bit += every) {
		size_t at = bit / 8;
		uint8_t changed = file[at] ^ 1 << bit % 8;
		enum outcome outcome;

		if (whole_pwrite(fd, &changed, 1, at))
			abort();
		outcome = try_image(fd, length, disk, size);
		if (whole_pwrite(fd, &file[at], 1, at))
			abort();
		tally.outcomes[outcome]++;
		if (outcome != REFUSED && (at < chunks_from || at >= chunks_to))
			tally.harmless_outside++;
	}
	free(file);
	return tally;
}

/*
 * At @ends lengths, a smaller image could end: after each BGZF block. There,
 * only a warning tells that blocks are missing.
 */
static void test_cuts(int fd, const char *what, const uint8_t *disk,
		      uint64_t size, unsigned int ends)
{
	size_t length;
	uint8_t *file = slurp(fd, &length);
	unsigned int accepted = 0, wrong = 0;

	for (size_t cut = 0; cut < length; cut++) {
		int part = new_file(file, cut);

		if (try_image(part, cut, disk, size) != REFUSED)
			accepted++;
		/* As on a partition: zeroes follow the cut. */
		if (ftruncate(part, length + 4096))
			abort();
		if (try_image(part, length + 4096, disk, size) == WRONG)
			wrong++;
		close(part);
	}
	check(accepted == ends, "%s: refused at each length it is cut to", what);
	/*
	 * A cut in the zeroes at the end of an end marker changes nothing, and
	 * a few bytes of the next member are not enough to notice it.
	 */
	check(wrong <= ends * 16, "%s: no wrong data where zeroes follow the "
	      "cut (%u)", what, wrong);
	free(file);
}

static void test_ours(uint32_t chunk, uint64_t size, const char *what)
{
	uint8_t *disk = make_disk(size, 500);
	struct tally tally;
	struct image image;
	int fd;

	/* Mostly zeroes, so that the file is small. */
	memset(disk + 1200, 0, size - 1500);
	fd = make_image(disk, size, chunk);
	if (image_open(&image, fd, "image", lseek(fd, 0, SEEK_END), &how))
		abort();
	tally = flip_all(fd, disk, size, IMAGE_FRONT,
			 image.front.index_offset);
	check(!tally.outcomes[WRONG], "%s: no wrong data after a change of "
	      "one bit", what);
	check(!tally.harmless_outside, "%s: a change outside of the chunks is "
	      "refused (%u were)", what, tally.outcomes[REFUSED]);
	check(tally.outcomes[DAMAGED] > 10 * tally.outcomes[GOOD],
	      "%s: one in a chunk is told (%u were, %u did no harm)", what,
	      tally.outcomes[DAMAGED], tally.outcomes[GOOD]);
	test_cuts(fd, what, disk, size, 0);
	image_release(&image);
	close(fd);
	free(disk);
}

static void test_bgzf(bool regular)
{
	const char *what = regular ? "BGZF" : "irregular BGZF";
	uint64_t size = 6000;
	uint8_t *disk = make_disk(size, 300);
	struct tally tally;
	int fd = new_file("", 0);

	for (uint64_t at = 0; at < size; at += 1000) {
		if (regular) {
			add_bgzf(fd, disk + at, 1000);
			continue;
		}
		add_bgzf(fd, disk + at, 100 + at / 10);
		add_bgzf(fd, disk + at + 100 + at / 10, 900 - at / 10);
		if (at == 2000)
			add_bgzf(fd, NULL, 0);
	}
	add_bgzf(fd, NULL, 0);
	tally = flip_all(fd, disk, size, 0, UINT64_MAX);
	check(!tally.outcomes[WRONG], "%s: no wrong data after a change of one "
	      "bit (%u refused, %u told, %u did no harm)", what,
	      tally.outcomes[REFUSED], tally.outcomes[DAMAGED],
	      tally.outcomes[GOOD]);
	test_cuts(fd, what, disk, size, regular ? 6 : 13);
	close(fd);
	free(disk);
}

/* A gzip file is verified completely when it is opened. */
static void test_gzip(unsigned int members)
{
	const char *what = members > 1 ? "gzip of members" : "gzip";
	uint64_t size = 12000;
	uint8_t *disk = make_disk(size, 300);
	struct tally tally;
	int fd = new_file("", 0);

	for (unsigned int i = 0; i < members; i++)
		add_gzip(fd, disk + size / members * i, size / members);
	tally = flip_all(fd, disk, size, 0, UINT64_MAX);
	check(!tally.outcomes[WRONG] && !tally.outcomes[DAMAGED],
	      "%s: no wrong data after a change of one bit (%u refused, %u did "
	      "no harm)", what, tally.outcomes[REFUSED],
	      tally.outcomes[GOOD]);
	test_cuts(fd, what, disk, size, members - 1);
	close(fd);
	free(disk);
}

/* A bit that changes while the image is open. */
static void test_later(void)
{
	uint64_t size = 60000;
	uint8_t *disk = make_disk(size, 1000), *file;
	unsigned int outcomes[4] = { };
	uint32_t state = 99;
	struct image image;
	int fd = new_file("", 0);
	size_t length;

	add_gzip(fd, disk, size / 2);
	add_gzip(fd, disk + size / 2, size / 2);
	file = slurp(fd, &length);
	if (image_open(&image, fd, "image", length, &how))
		abort();
	for (int i = 0; i < 10000; i++) {
		size_t at = next_random(&state) % length;
		uint8_t changed = file[at] ^ 1 << next_random(&state) % 8;

		if (whole_pwrite(fd, &changed, 1, at))
			abort();
		outcomes[read_beside(&image, disk, size)]++;
		if (whole_pwrite(fd, &file[at], 1, at))
			abort();
	}
	check(!outcomes[WRONG] && outcomes[DAMAGED] > 9000,
	      "gzip: no wrong data after a later change (%u told)",
	      outcomes[DAMAGED]);
	image_release(&image);
	free(file);
	free(disk);
	close(fd);
}

int main(void)
{
	const char *wanted = getenv("EVERY");

	if (wanted && atoi(wanted) > 0)
		every = atoi(wanted);
	first_bit = time(NULL) % every;
	printf("# every %zuth bit, from %zu on\n", every, first_bit);
	be_quiet();
	test_ours(4096, 9000, "chunks of 4K");
	test_ours(65536, 140000, "chunks of 64K");
	test_bgzf(true);
	test_bgzf(false);
	test_gzip(1);
	test_gzip(3);
	test_later();
	return done_testing();
}
