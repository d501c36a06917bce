// SPDX-License-Identifier: GPL-2.0
/*
 * Opens and reads an image, and compares it with the truth. Reads like `ublk
 * check` and `ublk unpack`, with image_walk(), in one thread, so that every run
 * is the same.
 */
#include "tests/fuzz/lib/whole-image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/process.h"
#include "image/foreign.h"
#include "image/walk.h"
#include "lib/parallel.h"
#include "tests/fuzz/lib/harness.h"

/* Larger disks are read, but not stored for zcat. */
#define DISK_MAX (256U << 10)

#define LOOKUPS 32

/* Larger disks of gzip files are skipped. */
#define GZIP_DISK_MAX (12U << 20)

static uint8_t gzip_disk[GZIP_DISK_MAX];

const uint8_t *whole_image_disk(void)
{
	return gzip_disk;
}

int parallel_run(const struct parallel *parallel)
{
	void *item = calloc(1, parallel->item_size);
	void *worker = calloc(1, parallel->worker_size);
	int ret;

	if (!item || parallel->item_init(parallel->context, item) ||
	    !worker || parallel->worker_init(parallel->context, worker))
		abort();
	while ((ret = parallel->fetch(parallel->context, item)) > 0) {
		ret = parallel->work(parallel->context, worker, item);
		if (!ret)
			ret = parallel->finish(parallel->context, item);
		if (ret)
			break;
	}
	parallel->item_free(item);
	parallel->worker_free(worker);
	free(item);
	free(worker);
	return ret;
}

unsigned int parallel_cpus(void)
{
	return 1;
}

/* Limits the cost of opening any file of @size bytes. */
static void must_be_modest(const struct image *image, int ret, size_t size,
			   struct memory memory)
{
	if (image->format == IMAGE_OURS) {
		must(memory.peak <= IMAGE_INDEX_RESIDENT + 4096,
		     "the index of ours takes no more than it may: %lld",
		     (long long)memory.peak);
		must(backing_bytes() <= size + IMAGE_FOREIGN_HEAD,
		     "ours is read once");
	} else if (image->format == IMAGE_GZIP) {
		must(memory.peak <= (int64_t)size * 32 + (5 << 18),
		     "the points of a gzip take little: %lld",
		     (long long)memory.peak);
		must(backing_bytes() <= size * 64 + 65536,
		     "and it is read once: %llu of %zu",
		     (unsigned long long)backing_bytes(), size);
	} else {
		/*
		 * A block has at least 26 bytes, and during the growth of an
		 * array its memory exists one and a half times.
		 */
		must(memory.peak <= (int64_t)size * 3 + (200 << 10),
		     "BGZF's index is smaller than its file: %lld of %zu",
		     (long long)memory.peak, size);
		must(backing_bytes() <= size * 4 + 16384,
		     "BGZF is read few times: %llu of %zu",
		     (unsigned long long)backing_bytes(), size);
	}
	if (ret)
		must(!memory.live, "a refused image leaves no memory taken");
	else
		must(memory.live <= (int64_t)image->index_size + 256,
		     "an open image takes its index and no more: %lld",
		     (long long)memory.live);
}

bool whole_image_is_ours(const uint8_t *data, size_t size)
{
	return size >= 14 && !memcmp(data, "\x1f\x8b\x08", 3) && data[3] & 4 &&
	       (data[12] == 'U' || data[13] == 'B');
}

/*
 * A block whose length differs from both neighbours was expanded, unless it is
 * the last one. (A length that is wrong twice in a row is not noticed.)
 */
static void must_be_certain(const uint8_t *data,
			    const struct truth_image *truth)
{
	static uint8_t contents[MEMBER_BGZF_MAX];
	const struct truth_chunk *chunk = truth->chunks;
	bool strict;

	for (uint64_t i = 0; i + 1 < truth->count; i++, chunk++)
		if ((!i || chunk[-1].disk_length != chunk->disk_length) &&
		    chunk[1].disk_length != chunk->disk_length)
			must(truth_whole(data + chunk->file_offset,
					 chunk->file_length, contents,
					 chunk->disk_length, &strict),
			     "a length that is nobody else's is true");
}

static void must_be_bgzf(const struct image *image, const uint8_t *data,
			 size_t size, struct truth_image *truth)
{
	uint64_t entries;

	must(image->file_size <= size, "an image ends in its file");
	must(truth_bgzf(data, image->file_size, truth),
	     "a BGZF file is all blocks");
	entries = truth->count * 4 +
		  (truth->count / 128 + truth->empty + 1) * 24;
	must(image->index_size <= entries,
	     "some 4.2 bytes for a block: %llu for %llu",
	     (unsigned long long)image->index_size,
	     (unsigned long long)truth->count);
	must_be_certain(data, truth);
}

/* The chunks, except for their place in the file. */
static void cut_sections(struct truth_image *truth, const uint8_t *disk)
{
	truth->count = (truth->disk_size + WHOLE_IMAGE_SECTION - 1) /
		       WHOLE_IMAGE_SECTION;
	truth->chunks = calloc(truth->count + 1, sizeof(*truth->chunks));
	if (!truth->chunks)
		abort();
	for (uint64_t i = 0; i < truth->count; i++) {
		struct truth_chunk *chunk = &truth->chunks[i];
		uint64_t rest;

		chunk->disk_offset = i * WHOLE_IMAGE_SECTION;
		rest = truth->disk_size - chunk->disk_offset;
		chunk->disk_length = rest < WHOLE_IMAGE_SECTION ? rest :
				     WHOLE_IMAGE_SECTION;
		chunk->zero = image_all_zero(disk + chunk->disk_offset,
					     chunk->disk_length);
	}
}

/* A gzip file is accepted exactly if zcat accepts it. */
static void must_be_gzip(const struct image *image, const uint8_t *data,
			 size_t size, int ret, struct truth_image *truth)
{
	size_t made, used;
	bool good = truth_gzip(data, size, gzip_disk, sizeof(gzip_disk), &made,
			       &used);

	must(good == !ret || made > GZIP_DISK_MAX / 2,
	     "a gzip is accepted just when it is right: %d", ret);
	if (ret || !good)
		return;
	must(image->disk_size == made && image->file_size == used,
	     "its sizes are as they are");
	truth->disk_size = made;
	truth->file_size = used;
	cut_sections(truth, gzip_disk);
}

bool whole_image_open(struct image *image, const uint8_t *data, size_t size,
		      struct truth_image *truth)
{
	const struct image_options options = {
		.section = WHOLE_IMAGE_SECTION,
	};
	unsigned int told;
	bool warned;
	int ret;

	backing_set(data, size);
	messages_told();
	memset(truth, 0, sizeof(*truth));
	memory_start();
	ret = image_open(image, BACKING_FD, "image", size, &options);
	must_be_modest(image, ret, size, memory_stop());
	told = messages_told();
	must(!ret || ret == -EBADMSG || ret == -EINVAL, "no other error: %d",
	     ret);
	if (whole_image_is_ours(data, size) &&
	    !(image->format == IMAGE_GZIP && truth_goes_on(data, size)))
		must(truth_ours(data, size, truth) == !ret,
		     "ours is accepted just when it is right: %d", ret);
	else if (image->format == IMAGE_GZIP)
		must_be_gzip(image, data, size, ret, truth);
	else if (!ret)
		must_be_bgzf(image, data, size, truth);
	warned = !ret && image->format == IMAGE_BGZF && !truth->ended;
	must(told == (ret ? 1 : warned),
	     "one message for a refusal, or a warning: %u, %d", told, ret);
	if (ret) {
		truth_free(truth);
		return false;
	}
	must(image->disk_size == truth->disk_size &&
	     image->file_size == truth->file_size &&
	     image->chunks == truth->count, "sizes are as they are");
	return true;
}

/* What was read so far, and the truth. */
struct reading {
	const struct image *image;
	const uint8_t *data;
	const struct truth_image *truth;
	uint64_t count;
	bool damaged;
	bool lenient;		/* zlib refuses a chunk of it */
	uint8_t *expected;
	uint8_t *disk;		/* NULL if it is too large */
};

static bool same_chunk(const struct image *image,
		       const struct image_chunk *chunk,
		       const struct truth_chunk *truth, uint64_t number)
{
	if (image->format == IMAGE_GZIP)
		return chunk->number == number &&
		       chunk->disk_offset == truth->disk_offset &&
		       chunk->disk_length == truth->disk_length &&
		       chunk->zero == truth->zero &&
		       chunk->file_offset + chunk->file_length <=
		       image->file_size;
	return chunk->number == number &&
	       chunk->disk_offset == truth->disk_offset &&
	       chunk->file_offset == truth->file_offset &&
	       chunk->disk_length == truth->disk_length &&
	       chunk->file_length == truth->file_length &&
	       chunk->zero == truth->zero;
}

/*
 * Returns whether the chunk can be read, and its contents in
 * @reading->expected.
 */
static bool expect(struct reading *reading, const struct truth_chunk *chunk)
{
	const uint8_t *data = reading->data + chunk->file_offset;
	const struct image *image = reading->image;
	size_t block = 0;
	bool strict;

	if (image->format == IMAGE_GZIP) {
		memcpy(reading->expected, gzip_disk + chunk->disk_offset,
		       chunk->disk_length);
		return true;
	}
	if (image->format != IMAGE_OURS &&
	    !truth_bgzf_header(data, chunk->file_length, &block))
		return false;
	if (image->format == IMAGE_OURS &&
	    !truth_our_header(data, chunk->file_length,
			      reading->truth->chunk_size <= 61440))
		return false;
	if (!truth_whole(data, chunk->file_length, reading->expected,
			 chunk->disk_length, &strict))
		return false;
	reading->lenient |= !strict;
	for (size_t i = 0; chunk->zero && i < chunk->disk_length; i++)
		if (reading->expected[i])
			return false;
	return true;
}

static int finish(void *context, struct image_walk_item *item)
{
	struct reading *reading = context;
	const struct truth_chunk *chunk =
		&reading->truth->chunks[reading->count];
	char text[IMAGE_DAMAGE_TEXT];
	bool good;

	must(reading->count < reading->truth->count &&
	     same_chunk(reading->image, &item->chunk, chunk,
			reading->count),
	     "a chunk is where it is");
	must(chunk->disk_length <= reading->image->chunk_max &&
	     chunk->file_length <= reading->image->member_max,
	     "no chunk is larger than the largest");
	good = expect(reading, chunk);
	must(good == !item->damage, "a chunk is good just when it is: %s",
	     item->damage ? item->damage : "good");
	if (good)
		must(!memcmp(item->data, reading->expected, chunk->disk_length),
		     "a good chunk holds what it holds");
	else
		image_damage_text(&item->chunk, item->damage, text);
	if (good && reading->disk)
		memcpy(reading->disk + chunk->disk_offset, item->data,
		       chunk->disk_length);
	reading->damaged |= !good;
	reading->count++;
	return 0;
}

/* All chunks are valid, so the disk must be what zcat prints. */
static void must_be_zcat(const struct reading *reading)
{
	static uint8_t disk[DISK_MAX];
	const struct image *image = reading->image;
	size_t made;

	must(truth_zcat(reading->data, image->file_size, disk, sizeof(disk),
			&made), "zcat expands a good image");
	must(made == image->disk_size && !memcmp(disk, reading->disk, made),
	     "zcat gives back the disk");
}

/* Finds chunks in any order, by any of their bytes. */
static void look_up(const struct image *image, const struct truth_image *truth)
{
	uint32_t state = truth->file_size * 2654435761U | 1;
	struct image_reader reader;
	struct image_chunk chunk;
	struct memory memory;

	memory_start();
	if (image_reader_init(&reader, image))
		abort();
	memory = memory_stop();
	must(memory.live <= (image->format == IMAGE_GZIP ?
			     READER_GZIP_MEMORY : READER_MEMORY),
	     "a reader takes little: %lld",
	     (long long)memory.live);
	for (int i = 0; i < LOOKUPS; i++) {
		uint64_t number = next_random(&state) % truth->count;
		const struct truth_chunk *right = &truth->chunks[number];

		must(!image_find(&reader, right->disk_offset +
				 next_random(&state) % right->disk_length,
				 &chunk) &&
		     same_chunk(image, &chunk, right, number),
		     "a chunk is found by each of its bytes");
	}
	image_reader_free(&reader);
}

static void read_all(const struct image *image, const uint8_t *data,
		     const struct truth_image *truth)
{
	static uint8_t disk[DISK_MAX], expected[IMAGE_CHUNK_MAX];
	struct reading reading = {
		.image = image,
		.data = data,
		.truth = truth,
		.expected = expected,
		.disk = image->disk_size <= DISK_MAX ? disk : NULL,
	};
	struct image_walk walk = {
		.image = image,
		.jobs = 1,
		.context = &reading,
		.finish = finish,
	};

	if (truth->count)
		look_up(image, truth);
	must(!image_walk(&walk) && !messages_told(),
	     "all of an open image is read");
	must(reading.count == truth->count, "and no chunk left out");
	if (!reading.damaged && !reading.lenient && reading.disk)
		must_be_zcat(&reading);
}

void whole_image_read(const uint8_t *data, size_t size)
{
	struct truth_image truth;
	struct image image;

	if (!whole_image_open(&image, data, size, &truth))
		return;
	read_all(&image, data, &truth);
	image_release(&image);
	truth_free(&truth);
}
