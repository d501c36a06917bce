/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bits that several threads change. The words are what every processor can change
 * atomically by itself: some have no atomic operations of 64 bits, and for bytes
 * compilers call a library.
 */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/little-endian.h"

typedef _Atomic unsigned long bits_word;

#define BITS_OF_WORD (CHAR_BIT * sizeof(bits_word))

/* How many words hold @bits bits: for calloc(). */
static inline uint64_t bits_words(uint64_t bits)
{
	return bits / BITS_OF_WORD + !!(bits % BITS_OF_WORD);
}

static inline bool bits_has(const bits_word *bits, uint64_t number)
{
	return bits[number / BITS_OF_WORD] >> number % BITS_OF_WORD & 1;
}

/* Sets a bit. Returns whether it was set before. */
static inline bool bits_set(bits_word *bits, uint64_t number)
{
	unsigned long bit = 1ul << number % BITS_OF_WORD;

	/* Most are set already, and to look is cheaper. */
	return bits_has(bits, number) ||
	       atomic_fetch_or(&bits[number / BITS_OF_WORD], bit) & bit;
}

/* Clears a bit. Returns whether it was set before. */
static inline bool bits_clear(bits_word *bits, uint64_t number)
{
	unsigned long bit = 1ul << number % BITS_OF_WORD;

	return bits_has(bits, number) &&
	       atomic_fetch_and(&bits[number / BITS_OF_WORD], ~bit) & bit;
}

/*
 * A word as it is in a file, where bit N is bit N % 8 of byte N / 8 on every
 * processor.
 */
static inline unsigned long bits_get_file(const uint8_t *at)
{
	return sizeof(bits_word) == 8 ? get_le64(at) : get_le32(at);
}

static inline void bits_put_file(uint8_t *at, unsigned long word)
{
	if (sizeof(bits_word) == 8)
		put_le64(at, word);
	else
		put_le32(at, word);
}

#endif
