// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parameters of a device. They are checked when the server sets them, so that
 * any accepted set yields a valid disk, and translated to queue limits when the
 * disk is created.
 */
#include <linux/blkdev.h>

#include "ublk.h"

/* The largest block, optimal I/O or minimum I/O size: 256 MiB. */
#define UBLK_MAX_SIZE_SHIFT	28

/* As is_power_of_2(), but for 64 bits on every processor. */
static bool ublk_is_power_of_2(u64 number)
{
	return number && !(number & (number - 1));
}

static bool ublk_basic_ok(const struct ublk_device *dev,
			  const struct ublk_param_basic *basic)
{
	if (basic->logical_bs_shift < SECTOR_SHIFT ||
	    basic->logical_bs_shift > PAGE_SHIFT ||
	    basic->logical_bs_shift > basic->physical_bs_shift ||
	    basic->physical_bs_shift > UBLK_MAX_SIZE_SHIFT ||
	    basic->io_opt_shift > UBLK_MAX_SIZE_SHIFT ||
	    basic->io_min_shift > UBLK_MAX_SIZE_SHIFT)
		return false;
	if (basic->max_sectors < PAGE_SECTORS ||
	    basic->max_sectors > dev->info.max_io_buf_bytes >> SECTOR_SHIFT)
		return false;
	/* requests are split at chunks, but never within a block */
	if (basic->chunk_sectors %
	    (1U << (basic->logical_bs_shift - SECTOR_SHIFT)))
		return false;
	/* the disk's size in bytes must fit a loff_t */
	return basic->dev_sectors <= (u64)LLONG_MAX >> SECTOR_SHIFT &&
	       !(basic->virt_boundary_mask >> 32);
}

static bool ublk_discard_ok(const struct ublk_params *params)
{
	const struct ublk_param_discard *discard = &params->discard;

	if (!discard->max_discard_sectors)
		return true;
	/*
	 * A descriptor has room for one range. The block layer raises a
	 * granularity that is smaller than a block.
	 */
	return discard->max_discard_segments == 1 &&
	       discard->discard_granularity;
}

static bool ublk_segment_ok(const struct ublk_param_segment *segment)
{
	if (segment->seg_boundary_mask &&
	    (segment->seg_boundary_mask < PAGE_SIZE - 1 ||
	     !ublk_is_power_of_2(segment->seg_boundary_mask + 1)))
		return false;
	return !segment->max_segment_size ||
	       segment->max_segment_size >= PAGE_SIZE;
}

int ublk_params_check(const struct ublk_device *dev,
		      const struct ublk_params *params)
{
	const u32 types = params->types;

	/* Device numbers are read-only, and zones are not supported. */
	if (types & (UBLK_PARAM_TYPE_DEVT | UBLK_PARAM_TYPE_ZONED))
		return -EINVAL;
	if (!(types & UBLK_PARAM_TYPE_BASIC) ||
	    !ublk_basic_ok(dev, &params->basic))
		return -EINVAL;
	if (types & UBLK_PARAM_TYPE_DISCARD && !ublk_discard_ok(params))
		return -EINVAL;
	if (types & UBLK_PARAM_TYPE_DMA_ALIGN &&
	    (params->dma.alignment >= PAGE_SIZE ||
	     !ublk_is_power_of_2((u64)params->dma.alignment + 1)))
		return -EINVAL;
	if (types & UBLK_PARAM_TYPE_SEGMENT && !ublk_segment_ok(&params->seg))
		return -EINVAL;
	return 0;
}

struct queue_limits ublk_params_limits(const struct ublk_device *dev)
{
	const struct ublk_params *params = &dev->params;
	const struct ublk_param_basic *basic = &params->basic;
	struct queue_limits limits = {
		.logical_block_size = 1U << basic->logical_bs_shift,
		.physical_block_size = 1U << basic->physical_bs_shift,
		.io_min = 1U << basic->io_min_shift,
		.io_opt = 1U << basic->io_opt_shift,
		.max_hw_sectors = basic->max_sectors,
		.chunk_sectors = basic->chunk_sectors,
		.virt_boundary_mask = basic->virt_boundary_mask,
		.max_segments = USHRT_MAX,
		.max_segment_size = UINT_MAX,
		.dma_alignment = 3,
	};

	if (basic->attrs & UBLK_ATTR_VOLATILE_CACHE) {
		limits.features |= BLK_FEAT_WRITE_CACHE;
		if (basic->attrs & UBLK_ATTR_FUA)
			limits.features |= BLK_FEAT_FUA;
	}
	if (basic->attrs & UBLK_ATTR_ROTATIONAL)
		limits.features |= BLK_FEAT_ROTATIONAL;

	if (params->types & UBLK_PARAM_TYPE_DISCARD) {
		const struct ublk_param_discard *discard = &params->discard;

		limits.discard_alignment = discard->discard_alignment;
		limits.discard_granularity = discard->discard_granularity;
		limits.max_hw_discard_sectors = discard->max_discard_sectors;
		limits.max_discard_segments = discard->max_discard_segments;
		limits.max_write_zeroes_sectors =
			discard->max_write_zeroes_sectors;
	}
	if (params->types & UBLK_PARAM_TYPE_DMA_ALIGN)
		limits.dma_alignment = params->dma.alignment;
	if (params->types & UBLK_PARAM_TYPE_SEGMENT) {
		const struct ublk_param_segment *segment = &params->seg;

		if (segment->seg_boundary_mask)
			limits.seg_boundary_mask = segment->seg_boundary_mask;
		if (segment->max_segment_size)
			limits.max_segment_size = segment->max_segment_size;
		if (segment->max_segments)
			limits.max_segments = segment->max_segments;
	}
	return limits;
}
