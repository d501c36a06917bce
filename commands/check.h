/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Verifying every byte of a compressed image.
 */
#ifndef COMMANDS_CHECK_H
#define COMMANDS_CHECK_H

#include "image/disk-sum.h"
#include "image/image.h"

/*
 * Expands all of @image with @jobs threads (0: one a CPU), prints a line for
 * each chunk that is damaged, and tells how many there are. @sum, where it is
 * not NULL, gets that of the disk; the image is one of ours then. Returns 0, or
 * -errno after telling.
 */
int check_image(const struct image *image, unsigned int jobs,
		struct disk_sum *sum);

/*
 * The same for an image of ours that was just written to @fd, which is read
 * back from the medium, and has to hold the disk that @wanted is the sum of.
 */
int check_written(int fd, const char *name, unsigned int jobs,
		  const struct disk_sum *wanted);

#endif
