/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that `ublk pack` has not made: recognizes those that are not images, so
 * that the user learns what they are and what to do with them, and warns of what
 * cannot be known of the others.
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

/*
 * Prints that a gzip file ends at @offset only because nothing can be read there:
 * whether another member follows cannot be known.
 */
void image_warn_unreadable(const char *name, uint64_t offset);

#endif
