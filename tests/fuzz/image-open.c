// SPDX-License-Identifier: GPL-2.0
/*
 * Opens any bytes as an image: fronts and indexes of ours, BGZF blocks, and
 * neither. Exactly what the format allows is accepted, with no more memory than
 * promised. No chunk is read.
 */
#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/mutate.h"
#include "tests/fuzz/lib/whole-image.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed)
{
	return mutate_image(data, size, max_size, seed);
}

static const struct image_options options = {
	.section = WHOLE_IMAGE_SECTION,
};

/* Returns UINT64_MAX if it is no image. */
static uint64_t disk_size_of(const uint8_t *data, size_t size)
{
	struct image image;

	backing_set(data, size);
	if (image_open(&image, BACKING_FD, "image", size, &options))
		return UINT64_MAX;
	image_release(&image);
	return image.disk_size;
}

/*
 * One of its first reads fails; the input decides which. More is read than is
 * needed: behind an image, and from header to header in files of others. Then the
 * image may open, as the same disk, or with a warning.
 */
static void open_unreadable(const uint8_t *data, size_t size)
{
	uint64_t disk_size = disk_size_of(data, size);
	struct memory memory;
	struct image image;
	unsigned int told;
	bool failed, warned;
	int ret;

	backing_set(data, size);
	backing_fail_after(truth_crc32(data, size) % 12);
	messages_told();
	memory_start();
	ret = image_open(&image, BACKING_FD, "image", size, &options);
	memory = memory_stop();
	failed = backing_failed();
	told = messages_told();
	warned = !ret && ((image.format == IMAGE_BGZF) ||
			  (image.format == IMAGE_GZIP && failed));
	must(told == !!ret || (warned && told == 1),
	     "and told, once: a refusal or a warning");
	must(ret || !failed || image.disk_size == disk_size || told,
	     "what cannot be read is refused, or was not needed");
	if (ret)
		must(!memory.live, "no memory stays taken");
	else
		image_release(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct truth_image truth;
	struct image image;

	if (whole_image_open(&image, data, size, &truth)) {
		image_release(&image);
		truth_free(&truth);
	}
	open_unreadable(data, size);
	return 0;
}
