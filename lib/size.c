// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes as text. Parsing is strict: text that is not completely understood is
 * an error, never a guess.
 */
#include "lib/size.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Most digits after the decimal point. Ten make 5^10; no size in use has more.
 */
#define FRACTION_MAX 10

static const char units[] = "KMGTPE";

/*
 * Returns the power of 1024 for @suffix, 0 if it is empty, or -1 if it is
 * unknown.
 */
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

/*
 * Parses digits and moves *text behind them. Returns 0, or -ERANGE beyond 64
 * bits.
 */
static int read_digits(const char **text, uint64_t *value)
{
	for (*value = 0; **text >= '0' && **text <= '9'; ++*text) {
		unsigned int digit = **text - '0';

		if (*value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		*value = *value * 10 + digit;
	}
	return 0;
}

/*
 * Parses the digits after the decimal point: their value and number, without
 * trailing zeroes. Returns false if there are none, or more than any size
 * needs.
 */
static bool read_fraction(const char **text, uint64_t *value,
			  unsigned int *count)
{
	const char *start = *text;

	if (read_digits(text, value) || *text == start)
		return false;
	*count = *text - start;
	for (; *count && !(*value % 10); --*count)
		*value /= 10;
	return *count <= FRACTION_MAX;
}

/*
 * Converts a fraction of a unit, @value / 10^@count * 2^@bits, to bytes.
 * Because 10^@count is 5^@count * 2^@count, the result is whole if 5^@count
 * divides @value and @count <= @bits.
 */
static bool whole_bytes(uint64_t *value, unsigned int count, unsigned int bits)
{
	if (count > bits)
		return false;
	for (unsigned int i = 0; i < count; i++) {
		if (*value % 5)
			return false;
		*value /= 5;
	}
	*value <<= bits - count;
	return true;
}

/* As size_parse(); *why says in a few words what is wrong. */
static int size_parse_why(const char *text, uint64_t *size, const char **why)
{
	uint64_t value, part = 0;
	unsigned int count = 0;
	bool point;
	int unit;

	*why = "write bytes, or a number with K, M, G, T, P or E (powers of "
	       "1024)";
	if (*text < '0' || *text > '9')
		return -EINVAL;
	if (read_digits(&text, &value))
		goto too_large;
	point = *text == '.';
	if (point) {
		text++;
		if (!read_fraction(&text, &part, &count))
			return -EINVAL;
	}
	unit = size_unit(text);
	if (unit < 0) {
		if ((text[1] == 'B' || text[1] == 'b') && !text[2])
			*why = "KB, MB and so on are powers of 1000 to some, "
			       "of 1024 to others; write K, M or KiB, MiB for "
			       "those of 1024, or bytes";
		return -EINVAL;
	}
	if (point && (!unit || !whole_bytes(&part, count, 10 * unit))) {
		*why = "that is not a whole number of bytes";
		return -EINVAL;
	}
	if (value > UINT64_MAX >> (10 * unit))
		goto too_large;
	*size = (value << (10 * unit)) + part;
	return 0;

too_large:
	*why = "that is more than 64 bits hold";
	return -ERANGE;
}

int size_parse(const char *text, uint64_t *size)
{
	const char *why;

	return size_parse_why(text, size, &why);
}

const char *size_why(const char *text)
{
	const char *why;
	uint64_t size;

	size_parse_why(text, &size, &why);
	return why;
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
