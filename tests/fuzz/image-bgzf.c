// SPDX-License-Identifier: GPL-2.0
/*
 * All of a BGZF file is read: each block is good just when it is one, holds
 * what zlib says, and together they are what zcat makes of the file.
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
