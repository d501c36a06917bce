// SPDX-License-Identifier: GPL-2.0
/* Bytes as hexadecimal digits. */
#include "lib/hex.h"

#include <errno.h>

/* Returns -1 for what is no digit. */
static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 'a' - 'A';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int hex_parse(const char *text, size_t digits, uint8_t *bytes)
{
	if (digits % 2)
		return -EINVAL;
	for (size_t i = 0; i < digits; i += 2) {
		int high = hex_value(text[i]);
		int low = high < 0 ? -1 : hex_value(text[i + 1]);

		if (low < 0)
			return -EINVAL;
		bytes[i / 2] = high << 4 | low;
	}
	return 0;
}

char *hex_text(const uint8_t *bytes, size_t length, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * length] = '\0';
	return text;
}
