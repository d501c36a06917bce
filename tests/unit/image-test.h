/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the unit tests of images: TAP, data that compresses in several
 * ways, images in memory, and a function that reads a whole image and compares
 * it.
 */
#ifndef TESTS_UNIT_IMAGE_TEST_H
#define TESTS_UNIT_IMAGE_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/image.h"
#include "image/write.h"
#include "lib/little-endian.h"
#include "lib/whole-io.h"

static int checks, failures;

__attribute__((format(printf, 2, 3)))
static inline void check(bool good, const char *claim, ...)
{
	va_list args;

	failures += !good;
	printf("%sok %d - ", good ? "" : "not ", ++checks);
	va_start(args, claim);
	vprintf(claim, args);
	va_end(args);
	printf("\n");
}

static inline int done_testing(void)
{
	printf("1..%d\n", checks);
	return failures != 0;
}

/*
 * Drops the messages about thousands of damaged images, but not those of a
 * sanitizer.
 */
static inline void be_quiet(void)
{
	intptr_t reports = dup(STDERR_FILENO);
	int fd = open("/dev/null", O_WRONLY);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		abort();
	close(fd);
	__sanitizer_set_report_fd((void *)reports);
}

/* The same numbers on every run. */
static inline uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/*
 * A disk of text, random data and zeroes in turn, of about @stride bytes each.
 */
static inline uint8_t *make_disk(size_t size, size_t stride)
{
	uint8_t *disk = calloc(1, size + 1);
	uint32_t state = 2463534242;

	if (!disk)
		abort();
	for (size_t i = 0; i < size; i++)
		switch (i / stride % 3) {
		case 0:
			disk[i] = "zimg unit test\n"[i % 15] + i / 5000 % 3;
			break;
		case 1:
			disk[i] = next_random(&state);
			break;
		}
	return disk;
}

static inline int new_file(const void *data, size_t length)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || whole_write(fd, data, length))
		abort();
	return fd;
}

/* Makes our image of @size bytes at @disk. Returns its descriptor. */
static inline int make_image(const uint8_t *disk, uint64_t size,
			     uint32_t chunk)
{
	uint8_t *member = malloc(member_bound(chunk));
	struct image_writer writer;
	struct deflater deflater;
	int fd = new_file("", 0);

	if (!member || deflater_init(&deflater, 9))
		abort();
	image_writer_start(&writer, fd, chunk);
	for (uint64_t at = 0; at < size; at += chunk) {
		uint32_t length = size - at < chunk ? size - at : chunk;
		size_t n = member_deflate(&deflater, disk + at, length,
					  chunk <= IMAGE_CHUNK_BC, member);

		if (image_writer_add(&writer, member, n, length,
				     image_all_zero(disk + at, length)))
			abort();
	}
	if (image_writer_finish(&writer))
		abort();
	image_writer_free(&writer);
	deflater_free(&deflater);
	free(member);
	return fd;
}

/* Returns all bytes of a file; the caller frees them. */
static inline uint8_t *slurp(int fd, size_t *length)
{
	uint8_t *data;

	*length = lseek(fd, 0, SEEK_END);
	data = malloc(*length + 1);
	if (!data || whole_pread(fd, data, *length, 0))
		abort();
	return data;
}

/* Appends a member like gzip's, without an extra field. */
static inline void add_gzip(int fd, const uint8_t *data, uint32_t length)
{
	uint8_t *member = malloc(member_bound(length));
	struct deflater deflater;
	size_t n;

	if (!member || deflater_init(&deflater, 6))
		abort();
	n = member_deflate(&deflater, data, length, false, member);
	if (whole_write(fd, member, n))
		abort();
	deflater_free(&deflater);
	free(member);
}

/* Small sections, so that a gzip file that is not ours has many. */
static const struct image_options how = { .section = 5000 };

/* The outcome of opening and reading an image. */
enum outcome {
	REFUSED,	/* when opened, or the disk's size is wrong */
	DAMAGED,	/* one or more chunks; the others are correct */
	GOOD,
	WRONG,		/* wrong data without an error */
};

/* Reads all of @image, and compares it with @size bytes at @disk. */
static inline enum outcome read_beside(const struct image *image,
				       const uint8_t *disk, uint64_t size)
{
	uint8_t *member = malloc(image->member_max + 1);
	uint8_t *data = malloc(image->chunk_max + 1);
	enum outcome outcome = GOOD;
	struct image_reader reader;
	struct image_chunk chunk;

	if (!member || !data || image_reader_init(&reader, image))
		abort();
	for (uint64_t at = 0; at < image->disk_size && outcome != WRONG;
	     at = chunk.disk_offset + chunk.disk_length) {
		if (image_find(&reader, at, &chunk) ||
		    chunk.disk_offset != at || !chunk.disk_length ||
		    chunk.disk_length > image->chunk_max ||
		    chunk.file_length > image->member_max)
			outcome = WRONG;
		else if (image_read(&reader, &chunk, member, data))
			outcome = DAMAGED;
		else if (at + chunk.disk_length > size ||
			 memcmp(data, disk + at, chunk.disk_length))
			outcome = WRONG;
	}
	image_reader_free(&reader);
	free(member);
	free(data);
	return outcome;
}

/* Opens and reads the image in the first @available bytes of @fd. */
static inline enum outcome try_image(int fd, uint64_t available,
				     const uint8_t *disk, uint64_t size)
{
	enum outcome outcome;
	struct image image;

	if (image_open(&image, fd, "image", available, &how))
		return REFUSED;
	outcome = read_beside(&image, disk, size);
	if (outcome == GOOD && image.disk_size != size)
		outcome = WRONG;
	image_release(&image);
	return outcome;
}

/* Appends a BGZF block of @length bytes; 0: the end marker. */
static inline void add_bgzf(int fd, const uint8_t *data, uint32_t length)
{
	uint8_t *member = malloc(member_bound(length + 2));
	struct deflater deflater;
	size_t n = MEMBER_EOF;

	if (!member || deflater_init(&deflater, 6))
		abort();
	if (length)
		n = member_deflate(&deflater, data, length, true, member);
	else
		memcpy(member, member_eof, n);
	if (whole_write(fd, member, n))
		abort();
	deflater_free(&deflater);
	free(member);
}

#endif
