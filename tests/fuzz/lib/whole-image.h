/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Opening an image and reading all of it, with each thing that the reader says
 * beside the truth. What the fuzzers of whole files share.
 */
#ifndef TESTS_FUZZ_WHOLE_IMAGE_H
#define TESTS_FUZZ_WHOLE_IMAGE_H

#include "image/image.h"
#include "tests/fuzz/lib/truth.h"

/* What a reader keeps besides the pages of a large index; more for any gzip. */
#define READER_MEMORY (10 << 10)
#define READER_GZIP_MEMORY (80 << 10)

/* Of a gzip: so that no input holds too little of a disk. */
#define WHOLE_IMAGE_SECTION 16384

/* What the gzip that was opened last holds. */
const uint8_t *whole_image_disk(void);

/* Whether @size bytes at @data are taken for an image of ours. */
bool whole_image_is_ours(const uint8_t *data, size_t size);

/*
 * Opens the image that is the backing store of @size bytes at @data. True
 * where it is accepted: with @truth, to be freed, and an @image to be released.
 */
bool whole_image_open(struct image *image, const uint8_t *data, size_t size,
		      struct truth_image *truth);

/* Opens it, and reads all of it where it is accepted. */
void whole_image_read(const uint8_t *data, size_t size);

#endif
