// SPDX-License-Identifier: GPL-2.0
/* Lines KEY=VALUE: prints them for a shell, and reads them back. */
#include "lib/key-value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Characters that a shell takes literally after `key=`. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	      "0123456789_./:@%+,=-"

void key_value_put(FILE *out, const char *key, const char *value)
{
	fprintf(out, "%s=", key);
	if (!value[strspn(value, PLAIN)]) {
		fprintf(out, "%s\n", value);
		return;
	}
	putc('\'', out);
	for (; *value; value++) {
		if (*value == '\'')
			fputs("'\\''", out);
		else
			putc(*value, out);
	}
	fputs("'\n", out);
}

/*
 * Copies a value without its quotes. A value that does not begin with a quote
 * is literal, because older programs never quoted.
 */
static void key_value_unquote(const char *value, size_t length, char *to,
			      size_t size)
{
	const char *end = value + length;
	bool quoted = false, plain = !length || *value != '\'';
	size_t used = 0;

	for (; value < end && used + 1 < size; value++) {
		if (!plain && *value == '\'') {
			quoted = !quoted;
			continue;
		}
		if (!plain && !quoted && *value == '\\' && value + 1 < end)
			value++;
		to[used++] = *value;
	}
	to[used] = '\0';
}

/* Finds the raw value of @key. Returns NULL if there is none. */
static const char *key_value_find(const char *text, const char *key,
				  size_t *length)
{
	size_t key_length = strlen(key);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (strncmp(text, key, key_length) || text[key_length] != '=')
			continue;
		text += key_length + 1;
		*length = strcspn(text, "\n");
		return text;
	}
	return NULL;
}

bool key_value_get(const char *text, const char *key, char *value, size_t size)
{
	size_t length;
	const char *found = key_value_find(text, key, &length);

	*value = '\0';
	if (found)
		key_value_unquote(found, length, value, size);
	return found;
}

int key_value_get_whole(const char *text, const char *key, char **value)
{
	size_t length;
	const char *found = key_value_find(text, key, &length);

	*value = NULL;
	if (!found)
		return -ENOENT;
	*value = malloc(length + 1);
	if (!*value)
		return -ENOMEM;
	key_value_unquote(found, length, *value, length + 1);
	return 0;
}
