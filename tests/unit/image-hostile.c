// SPDX-License-Identifier: GPL-2.0
/*
 * Images made by an attacker: random bytes after a valid start, and headers and
 * index pages with correct checksums and wrong numbers. The only outcomes are
 * refusals and damaged chunks.
 */
#include "tests/unit/image-test.h"

#define ROUNDS 20000

static uint32_t state = 88172645;

/* A number that an attacker may pick: small, near a limit, or any. */
static uint64_t any_number(void)
{
	uint64_t number = (uint64_t)next_random(&state) << 32 |
			  next_random(&state);

	switch (next_random(&state) % 4) {
	case 0:
		return number % 5000;
	case 1:
		return -(number % 5000);
	case 2:
		return (1ULL << number % 64) - (number >> 63);
	}
	return number;
}

/* Corrects the checksum of the private subfield of @length bytes. */
static void sign(uint8_t *member, size_t length)
{
	uint8_t *fields = member + MEMBER_PRIVATE;

	put_le32(fields + length - 4, crc32_add(0, fields, length - 4));
}

/*
 * Returns whether @length bytes are read safely; the right disk is not known.
 */
static bool survives(const uint8_t *file, size_t length)
{
	int fd = new_file(file, length);
	struct image image;

	if (!image_open(&image, fd, "image", length, &how)) {
		/* A member with a correct CRC is not wrong data here. */
		if (image.disk_size < 1 << 24)
			read_beside(&image, (const uint8_t *)"", 0);
		image_release(&image);
	}
	close(fd);
	return true;
}

static void test_garbage(void)
{
	uint8_t file[600];
	bool good = true;

	for (int i = 0; i < ROUNDS; i++) {
		size_t length = next_random(&state) % sizeof(file);

		for (size_t at = 0; at < sizeof(file); at++)
			file[at] = next_random(&state);
		memcpy(file, member_eof, MEMBER_BC - i % 3 * 6);
		if (i % 2)
			memcpy(file + 12, "UB", 2);
		good = good && survives(file, length);
	}
	check(good, "random bytes");
}

/* Sets each field of the front to other values, one at a time. */
static void test_fronts(const uint8_t *file, size_t length)
{
	uint8_t *copy = malloc(length);
	unsigned int accepted = 0;

	if (!copy)
		abort();
	for (int i = 0; i < ROUNDS; i++) {
		static const uint8_t fields[][2] = {
			{ 0, 1 }, { 1, 1 }, { 2, 2 }, { 4, 4 }, { 8, 8 },
			{ 16, 8 }, { 24, 8 }, { 32, 4 },
		};

		memcpy(copy, file, length);
		for (int n = 1 + i % 3; n; n--) {
			const uint8_t *field = fields[next_random(&state) % 8];
			uint8_t number[8];

			put_le64(number, any_number());
			memcpy(copy + MEMBER_PRIVATE + field[0], number,
			       field[1]);
		}
		sign(copy, IMAGE_FRONT_FIELDS);
		if (memcmp(copy, file, IMAGE_FRONT)) {
			int fd = new_file(copy, length);

			accepted += try_image(fd, length, NULL, 0) != REFUSED;
			close(fd);
		}
	}
	check(!accepted, "no front with other numbers is accepted");
	free(copy);
}

/* Index entries that point anywhere. */
static void test_pages(const uint8_t *file, size_t length,
		       const uint8_t *disk, uint64_t size)
{
	uint64_t index = get_le64(file + MEMBER_PRIVATE + 16);
	uint32_t count = (size + IMAGE_CHUNK_STEP - 1) / IMAGE_CHUNK_STEP;
	unsigned int outcomes[4] = { };
	uint8_t *copy = malloc(length);

	if (!copy)
		abort();
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t *page = copy + index;
		int fd;

		memcpy(copy, file, length);
		for (int n = 1 + i % 3; n; n--) {
			uint32_t at = 4 * (next_random(&state) % (count + 5));
			uint32_t old = get_le32(page + MEMBER_PRIVATE + at);

			put_le32(page + MEMBER_PRIVATE + at,
				 i % 2 ? old ^ 1U << next_random(&state) % 32 :
					 any_number());
		}
		sign(page, IMAGE_PAGE_FIELDS(count));
		fd = new_file(copy, length);
		outcomes[try_image(fd, length, disk, size)]++;
		close(fd);
	}
	check(!outcomes[WRONG], "no index leads to wrong data (%u refused, "
	      "%u told)", outcomes[REFUSED], outcomes[DAMAGED]);
	free(copy);
}

/* A member that expands to more or less than its chunk. */
static void test_lengths(void)
{
	uint8_t member[MEMBER_BC + 4096 + 100];
	uint8_t data[4096] = { 1 }, room[4096];
	struct inflater inflater;
	struct deflater deflater;
	bool good = true;
	size_t n;

	if (inflater_init(&inflater) || deflater_init(&deflater, 9))
		abort();
	n = member_deflate(&deflater, data, 4096, true, member);
	for (size_t length = 1; length < 4096; length++) {
		put_le32(member + n - 4, length);
		good = good && member_inflate(&inflater, MEMBER_OURS_BC,
					      member, n, room, length);
	}
	check(good, "a member longer than it says is told");
	n = member_deflate(&deflater, data, 4095, true, member);
	put_le32(member + n - 4, 4096);
	check(member_inflate(&inflater, MEMBER_OURS_BC, member, n, room, 4096),
	      "a shorter one too");
	n = member_deflate(&deflater, data, 4096, true, member);
	check(!member_inflate(&inflater, MEMBER_OURS_BC, member, n, room, 4096),
	      "and after all that a good one is good");
	inflater_free(&inflater);
	deflater_free(&deflater);
}

int main(void)
{
	uint64_t size = 20 * IMAGE_CHUNK_STEP + 77;
	uint8_t *disk = make_disk(size, 5000);
	int fd = make_image(disk, size, IMAGE_CHUNK_STEP);
	size_t length;
	uint8_t *file = slurp(fd, &length);

	be_quiet();
	test_garbage();
	test_fronts(file, length);
	test_pages(file, length, disk, size);
	test_lengths();
	close(fd);
	free(file);
	free(disk);
	return done_testing();
}
