/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The length and CRC-32 of a disk, combined from those of its chunks in order.
 * A chunk with other contents or in another place changes the sum.
 */
#ifndef IMAGE_DISK_SUM_H
#define IMAGE_DISK_SUM_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/deflate.h"

struct disk_sum {
	uint64_t length;
	uint32_t crc;
};

static inline void disk_sum_add(struct disk_sum *sum, uint32_t crc,
				uint32_t length)
{
	sum->crc = crc32_join(sum->crc, crc, length);
	sum->length += length;
}

static inline bool disk_sum_equal(const struct disk_sum *a,
				  const struct disk_sum *b)
{
	return a->length == b->length && a->crc == b->crc;
}

#endif
