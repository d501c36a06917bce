/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Little-endian integers at any address, on every processor. Where the
 * processor allows it, the compiler turns each function into one load or store.
 */
#ifndef LIB_LITTLE_ENDIAN_H
#define LIB_LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint16_t get_le16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

static inline uint32_t get_le32(const uint8_t *at)
{
	return get_le16(at) | (uint32_t)get_le16(at + 2) << 16;
}

static inline uint64_t get_le64(const uint8_t *at)
{
	return get_le32(at) | (uint64_t)get_le32(at + 4) << 32;
}

static inline void put_le16(uint8_t *at, uint16_t value)
{
	at[0] = value;
	at[1] = value >> 8;
}

static inline void put_le32(uint8_t *at, uint32_t value)
{
	put_le16(at, value);
	put_le16(at + 2, value >> 16);
}

static inline void put_le64(uint8_t *at, uint64_t value)
{
	put_le32(at, value);
	put_le32(at + 4, value >> 32);
}

#endif
