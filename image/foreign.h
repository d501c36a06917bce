/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names for what is not an image that we serve, so that a person learns what
 * they have and what to do with it.
 */
#ifndef IMAGE_FOREIGN_H
#define IMAGE_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_FOREIGN_HEAD 2048	/* bytes of a file that tell most */

/*
 * Tells what a file seems to be by its first @length bytes, and which command
 * makes an image of it. Returns -EINVAL.
 */
int image_refuse_foreign(const char *name, const uint8_t *head, size_t length);

#endif
