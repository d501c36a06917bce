/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Text of lines KEY=VALUE, which a shell can source. A value that needs it is in
 * quotes.
 */
#ifndef LIB_KEY_VALUE_H
#define LIB_KEY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Prints the line of @key. @value has no newline. */
void key_value_put(FILE *out, const char *key, const char *value);

/*
 * The value of @key in @text, copied to @value without quotes (cut to
 * @size bytes with the NUL). Returns false and an empty value where the key is
 * missing.
 */
bool key_value_get(const char *text, const char *key, char *value, size_t size);

/*
 * All of that value, however long, in memory that the caller frees. Returns 0,
 * -ENOENT where the key is missing, or -ENOMEM.
 */
int key_value_get_whole(const char *text, const char *key, char **value);

#endif
