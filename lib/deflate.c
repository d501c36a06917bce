// SPDX-License-Identifier: GPL-2.0
/*
 * What both implementations of lib/deflate.h share: the CRC-32 of two parts.
 *
 * A CRC-32 is a polynomial over GF(2), modulo that of gzip; its highest bit is
 * the coefficient of x^0. Each byte that follows multiplies it by x^8.
 */
#include "lib/deflate.h"

#define POLYNOMIAL 0xedb88320
#define ONE (1U << 31)
#define X_8 (ONE >> 8)

static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = ONE; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
	}
	return product;
}

uint32_t crc32_join(uint32_t first, uint32_t second, uint64_t length)
{
	/* x^8, x^16, x^32 and so on: those that make x^(8 * length). */
	for (uint32_t power = X_8; length; length >>= 1) {
		if (length & 1)
			first = multiply(first, power);
		power = multiply(power, power);
	}
	return first ^ second;
}
