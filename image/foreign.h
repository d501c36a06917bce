/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recognizes files that are not images, so that the user learns what they are
 * and what to do with them.
 */
#ifndef IMAGE_FOREIGN_H
#define IMAGE_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_FOREIGN_HEAD 2048	/* first bytes; enough for most formats */

/*
 * Prints what a file seems to be, judging by its first @length bytes, and which
 * command makes an image of it. Returns -EINVAL.
 */
int image_refuse_foreign(const char *name, const uint8_t *head, size_t length);

#endif
