// SPDX-License-Identifier: GPL-2.0
/*
 * An index too large to stay in memory, read page by page, from a backing store
 * that changes under the reader: before and after the image is opened, by
 * chance or by an attacker who corrects the checksums. A damaged page must not
 * be used, and no page may lead out of the data.
 *
 * The image is always the same. The input is a list of steps of eight bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/image.h"
#include "image/write.h"
#include "lib/little-endian.h"
#include "lib/whole-io.h"
#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/truth.h"
#include "tests/fuzz/lib/whole-image.h"

#define PAGES 66
#define CHUNKS (65 * IMAGE_PAGE_CHUNKS + 5)
#define CHUNK IMAGE_CHUNK_STEP
#define STEPS_MAX 64

/* A byte that was changed, and its old value. */
struct change {
	size_t at;
	uint8_t old;
};

static uint8_t *file;
static size_t file_size;
static struct truth_image untouched;
static struct change changes[STEPS_MAX * (IMAGE_PAGE_MAX + 16)];
static size_t change_count;

/* State of one run. */
static struct image image;
static struct image_reader reader;
static struct truth_image truth;	/* when it was opened ... */
static bool changed;			/* ... when it was not `untouched` */
static bool opened;
static bool rewritten[PAGES];	/* since then, with a valid checksum */

/* Makes the contents of chunk @number. */
static void make_contents(uint64_t number, uint8_t *to)
{
	for (size_t i = 0; i < CHUNK; i++)
		to[i] = number % 3 == 1 ? 0 : i % (number % 3 ? 50 : 100);
}

/* Writes the image, with three kinds of members, to an unlinked file. */
static int make_image(void)
{
	static uint8_t members[3][256], contents[CHUNK];
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct image_writer writer;
	struct deflater deflater;
	size_t sizes[3];

	if (fd < 0 || deflater_init(&deflater, 9))
		abort();
	for (int i = 0; i < 3; i++) {
		make_contents(i, contents);
		sizes[i] = member_deflate(&deflater, contents, CHUNK, true,
					  members[i]);
	}
	deflater_free(&deflater);
	image_writer_start(&writer, fd, CHUNK);
	for (uint64_t i = 0; i < CHUNKS; i++)
		if (image_writer_add(&writer, members[i % 3], sizes[i % 3],
				     CHUNK, i % 3 == 1))
			abort();
	if (image_writer_finish(&writer))
		abort();
	image_writer_free(&writer);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = make_image();

	(void)argc;
	(void)argv;
	file_size = lseek(fd, 0, SEEK_END);
	file = mmap(NULL, file_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		    0);
	if (file == MAP_FAILED || !truth_ours(file, file_size, &untouched))
		abort();
	close(fd);
	must(untouched.count == CHUNKS && untouched.file_size == file_size,
	     "the image that all begins with is right");
	return 0;
}

static void change_byte(size_t at, uint8_t value)
{
	changes[change_count++] = (struct change){ at, file[at] };
	file[at] = value;
}

static void change_word(size_t at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		change_byte(at + i, value >> 8 * i);
}

static size_t page_at(unsigned int page)
{
	return untouched.index + (size_t)page * IMAGE_PAGE_MAX;
}

static uint32_t page_count(unsigned int page)
{
	return page == PAGES - 1 ? CHUNKS % IMAGE_PAGE_CHUNKS :
				   IMAGE_PAGE_CHUNKS;
}

static void sign_page(unsigned int page)
{
	size_t at = page_at(page) + MEMBER_PRIVATE;
	size_t crc = IMAGE_PAGE_FIELDS(page_count(page)) - 4;

	change_word(at + crc, truth_crc32(file + at, crc));
	rewritten[page] = true;
}

static void copy_page(unsigned int from, unsigned int to)
{
	size_t length = IMAGE_PAGE(page_count(from > to ? from : to));

	for (size_t i = 0; i < length; i++)
		change_byte(page_at(to) + i, file[page_at(from) + i]);
}

static void change_front(size_t field, uint32_t value)
{
	static const uint8_t fields[] = { 18, 20, 24, 28, 32, 36, 40, 44, 48 };

	change_word(fields[field % sizeof(fields)], value);
	change_word(52, truth_crc32(file + 16, 36));
}

static void forget_truth(void)
{
	if (changed)
		truth_free(&truth);
}

static void open_image(void)
{
	struct memory memory;
	bool good, failed;
	int ret;

	if (opened)
		return;
	memory_start();
	ret = image_open(&image, BACKING_FD, "image", file_size,
			 &(struct image_options){ });
	memory = memory_stop();
	must(memory.peak <= IMAGE_INDEX_RESIDENT + 4096 &&
	     memory.live <= (image.pages ? IMAGE_INDEX_RESIDENT : 0),
	     "a large index is not kept: %lld", (long long)memory.live);
	failed = backing_failed();
	/* Checking this would take as long as all the rest. */
	changed = change_count;
	truth = untouched;
	good = !changed || truth_ours(file, file_size, &truth);
	must(good == !ret || failed, "it is opened just when it is right: %d",
	     ret);
	must(!ret || ret == (failed ? -EIO : -EBADMSG),
	     "the error is what is wrong: %d", ret);
	memset(rewritten, 0, sizeof(rewritten));
	if (ret) {
		forget_truth();
		return;
	}
	opened = true;
	memory_start();
	if (image_reader_init(&reader, &image))
		abort();
	memory = memory_stop();
	must(memory.live <= READER_MEMORY + IMAGE_READER_PAGES *
	     IMAGE_PAGE_MAX, "a reader keeps eight pages: %lld",
	     (long long)memory.live);
}

static bool same_chunk(const struct image_chunk *chunk,
		       const struct truth_chunk *right)
{
	return chunk->disk_offset == right->disk_offset &&
	       chunk->file_offset == right->file_offset &&
	       chunk->disk_length == right->disk_length &&
	       chunk->file_length == right->file_length &&
	       chunk->zero == right->zero;
}

/* Compares expanded data with what zlib makes of the same bytes. */
static void must_hold(const struct image_chunk *chunk, const uint8_t *data)
{
	static uint8_t expected[IMAGE_CHUNK_MAX];
	bool strict;

	must(truth_whole(file + chunk->file_offset, chunk->file_length,
			 expected, chunk->disk_length, &strict) &&
	     !memcmp(data, expected, chunk->disk_length),
	     "a good chunk holds what it holds");
}

static void read_chunk(uint64_t number)
{
	static uint8_t member[IMAGE_CHUNK_MAX + 1024], data[IMAGE_CHUNK_MAX];
	const struct truth_chunk *right;
	struct image_chunk chunk;
	struct memory memory;
	unsigned int page;
	const char *why;
	bool failed;
	int ret;

	if (!truth.count)
		return;
	number %= truth.count;
	right = &truth.chunks[number];
	page = number / IMAGE_PAGE_CHUNKS;
	memory_start();
	ret = image_find(&reader, right->disk_offset, &chunk);
	why = ret ? "" : image_read(&reader, &chunk, member, data);
	memory = memory_stop();
	must(!memory.count, "reading allocates nothing");
	failed = backing_failed();
	must(!ret || ret == (failed ? -EIO : -EBADMSG),
	     "the error is what is wrong: %d", ret);
	must(!failed || why, "a read that fails is told");
	if (ret)
		return;
	must(same_chunk(&chunk, right) || rewritten[page % PAGES],
	     "a damaged page leads nowhere");
	must(chunk.number == number &&
	     chunk.disk_length <= image.chunk_max &&
	     chunk.file_length <= image.member_max &&
	     chunk.file_offset >= IMAGE_FRONT &&
	     chunk.file_offset + chunk.file_length <= truth.index,
	     "no page leads out of the data");
	if (!why)
		must_hold(&chunk, data);
}

static void step(const uint8_t *bytes)
{
	unsigned int page = bytes[1] % PAGES;
	uint16_t at = get_le16(bytes + 2);
	uint32_t value = get_le32(bytes + 4);
	size_t fields = page_at(page) + MEMBER_PRIVATE;
	size_t entry = fields + 16 + 4 * (at % (page_count(page) + 1));

	switch (bytes[0] % 8) {
	case 0:
		open_image();
		return;
	case 1:
		change_byte(page_at(page) + at % IMAGE_PAGE(page_count(page)),
			    value);
		return;
	case 2:
		change_word(fields + 4 * (at % 4), value);
		break;
	case 3:
		change_word(entry, value);
		break;
	case 4:
		change_word(entry, get_le32(file + entry) + (int8_t)value);
		break;
	case 5:
		copy_page(value % PAGES, page);
		if (bytes[0] < 128)
			change_word(fields + 4, page);
		break;
	case 6:
		backing_fail_after(value % (opened ? 3 : 12));
		return;
	default:
		if (opened)
			read_chunk((uint64_t)page * IMAGE_PAGE_CHUNKS + at);
		else
			change_front(at, value);
		return;
	}
	/* by an attacker; otherwise damage */
	if (bytes[0] < 192)
		sign_page(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	backing_set(file, file_size);
	opened = false;
	change_count = 0;
	for (size_t at = 0; at + 8 <= size && at < STEPS_MAX * 8; at += 8)
		step(data + at);
	if (opened) {
		image_reader_free(&reader);
		image_release(&image);
		forget_truth();
	}
	while (change_count) {
		const struct change *change = &changes[--change_count];

		file[change->at] = change->old;
	}
	return 0;
}
