/* SPDX-License-Identifier: GPL-2.0 */
/* Verifies every byte of a compressed image. */
#ifndef COMMANDS_CHECK_H
#define COMMANDS_CHECK_H

#include "image/disk-sum.h"
#include "image/image.h"

/*
 * Expands all of @image with @jobs threads (0: one per CPU). Prints a line for
 * each damaged chunk, and their number. If @sum is not NULL, it gets the sum of
 * the disk; the image must then be one of ours. Returns 0, or -errno after
 * printing why.
 */
int check_image(const struct image *image, unsigned int jobs,
		struct disk_sum *sum);

/*
 * As check_image(), for an image of ours that was just written to @fd: reads it
 * back from the medium, and compares its disk with the sum @wanted.
 */
int check_written(int fd, const char *name, unsigned int jobs,
		  const struct disk_sum *wanted);

#endif
