/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes as text: bytes in code, `64M` on the command line. */
#ifndef LIB_SIZE_H
#define LIB_SIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Parses all of @text: a decimal number of bytes, or of units with one of the
 * suffixes K M G T P E (powers of 1024, in upper or lower case; `iB` may
 * follow, as in `64MiB`). With a suffix, a fraction is allowed if the result is
 * a whole number of bytes: `1.5G`. Returns 0 and sets *size; -EINVAL for
 * anything else (a sign, a space, an empty text, or `64MB`, which is
 * ambiguous); -ERANGE if the size does not fit into 64 bits.
 */
int size_parse(const char *text, uint64_t *size);

/*
 * Why size_parse() refuses @text and what to write instead, for the end of a
 * message.
 */
const char *size_why(const char *text);

#define SIZE_TEXT_MAX 16

/*
 * Formats @size for people, in its largest unit and with at most one decimal
 * (`64M`, `1.5G`, `512`), in at most SIZE_TEXT_MAX bytes including the NUL.
 * Returns @text.
 */
const char *size_text(uint64_t size, char text[SIZE_TEXT_MAX]);

#endif
