/* SPDX-License-Identifier: GPL-2.0 */
/* Bytes as hexadecimal digits, two each. */
#ifndef LIB_HEX_H
#define LIB_HEX_H

#include <stddef.h>
#include <stdint.h>

/*
 * Parses the @digits hexadecimal digits at @text, of either case, to @bytes,
 * which has room for half as many. Returns 0, or -EINVAL if their number is odd
 * or one is none.
 */
int hex_parse(const char *text, size_t digits, uint8_t *bytes);

/*
 * Writes @length bytes as lower-case digits and a NUL to @text, which has room
 * for 2 * @length + 1. Returns @text.
 */
char *hex_text(const uint8_t *bytes, size_t length, char *text);

#endif
