// SPDX-License-Identifier: GPL-2.0
/*
 * A disk with its written blocks, read as `ublk pack --cow` does: over a file
 * and over images, with sizes around a block, in pieces of several sizes.
 */
#include "targets/cow/source.h"

#include "tests/unit/image-test.h"

/*
 * Creates the file of written blocks for @base, and writes blocks to it and to
 * @disk.
 */
static void write_over(const char *path, const struct cow_base *base,
		       uint8_t *disk, uint64_t size)
{
	struct cow_file file;
	uint8_t *map;

	if (cow_file_open(&file, path, base, size, false, -1, false))
		abort();
	map = calloc(1, file.layout.map_size);
	for (uint64_t block = 0; block < file.layout.blocks; block++) {
		uint8_t data[COW_BLOCK] = { 0 };
		uint64_t at = block * COW_BLOCK;

		if (block % 7 && block != file.layout.blocks - 1)
			continue;
		/* Every third block was discarded. */
		memset(data, block % 3 ? block : 0, sizeof(data));
		if (block % 3 &&
		    whole_pwrite(file.fd, data, sizeof(data),
				 cow_block_at(&file.layout, block)))
			abort();
		map[block / 8] |= 1 << block % 8;
		memcpy(disk + at, data,
		       size - at < COW_BLOCK ? size - at : COW_BLOCK);
	}
	if (cow_file_store(&file, map))
		abort();
	free(map);
	close(file.fd);
}

/* Reads the whole disk in pieces of @length, and compares. */
static bool reads(const char *path, int fd, uint64_t bytes, size_t length,
		  const uint8_t *disk, uint64_t size)
{
	struct disk_source below = {
		.source = source_of(fd), .name = "below", .sized = true,
		.holes = true, .size = bytes,
	};
	struct cow_source source;
	uint8_t *data;
	uint64_t at = 0;
	bool good, hole;
	ssize_t n;

	if (cow_source_open(&source, path, &below))
		return false;
	data = malloc(length);
	good = source.size == size;
	while (good && (n = cow_source_read(&source, data, length, &hole))) {
		good = n > 0 && (hole ? image_all_zero(disk + at, n) :
					!memcmp(data, disk + at, n));
		at += n > 0 ? n : 0;
	}
	cow_source_close(&source);
	free(data);
	return good && at == size;
}

static int make_base(const uint8_t *contents, uint64_t size, uint32_t chunk)
{
	return chunk ? make_image(contents, size, chunk) :
		       new_file(contents, size);
}

/*
 * @chunk is the chunk size of an image; 0: over a file, whose last bytes do not
 * fill a sector.
 */
static void test_over(uint64_t size, uint32_t chunk)
{
	static const size_t lengths[] = { 4096, 61440, 1 << 20 };
	uint64_t served = chunk ? (size + 511) / 512 * 512 : size / 512 * 512;
	char path[] = "/tmp/cow.XXXXXX";
	uint8_t *disk = calloc(1, size + 512);
	uint8_t *contents = make_disk(size, 7000);
	int fd = make_base(contents, size, chunk), other;
	uint64_t bytes = lseek(fd, 0, SEEK_END);
	struct cow_base base = { fd, 0, chunk ? bytes : served };
	bool good = true;

	memcpy(disk, contents, size);
	close(mkstemp(path));
	write_over(path, &base, disk, served);
	for (int i = 0; i < 3; i++)
		good &= reads(path, fd, bytes, lengths[i], disk, served);
	check(good, "%llu bytes over %s with chunks of %u",
	      (unsigned long long)size, chunk ? "an image" : "a file", chunk);
	contents[0]++;
	other = make_base(contents, size, chunk);
	check(!reads(path, other, lseek(other, 0, SEEK_END), 4096, disk,
		     served) &&
	      !reads("/dev/null", fd, bytes, 4096, disk, served),
	      "and what does not belong together is refused");
	close(other);
	unlink(path);
	close(fd);
	free(contents);
	free(disk);
}

int main(void)
{
	be_quiet();
	for (uint64_t size = 4096; size < 3 << 20; size = size * 3 + 700) {
		test_over(size, 0);
		test_over(size, 61440);
		test_over(size, 4096);
		test_over(size, 1 << 20);
	}
	return done_testing();
}
