/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes to images that get past their checksums: chunks that come, go and
 * change places, other numbers in the front and the index, other streams and
 * headers, all signed again more often than not.
 */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Changes the image, or whatever it is, of @size bytes at @data, where there is
 * room for @max_size. Returns its new size. The same arguments give the same.
 */
size_t mutate_image(uint8_t *data, size_t size, size_t max_size,
		    unsigned int seed);

/* The same for a gzip file of any members; their trailers mostly fit. */
size_t mutate_gzip(uint8_t *data, size_t size, size_t max_size,
		   unsigned int seed);

#endif
