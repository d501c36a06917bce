// SPDX-License-Identifier: GPL-2.0
/*
 * BGZF files without an index: blocks of one length and of many, empty blocks
 * between them, other subfields, no end marker, data after the end.
 */
#include "tests/unit/image-test.h"

static void expect(int fd, const uint8_t *disk, uint64_t size,
		   enum outcome outcome, const char *what)
{
	check(try_image(fd, lseek(fd, 0, SEEK_END), disk, size) == outcome,
	      "%s", what);
	close(fd);
}

static void test_uniform(const uint8_t *disk, uint64_t size, uint32_t block)
{
	int fd = new_file("", 0);
	char what[60];

	for (uint64_t at = 0; at < size; at += block)
		add_bgzf(fd, disk + at, size - at < block ? size - at : block);
	add_bgzf(fd, NULL, 0);
	snprintf(what, sizeof(what), "%llu bytes in blocks of %u",
		 (unsigned long long)size, block);
	expect(fd, disk, size, GOOD, what);
}

static void test_irregular(const uint8_t *disk, uint64_t size)
{
	uint32_t state = 12345;
	int fd = new_file("", 0);
	uint64_t at = 0;

	for (int i = 0; at < size; i++) {
		uint32_t length = next_random(&state) % 3000 + 1;

		if (length > size - at)
			length = size - at;
		add_bgzf(fd, disk + at, length);
		at += length;
		if (i % 7 == 3)
			add_bgzf(fd, NULL, 0);
	}
	add_bgzf(fd, NULL, 0);
	add_bgzf(fd, NULL, 0);
	expect(fd, disk, size, GOOD, "blocks of any length, empty ones between");
}

static void test_ends(const uint8_t *disk)
{
	uint8_t zeroes[5000] = { };
	int fd = new_file("", 0);

	add_bgzf(fd, NULL, 0);
	expect(fd, disk, 0, GOOD, "a disk of no bytes");

	fd = new_file("", 0);
	add_bgzf(fd, disk, 65000);
	expect(fd, disk, 65000, GOOD, "no end, which zcat does not miss");

	fd = new_file("", 0);
	add_bgzf(fd, disk, 65000);
	add_bgzf(fd, NULL, 0);
	if (whole_write(fd, zeroes, sizeof(zeroes)))
		abort();
	expect(fd, disk, 65000, GOOD, "zeroes behind the end");

	fd = new_file("", 0);
	add_bgzf(fd, disk, 65000);
	if (whole_write(fd, zeroes, sizeof(zeroes)))
		abort();
	expect(fd, disk, 65000, GOOD, "zeroes in place of the end");

	fd = new_file("", 0);
	add_bgzf(fd, disk, 65000);
	if (whole_write(fd, zeroes, sizeof(zeroes)) ||
	    whole_write(fd, "x", 1))
		abort();
	expect(fd, disk, 65000, REFUSED, "something else in its place");

	fd = new_file("", 0);
	add_bgzf(fd, disk, 65000);
	if (whole_write(fd, zeroes, sizeof(zeroes)))
		abort();
	add_bgzf(fd, disk, 65000);
	add_bgzf(fd, NULL, 0);
	expect(fd, disk, 65000, REFUSED, "zeroes with a block behind them");
}

/* A header with another program's subfield before BC. */
static void test_subfields(const uint8_t *disk)
{
	static const uint8_t extra[] = { 'X', 'Y', 5, 0, 1, 2, 3, 4, 5 };
	uint8_t block[2000], member[2200];
	struct deflater deflater;
	int fd = new_file("", 0);
	size_t n;

	if (deflater_init(&deflater, 9))
		abort();
	n = member_deflate(&deflater, disk, sizeof(block), true, member);
	deflater_free(&deflater);
	memmove(member + 12 + sizeof(extra), member + 12, n - 12);
	memcpy(member + 12, extra, sizeof(extra));
	n += sizeof(extra);
	put_le16(member + 10, 6 + sizeof(extra));
	put_le16(member + 12 + sizeof(extra) + 4, n - 1);
	if (whole_write(fd, member, n))
		abort();
	add_bgzf(fd, NULL, 0);
	expect(fd, disk, sizeof(block), GOOD, "another subfield before BC");
}

/* A chunk says where it is; the server reads them in any order. */
static void test_order(const uint8_t *disk, uint64_t size)
{
	int fd = new_file("", 0);
	uint32_t state = 4242;
	struct image_reader reader;
	struct image_chunk chunk;
	struct image image;
	bool good = true;

	for (uint64_t at = 0; at < size; at += 1000)
		add_bgzf(fd, disk + at, size - at < 1000 ? size - at : 1000);
	add_bgzf(fd, NULL, 0);
	if (image_open(&image, fd, "image", lseek(fd, 0, SEEK_END), &how) ||
	    image_reader_init(&reader, &image))
		abort();
	for (int i = 0; i < 10000; i++) {
		uint64_t at = next_random(&state) % size;

		good = good && !image_find(&reader, at, &chunk) &&
		       chunk.disk_offset == at / 1000 * 1000 &&
		       chunk.number == at / 1000 &&
		       chunk.disk_length == (size - chunk.disk_offset < 1000 ?
					     size - chunk.disk_offset : 1000);
	}
	check(good, "chunks are found in any order");
	image_reader_free(&reader);
	image_release(&image);
	close(fd);
}

int main(void)
{
	uint64_t size = 1000003;
	uint8_t *disk = make_disk(size, 7000);

	be_quiet();
	test_uniform(disk, 1, 65280);
	test_uniform(disk, 65280, 65280);
	test_uniform(disk, 65281, 65280);
	test_uniform(disk, size, 65280);
	test_uniform(disk, size, 65505);
	test_uniform(disk, size, 997);
	test_irregular(disk, size);
	test_ends(disk);
	test_subfields(disk);
	test_order(disk, size);
	free(disk);
	return done_testing();
}
