/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sizes between people and code: bytes in code, `64M` on the command line.
 */
#ifndef LIB_SIZE_H
#define LIB_SIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads all of @text: a decimal number of bytes, or with one of the suffixes K
 * M G T P E (powers of 1024, upper or lower case, `iB` may follow: `64MiB`).
 * With a suffix it may have a fraction that makes whole bytes: `1.5G`. Returns
 * 0 and *size, -EINVAL for anything else (sign, space, empty, `64MB`, which
 * means several things), -ERANGE where it does not fit 64 bits.
 */
int size_parse(const char *text, uint64_t *size);

/* Why size_parse() refuses @text and what to write, for the end of a message. */
const char *size_why(const char *text);

#define SIZE_TEXT_MAX 16

/*
 * Writes @size as a person reads it, in its largest unit and to one decimal
 * (`64M`, `1.5G`, `512`), in at most SIZE_TEXT_MAX bytes with the NUL. Returns
 * @text.
 */
const char *size_text(uint64_t size, char text[SIZE_TEXT_MAX]);

#endif
