/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the fuzzers of whole files: opens an image and reads all of it, and
 * compares all that the reader returns with the truth.
 */
#ifndef TESTS_FUZZ_WHOLE_IMAGE_H
#define TESTS_FUZZ_WHOLE_IMAGE_H

#include "image/image.h"
#include "tests/fuzz/lib/truth.h"

/*
 * Memory of a reader, without the pages of a large index; more for any gzip
 * file.
 */
#define READER_MEMORY (12 << 10)
#define READER_GZIP_MEMORY (88 << 10)

/* For gzip files: small, so that even small inputs have several sections. */
#define WHOLE_IMAGE_SECTION 16384

/* The contents of the gzip file that was opened last. */
const uint8_t *whole_image_disk(void);

/* Whether @size bytes at @data are recognized as an image of ours. */
bool whole_image_is_ours(const uint8_t *data, size_t size);

/*
 * Opens the image of @size bytes at @data, which is the backing store. Returns
 * whether it is accepted: then the caller frees @truth and releases @image.
 */
bool whole_image_open(struct image *image, const uint8_t *data, size_t size,
		      struct truth_image *truth);

/* Opens the image, and reads all of it if it is accepted. */
void whole_image_read(const uint8_t *data, size_t size);

#endif
