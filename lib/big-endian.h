/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Big-endian integers at any address, as networks have them; see little-
 * endian.h.
 */
#ifndef LIB_BIG_ENDIAN_H
#define LIB_BIG_ENDIAN_H

#include <stdint.h>

static inline uint16_t get_be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static inline uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)get_be16(at) << 16 | get_be16(at + 2);
}

static inline uint64_t get_be64(const uint8_t *at)
{
	return (uint64_t)get_be32(at) << 32 | get_be32(at + 4);
}

static inline void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline void put_be32(uint8_t *at, uint32_t value)
{
	put_be16(at, value >> 16);
	put_be16(at + 2, value);
}

static inline void put_be64(uint8_t *at, uint64_t value)
{
	put_be32(at, value >> 32);
	put_be32(at + 4, value);
}

#endif
