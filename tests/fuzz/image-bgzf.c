// SPDX-License-Identifier: GPL-2.0
/*
 * Reads all of a BGZF file. Each block is accepted exactly if it is valid, and
 * has the contents that zlib returns. Together they are what zcat prints.
 */
#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/mutate.h"
#include "tests/fuzz/lib/whole-image.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed)
{
	return mutate_image(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!whole_image_is_ours(data, size))
		whole_image_read(data, size);
	return 0;
}
