// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes between people and code. Strict on the way in: a size that is not
 * wholly understood is an error, never a guess.
 */
#include "core/size.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char units[] = "KMGTPE";

/* The power of 1024 that @suffix names, 0 for none, -1 for an unknown one. */
static int size_unit(const char *suffix)
{
	const char *unit;

	if (!*suffix)
		return 0;
	unit = strchr(units, *suffix & ~0x20);
	if (!unit || !(*suffix & 0x40))
		return -1;
	if (suffix[1] && strcmp(suffix + 1, "iB"))
		return -1;
	return unit - units + 1;
}

int size_parse(const char *text, uint64_t *size)
{
	uint64_t value = 0;
	int unit;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		unsigned int digit = *text - '0';

		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	unit = size_unit(text);
	if (unit < 0)
		return -EINVAL;
	if (value > UINT64_MAX >> (10 * unit))
		return -ERANGE;
	*size = value << (10 * unit);
	return 0;
}

const char *size_text(uint64_t size, char text[SIZE_TEXT_MAX])
{
	unsigned int unit = 0;
	uint64_t whole, tenths;

	while (unit < sizeof(units) - 1 && size >> (10 * (unit + 1)))
		unit++;
	if (!unit) {
		snprintf(text, SIZE_TEXT_MAX, "%u", (unsigned int)size);
		return text;
	}
	whole = size >> (10 * unit);
	tenths = (size >> (10 * (unit - 1)) & 1023) * 10 / 1024;
	if (tenths)
		snprintf(text, SIZE_TEXT_MAX, "%u.%u%c", (unsigned int)whole,
			 (unsigned int)tenths, units[unit - 1]);
	else
		snprintf(text, SIZE_TEXT_MAX, "%u%c", (unsigned int)whole,
			 units[unit - 1]);
	return text;
}
