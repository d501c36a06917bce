// SPDX-License-Identifier: GPL-2.0
/*
 * Gzip files that were not made for random access: every kind of block, header
 * and member, with restart points at any place; and the index file that stores
 * the points.
 */
#include "image/restart.h"
#include "tests/unit/image-test.h"

enum flags {
	CRC = 2,
	EXTRA = 4,
	NAME = 8,
	COMMENT = 16,
};

/*
 * Appends a header with the fields that @flags name, and a NAME of @length
 * bytes.
 */
static void add_header(int fd, uint8_t flags, size_t length)
{
	static uint8_t header[300000];
	size_t at = 10;

	memcpy(header, "\x1f\x8b\x08\0\1\2\3\4\0\3", at);
	header[3] = flags;
	if (flags & EXTRA) {
		memcpy(header + at, "\x09\0XY\5\0\1\2\0\4\5", 11);
		at += 11;
	}
	if (flags & NAME) {
		memset(header + at, 'n', length);
		header[at + length] = 0;
		at += length + 1;
	}
	if (flags & COMMENT) {
		memcpy(header + at, "why", 4);
		at += 4;
	}
	if (flags & CRC) {
		put_le16(header + at, crc32(0, header, at));
		at += 2;
	}
	if (whole_write(fd, header, at))
		abort();
}

struct how {
	int level, strategy;
	int flush;		/* after every @every bytes */
	size_t every;
};

/* Appends the deflate stream and the trailer of @length bytes. */
static void add_stream(int fd, const uint8_t *data, size_t length,
		       const struct how *made)
{
	size_t room = 2 * length + 1000 + (made->every ? length /
					   made->every * 40 : 0);
	uint8_t *to = malloc(room), trailer[8];
	z_stream stream = { };

	if (!to || deflateInit2(&stream, made->level, Z_DEFLATED, -15, 9,
				made->strategy))
		abort();
	stream.next_out = to;
	stream.avail_out = room;
	for (size_t at = 0; made->every && at < length; at += made->every) {
		stream.next_in = (z_const Bytef *)(uintptr_t)(data + at);
		stream.avail_in = length - at < made->every ? length - at :
				  made->every;
		if (deflate(&stream, made->flush) < 0)
			abort();
	}
	if (!made->every) {
		stream.next_in = (z_const Bytef *)(uintptr_t)data;
		stream.avail_in = length;
	}
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	put_le32(trailer, crc32(0, data, length));
	put_le32(trailer + 4, length);
	if (whole_write(fd, to, room - stream.avail_out) ||
	    whole_write(fd, trailer, sizeof(trailer)))
		abort();
	deflateEnd(&stream);
	free(to);
}

static void add_member(int fd, const uint8_t *data, size_t length)
{
	static const struct how plain = { .level = 6 };

	add_header(fd, 0, 0);
	add_stream(fd, data, length, &plain);
}

/* With restart points at many distances, some near the size of a window. */
static void expect(int fd, const uint8_t *disk, uint64_t size,
		   enum outcome outcome, const char *what)
{
	static const uint32_t sections[] = {
		1001, 5000, 32768, 40001, 1 << 20,
	};
	uint64_t length = lseek(fd, 0, SEEK_END);
	unsigned int count = 0;

	for (unsigned int i = 0; i < 5; i++) {
		struct image_options options = { .section = sections[i] };
		enum outcome seen = REFUSED;
		struct image image;

		if (!image_open(&image, fd, "image", length, &options)) {
			seen = read_beside(&image, disk, size);
			if (seen == GOOD && image.disk_size != size)
				seen = WRONG;
			image_release(&image);
		}
		count += seen == outcome;
	}
	check(count == 5, "%s", what);
	close(fd);
}

static void test_blocks(const uint8_t *disk, uint64_t size)
{
	static const struct {
		struct how how;
		const char *what;
	} kinds[] = {
		{ { .level = 1 }, "level 1" },
		{ { .level = 6 }, "level 6" },
		{ { .level = 9 }, "level 9" },
		{ { .level = 0 }, "stored blocks" },
		{ { .level = 6, .strategy = Z_FIXED }, "fixed codes" },
		{ { .level = 6, .strategy = Z_HUFFMAN_ONLY }, "no matches" },
		{ { .level = 6, .strategy = Z_RLE }, "runs" },
		{ { .level = 6, .flush = Z_SYNC_FLUSH, .every = 999 },
		  "empty stored blocks" },
		{ { .level = 6, .flush = Z_FULL_FLUSH, .every = 5000 },
		  "windows that begin anew" },
		{ { .level = 6, .flush = Z_PARTIAL_FLUSH, .every = 100 },
		  "empty fixed blocks" },
		{ { .level = 6, .flush = Z_BLOCK, .every = 1001 },
		  "blocks that end inside of a byte" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int fd = new_file("", 0);

		add_header(fd, 0, 0);
		add_stream(fd, disk, size, &kinds[i].how);
		expect(fd, disk, size, GOOD, kinds[i].what);
	}
}

static void test_headers(const uint8_t *disk, uint64_t size)
{
	static const struct how plain = { .level = 6 };
	char what[60];
	int fd;

	for (unsigned int flags = 0; flags < 32; flags += 2) {
		fd = new_file("", 0);
		add_header(fd, flags, 20);
		add_stream(fd, disk, size / 2, &plain);
		add_header(fd, flags, 300);
		add_stream(fd, disk + size / 2, size - size / 2, &plain);
		snprintf(what, sizeof(what), "headers with flags %u", flags);
		expect(fd, disk, size, GOOD, what);
	}
	fd = new_file("", 0);
	add_header(fd, NAME, 100000);
	add_stream(fd, disk, size, &plain);
	expect(fd, disk, size, GOOD, "a very long name");

	fd = new_file("", 0);
	add_header(fd, NAME, 200000);
	add_stream(fd, disk, size, &plain);
	expect(fd, disk, size, REFUSED, "a name without end");

	fd = new_file("", 0);
	add_header(fd, CRC, 0);
	if (whole_pwrite(fd, "x", 1, 4))
		abort();
	add_stream(fd, disk, size, &plain);
	expect(fd, disk, size, REFUSED, "a header with a wrong checksum");

	fd = new_file("", 0);
	add_header(fd, 0, 0);
	if (whole_pwrite(fd, "\x20", 1, 3))
		abort();
	add_stream(fd, disk, size, &plain);
	expect(fd, disk, size, REFUSED, "a header with an unknown flag");
}

static void test_members(const uint8_t *disk, uint64_t size)
{
	uint32_t state = 777;
	int fd = new_file("", 0);

	for (uint64_t at = 0, length; at < size; at += length) {
		length = next_random(&state) % 9000;
		if (length > size - at)
			length = size - at;
		add_member(fd, disk + at, length);
		if (next_random(&state) % 4 == 0)
			add_member(fd, NULL, 0);
	}
	add_member(fd, NULL, 0);
	expect(fd, disk, size, GOOD, "members of any length, empty ones too");

	fd = new_file("", 0);
	for (uint64_t at = 0; at < 40000; at += 5000)
		add_member(fd, disk + at, 5000);
	expect(fd, disk, 40000, GOOD, "members that end where sections do");

	fd = new_file("", 0);
	add_member(fd, NULL, 0);
	add_member(fd, NULL, 0);
	expect(fd, disk, 0, GOOD, "a disk of no bytes");

	fd = new_file("", 0);
	add_member(fd, disk, 1);
	expect(fd, disk, 1, GOOD, "a disk of a byte");
}

static void test_ends(const uint8_t *disk, uint64_t size)
{
	static const char *const behind[] = {
		"", "garbage", "\x1f is not enough", "\xff\xff\xff\xff",
	};
	uint8_t zeroes[5000] = { };
	int fd;

	for (unsigned int i = 0; i < 4; i++) {
		fd = new_file("", 0);
		add_member(fd, disk, size);
		if (whole_write(fd, behind[i], strlen(behind[i])) ||
		    whole_write(fd, zeroes, sizeof(zeroes)))
			abort();
		expect(fd, disk, size, GOOD, "something behind the end");
	}
	fd = new_file("", 0);
	add_member(fd, disk, size);
	if (whole_write(fd, "\x1f\x8b\x09", 3))
		abort();
	expect(fd, disk, size, REFUSED, "what was a member behind the end");

	fd = new_file("", 0);
	add_member(fd, disk, size);
	if (whole_pwrite(fd, zeroes, 1, lseek(fd, 0, SEEK_END) - 8))
		abort();
	expect(fd, disk, size, REFUSED, "a wrong checksum");

	fd = new_file("", 0);
	add_member(fd, disk, size);
	if (whole_pwrite(fd, zeroes, 1, lseek(fd, 0, SEEK_END) - 4))
		abort();
	expect(fd, disk, size, REFUSED, "a wrong length");
}

/* A large file with hardly any data, as an attacker may make one. */
static void test_sparse(const uint8_t *disk)
{
	const struct image_options options = { .section = 1000 };
	struct image image;
	int fd = new_file("", 0);

	for (int i = 0; i < 1500; i++)
		add_member(fd, disk + i, 1);
	check(image_open(&image, fd, "image", lseek(fd, 0, SEEK_END),
			 &options) == -EINVAL,
	      "a file that holds too little is refused");
	close(fd);
}

/* Points are merged when there are too many. */
static void test_memory(void)
{
	static const struct how fast = { .level = 1 };
	const struct image_options options = { .section = 4096 };
	uint64_t size = 24 << 20;
	uint8_t *disk = make_disk(size, (3 << 20) + 5000);
	struct image image;
	int fd = new_file("", 0);
	bool opened;

	add_header(fd, 0, 0);
	add_stream(fd, disk, size, &fast);
	opened = !image_open(&image, fd, "image", lseek(fd, 0, SEEK_END),
			     &options);
	check(opened && image.index_size <= RESTART_MEMORY + 40000 &&
	      image.chunk_max > 4096, "too many points are joined: %u apart, "
	      "%u KiB", image.chunk_max, (unsigned int)image.index_size / 1024);
	check(opened && image.disk_size == size &&
	      read_beside(&image, disk, size) == GOOD,
	      "and the disk is what it was");
	image_release(&image);
	close(fd);
	free(disk);
}

static uint8_t *slurp_path(const char *path, size_t *length)
{
	int fd = open(path, O_RDONLY);
	uint8_t *data = slurp(fd, length);

	close(fd);
	return data;
}

static void write_path(const char *path, const void *data, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || whole_write(fd, data, length))
		abort();
	close(fd);
}

/* Returns the outcome with the existing index file. */
static enum outcome try_index(int fd, const char *path, const uint8_t *disk,
			      uint64_t size)
{
	const struct image_options options = { .section = RESTART_SECTION_MIN,
					       .index = path };
	enum outcome outcome = REFUSED;
	struct image image;

	if (image_open(&image, fd, "image", lseek(fd, 0, SEEK_END), &options))
		return REFUSED;
	outcome = read_beside(&image, disk, size);
	if (outcome == GOOD && image.disk_size != size)
		outcome = WRONG;
	image_release(&image);
	return outcome;
}

/* Disks that need no window, or are smaller than a section. */
static void test_small_index(const uint8_t *disk, uint64_t size)
{
	char path[] = "/tmp/image-gzip.XXXXXX";
	int fd = new_file("", 0);

	close(mkstemp(path));
	add_member(fd, disk, size);
	check(try_index(fd, path, disk, size) == GOOD &&
	      try_index(fd, path, disk, size) == GOOD,
	      "an index of %u bytes, made and used", (unsigned int)size);
	unlink(path);
	close(fd);
}

static void test_index(const uint8_t *disk, uint64_t size)
{
	char directory[] = "/tmp/image-gzip.XXXXXX", path[100];
	unsigned int accepted = 0, wrong = 0;
	uint8_t *file, *again, *other;
	size_t length, same;
	int fd = new_file("", 0), changed;
	const struct source source = source_of(fd);
	struct restart_index index;

	if (!mkdtemp(directory))
		abort();
	snprintf(path, sizeof(path), "%s/index", directory);
	add_member(fd, disk, size / 2);
	add_member(fd, disk + size / 2, size - size / 2);
	check(try_index(fd, path, disk, size) == GOOD, "an index is made");
	file = slurp_path(path, &length);
	check(try_index(fd, path, disk, size) == GOOD, "and used again");
	again = slurp_path(path, &same);
	check(length == same && !memcmp(file, again, length),
	      "without a change to it");
	for (size_t at = 0; at < length; at += at < 400 ? 1 : 997) {
		again[at] ^= 1 << at % 8;
		write_path(path, again, length);
		again[at] ^= 1 << at % 8;
		accepted += try_index(fd, path, disk, size) != REFUSED;
	}
	check(!accepted, "a changed bit is refused");
	for (size_t cut = 1; cut < length; cut += cut < 100 ? 1 : 997) {
		write_path(path, file, cut);
		accepted += try_index(fd, path, disk, size) != REFUSED;
	}
	check(!accepted, "and each length it is cut to");

	/* Nonsensical numbers with correct checksums. */
	for (size_t i = 0; i < 1500; i++) {
		uint32_t state = i * 7919 + 1;
		/* In the front only, or also in the entries. */
		size_t at = 8 + next_random(&state) % (i % 2 ? 32 : 144);
		enum outcome outcome;

		memcpy(again, file, length);
		again[at] = next_random(&state);
		put_le32(again + 40, crc32(0, again + 48, length - 48));
		put_le32(again + 44, crc32(0, again, 44));
		write_path(path, again, length);
		outcome = try_index(fd, path, disk, size);
		wrong += outcome == WRONG;
	}
	check(!wrong, "a hostile one does no harm (%u)", wrong);

	/* Together with the trailer's bytes there are 4. */
	memcpy(again, file, length);
	put_le32(again + 48 + 12, 0xfffffffc);
	put_le32(again + 40, crc32(0, again + 48, length - 48));
	put_le32(again + 44, crc32(0, again, 44));
	write_path(path, again, length);
	check(restart_load(&index, &source, "image",
			   lseek(fd, 0, SEEK_END), path) == -EBADMSG, "a trailer behind 4 GiB makes no sense");
	restart_free(&index);

	write_path(path, file, length);
	changed = new_file("", 0);
	other = malloc(size);
	memcpy(other, disk, size);
	other[size / 4] ^= 1;
	add_member(changed, other, size / 2);
	add_member(changed, other + size / 2, size - size / 2);
	check(try_index(changed, path, other, size) == REFUSED,
	      "another file is refused");
	add_member(fd, disk, 1000);
	check(try_index(fd, path, disk, size) == REFUSED,
	      "so is one with a member more");
	unlink(path);
	rmdir(directory);
	free(file);
	free(again);
	free(other);
	close(changed);
	close(fd);
}

int main(void)
{
	uint64_t size = 300007;
	uint8_t *disk = make_disk(size, 7000);

	be_quiet();
	test_blocks(disk, size);
	test_headers(disk, size);
	test_members(disk, size);
	test_ends(disk, size);
	test_sparse(disk);
	test_memory();
	test_index(disk, size);
	test_small_index(disk, 0);
	test_small_index(disk, 1000);
	free(disk);
	return done_testing();
}
