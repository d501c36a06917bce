/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes to images that pass their checksums: chunks that are added, removed
 * and moved, other numbers in the front and the index, other streams and
 * headers. Checksums are mostly corrected.
 */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Changes the image, or any other data, of @size bytes at @data, where there is
 * room for @max_size. Returns the new size. The result depends only on the
 * arguments.
 */
size_t mutate_image(uint8_t *data, size_t size, size_t max_size,
		    unsigned int seed);

/*
 * The same for a gzip file of any members. Most of their trailers are correct.
 */
size_t mutate_gzip(uint8_t *data, size_t size, size_t max_size,
		   unsigned int seed);

#endif
