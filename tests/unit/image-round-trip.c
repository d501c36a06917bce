// SPDX-License-Identifier: GPL-2.0
/*
 * An image that is written and read back is unchanged: with sizes around a
 * chunk and a page of the index, with every kind of chunk, and with an index
 * that does not stay in memory.
 */
#include "tests/unit/image-test.h"

static void test_size(uint64_t size, uint32_t chunk)
{
	uint8_t *disk = make_disk(size, 7000);
	int fd = make_image(disk, size, chunk);
	uint64_t length = lseek(fd, 0, SEEK_END);
	uint8_t after[100];

	check(try_image(fd, length, disk, size) == GOOD,
	      "%llu bytes in chunks of %u", (unsigned long long)size, chunk);
	/* On a partition, other data follows the image. */
	memset(after, 0x1f, sizeof(after));
	if (whole_pwrite(fd, after, sizeof(after), length))
		abort();
	check(try_image(fd, length + sizeof(after), disk, size) == GOOD,
	      "the same with something behind it");
	close(fd);
	free(disk);
}

/* The index has a page, a page and one entry, two pages less one entry ... */
static void test_pages(uint64_t chunks)
{
	uint64_t size = chunks * IMAGE_CHUNK_STEP - 5;
	uint8_t *disk = make_disk(size, 3 * IMAGE_CHUNK_STEP);
	int fd = make_image(disk, size, IMAGE_CHUNK_STEP);
	uint64_t length = lseek(fd, 0, SEEK_END);
	struct image image;

	check(!image_open(&image, fd, "image", length, &how) &&
	      image.chunks == chunks &&
	      image.index_size == chunks * 4 + 50 * ((chunks + 1023) / 1024),
	      "%llu chunks have their index", (unsigned long long)chunks);
	check(read_beside(&image, disk, size) == GOOD, "and are read by it");
	image_release(&image);
	close(fd);
	free(disk);
}

/* A few chunks with data in a disk of zeroes. */
static void test_large_index(void)
{
	uint64_t chunks = 70 * IMAGE_PAGE_CHUNKS + 17;
	uint64_t size = chunks * IMAGE_CHUNK_STEP;
	uint8_t *disk = calloc(1, size);
	struct image image;
	uint64_t zeroes;
	int fd;

	if (!disk)
		abort();
	for (uint64_t i = 0; i < chunks; i += 1000)
		memcpy(disk + i * IMAGE_CHUNK_STEP, &i, sizeof(i));
	fd = make_image(disk, size, IMAGE_CHUNK_STEP);
	zeroes = chunks - (chunks + 999) / 1000 + 1; /* chunk 0 has data */
	check(!image_open(&image, fd, "image", lseek(fd, 0, SEEK_END), &how) &&
	      !image.pages && image.zeroes == zeroes,
	      "a large index does not stay in memory");
	check(read_beside(&image, disk, size) == GOOD, "and is read in pieces");

	/* The index may be damaged after the image was opened. */
	if (whole_pwrite(fd, "x", 1, image.front.index_offset + 100))
		abort();
	struct image_reader reader;
	struct image_chunk chunk;

	if (image_reader_init(&reader, &image))
		abort();
	check(image_find(&reader, 5, &chunk) == -EBADMSG,
	      "a page that was damaged since is told");
	check(!image_find(&reader, size - 1, &chunk) &&
	      chunk.number == chunks - 1, "and the others still serve");
	image_reader_free(&reader);
	image_release(&image);
	close(fd);
	free(disk);
}

int main(void)
{
	static const uint64_t sizes[] = {
		0, 1, 511, 61439, 61440, 61441, 122880, 1000003,
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		test_size(sizes[i], IMAGE_CHUNK_BC);
	test_size(100000, IMAGE_CHUNK_STEP);
	test_size(200000, IMAGE_CHUNK_BC + IMAGE_CHUNK_STEP);
	test_size(2500000, IMAGE_CHUNK_MAX);
	for (uint64_t chunks = 1023; chunks <= 1025; chunks++)
		test_pages(chunks);
	test_pages(2048);
	test_pages(2049);
	test_large_index();
	return done_testing();
}
