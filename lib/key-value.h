/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Text made of lines KEY=VALUE that a shell can source. Values are quoted if
 * necessary.
 */
#ifndef LIB_KEY_VALUE_H
#define LIB_KEY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Prints one line. @value must not contain a newline. */
void key_value_put(FILE *out, const char *key, const char *value);

/*
 * Copies the value of @key in @text to @value, without quotes and cut to @size
 * bytes including the NUL. Returns false, with an empty @value, if there is no
 * such key.
 */
bool key_value_get(const char *text, const char *key, char *value, size_t size);

/*
 * As key_value_get(), but for a value of any length, in memory that the caller
 * frees. Returns 0, -ENOENT if there is no such key, or -ENOMEM.
 */
int key_value_get_whole(const char *text, const char *key, char **value);

#endif
