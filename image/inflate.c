// SPDX-License-Identifier: GPL-2.0
/*
 * Expands deflate streams that are completely in memory. It accepts and refuses
 * the same streams as zlib (tests/unit/inflate.c, tests/fuzz/member.c).
 *
 * Bits are taken from a 64-bit word, which is refilled without computing how
 * many bits it lacks. A table, indexed by the next bits, has an entry for each
 * code of usual length:
 *
 *   bits 0-7    length of the code and of the extra bits after it
 *   bits 8-13   length of the code
 *   bit 31      ENTRY_BYTE: bits 16-23 are a byte
 *   bit 15      ENTRY_OTHER: bits 16-30 are END, LONG or BAD
 *   bits 16-30  otherwise the smallest length or distance, to which the
 *               extra bits are added
 */
#include "image/inflate.h"

#include <stdbool.h>
#include <string.h>

#include "lib/little-endian.h"

#define ENTRY_BYTE (1U << 31)
#define ENTRY_OTHER (1U << 15)
#define ENTRY_END (ENTRY_OTHER | 0 << 16)	/* of the block */
#define ENTRY_LONG (ENTRY_OTHER | 1 << 16)	/* longer than a table lookup */
#define ENTRY_BAD (ENTRY_OTHER | 2 << 16)	/* no code */

#define BITS_MAX 15		/* of a code */
#define SYMBOLS 288
#define SYMBOL_END 256
#define LITERALS_MAX 286	/* codes that a block may have */
#define DISTANCES_MAX 30
#define PRECODES 19		/* for the lengths of codes */
#define PRECODE_BITS 7

#define LENGTH_BITS_MAX (BITS_MAX + 5)
#define DISTANCE_BITS_MAX (BITS_MAX + 13)
#define LENGTH_MAX 258

#define LITERALS (1 << INFLATE_LITERAL_BITS)
#define DISTANCES (1 << INFLATE_DISTANCE_BITS)

/* Bytes that inflate_copy() may write beyond its output. */
#define COPY_BEHIND 8

static const char not_deflate[] = "not a deflate stream of its length";

struct reader {
	const uint8_t *data;
	size_t length;
	size_t at;		/* index of the next byte */
	uint64_t bits;		/* unused ones, the lowest first */
	uint8_t left;		/* how many of them are valid */
};

/*
 * Fills the word to at least 56 bits. Beyond the end of the stream the bits are
 * undefined. Returns false if such bits have certainly been used.
 */
static inline bool inflate_refill(struct reader *reader)
{
	if (reader->at <= reader->length)
		reader->bits |= get_le64(reader->data + reader->at) <<
				reader->left;
	else if (reader->at > reader->length + sizeof(reader->bits))
		return false;
	reader->at += (reader->left ^ 63) / 8;
	reader->left |= 56;
	return true;
}

/* Only the lowest byte of @count is used. */
static inline void inflate_drop(struct reader *reader, uint32_t count)
{
	reader->bits >>= count & 63;
	reader->left -= count;
}

static uint32_t inflate_take(struct reader *reader, unsigned int count)
{
	uint32_t value = reader->bits & ((1U << count) - 1);

	inflate_drop(reader, count);
	return value;
}

/* The number of bytes used, including a partly used one. */
static size_t inflate_used(const struct reader *reader)
{
	return reader->at - reader->left / 8;
}

static uint32_t literal_entry(unsigned int symbol)
{
	unsigned int i = symbol - SYMBOL_END - 1, extra;

	if (symbol < SYMBOL_END)
		return symbol << 16 | ENTRY_BYTE;
	if (symbol == SYMBOL_END)
		return ENTRY_END;
	if (symbol >= LITERALS_MAX)
		return ENTRY_BAD;
	if (i < 8)
		return (3 + i) << 16;
	if (symbol == LITERALS_MAX - 1)
		return LENGTH_MAX << 16;
	extra = i / 4 - 1;
	return (3 + ((4 + i % 4) << extra)) << 16 | extra;
}

static uint32_t distance_entry(unsigned int symbol)
{
	unsigned int extra;

	if (symbol >= DISTANCES_MAX)
		return ENTRY_BAD;
	if (symbol < 4)
		return (1 + symbol) << 16;
	extra = symbol / 2 - 1;
	return (1 + ((2 + symbol % 2) << extra)) << 16 | extra;
}

static uint32_t precode_entry(unsigned int symbol)
{
	return symbol << 16;
}

typedef uint32_t entry_of(unsigned int symbol);

static inline uint32_t with_bits(uint32_t entry, unsigned int bits)
{
	return entry + (bits << 8 | bits);
}

/*
 * Sorts the @n symbols by the lengths of their codes. Returns false if the code
 * is oversubscribed or incomplete; a single code of one bit is accepted if
 * @lone is set.
 */
static bool inflate_sort(struct inflate_code *code, const uint8_t *lengths,
			 unsigned int n, bool lone)
{
	uint16_t place[BITS_MAX + 2];
	int room = 1;

	memset(code->count, 0, sizeof(code->count));
	for (unsigned int i = 0; i < n; i++)
		code->count[lengths[i]]++;
	place[1] = 0;
	for (unsigned int bits = 1; bits <= BITS_MAX; bits++) {
		place[bits + 1] = place[bits] + code->count[bits];
		room = 2 * room - code->count[bits];
		if (room < 0)
			return false;
	}
	for (unsigned int i = 0; i < n; i++)
		if (lengths[i])
			code->symbols[place[lengths[i]]++] = i;
	if (code->count[0] == n)
		return true;	/* valid as long as nothing uses it */
	return !room || (lone && n - code->count[0] == 1 && code->count[1]);
}

/* The code of @bits that follows @code, both with their first bit lowest. */
static unsigned int next_code(unsigned int code, unsigned int bits)
{
	unsigned int bit = 1U << (bits - 1);

	while (code & bit) {
		code ^= bit;
		bit >>= 1;
	}
	return code | bit;
}

/*
 * Makes the table of a code, with 1 << @table_bits entries. It starts with one
 * entry and is doubled for each code length, because a shorter code is valid
 * whatever bit follows.
 */
static void make_table(const struct inflate_code *code, uint32_t *table,
		       unsigned int table_bits, entry_of *entry)
{
	const uint16_t *symbol = code->symbols;
	unsigned int next = 0;

	table[0] = ENTRY_LONG;
	for (unsigned int bits = 1; bits <= table_bits; bits++) {
		size_t half = (size_t)1 << (bits - 1);

		memcpy(table + half, table, half * sizeof(*table));
		for (unsigned int i = 0; i < code->count[bits]; i++) {
			table[next] = with_bits(entry(*symbol++), bits);
			next = next_code(next, bits);
		}
	}
}

/*
 * Finds the entry for the code, of any length, in the lowest bits of @stream.
 */
static uint32_t find_long(const struct inflate_code *code, uint64_t stream,
			  entry_of *entry)
{
	/* The codes of one length are consecutive numbers. */
	unsigned int number = 0, first = 0, place = 0;

	for (unsigned int bits = 1; bits <= BITS_MAX; bits++) {
		unsigned int count = code->count[bits];

		number = 2 * number + (stream & 1);
		first *= 2;
		if (number - first < count)
			return with_bits(entry(code->symbols[place + number -
							     first]), bits);
		first += count;
		place += count;
		stream >>= 1;
	}
	return ENTRY_BAD;
}

/*
 * Takes a code and its extra bits, and returns the length or distance that they
 * stand for.
 */
static inline size_t take_value(struct reader *reader, uint32_t entry)
{
	uint64_t mask = ~(UINT64_MAX << (entry & 63));
	uint64_t bits = reader->bits & mask;

	inflate_drop(reader, entry);
	return (entry >> 16) + (bits >> (entry >> 8 & 63));
}

static inline void copy_word(uint8_t *to, const uint8_t *from)
{
	memcpy(to, from, sizeof(uint64_t));
}

/*
 * Copies @length bytes from @distance before @to; source and destination may
 * overlap. May write up to COPY_BEHIND bytes more.
 */
static inline void inflate_copy(uint8_t *to, size_t distance, size_t length)
{
	const uint8_t *end = to + length;
	const uint8_t *from = to - distance;

	/* A pattern that repeats is also a pattern of twice its length. */
	while (distance < sizeof(uint64_t)) {
		copy_word(to, from);
		to += distance;
		distance *= 2;
	}
	while (to < end) {
		copy_word(to, from);
		to += sizeof(uint64_t);
		from += sizeof(uint64_t);
	}
}

/* As inflate_copy(), but writes nothing beyond its output. */
static void inflate_copy_bytes(uint8_t *to, size_t distance, size_t length)
{
	for (; length; length--, to++)
		*to = *(to - distance);
}

/*
 * Expands the codes of a block to *@to, up to @end. @start is where the output
 * of the stream began.
 */
static bool inflate_codes(const struct inflate *self, struct reader *from,
			  const uint8_t *start, uint8_t **to, uint8_t *end)
{
	struct reader reader = *from;	/* no store can alias it */
	uint8_t *out = *to;
	size_t length, distance;
	uint32_t entry;

	for (;;) {
		if (reader.left < LENGTH_BITS_MAX && !inflate_refill(&reader))
			return false;
		entry = self->literals[reader.bits % LITERALS];
		if (entry == ENTRY_LONG)
			entry = find_long(&self->literal, reader.bits,
					  literal_entry);
		if (entry & ENTRY_BYTE) {
			if (out == end)
				return false;
			*out++ = entry >> 16;
			inflate_drop(&reader, entry);
			continue;
		}
		if (entry & ENTRY_OTHER)
			break;
		length = take_value(&reader, entry);

		if (reader.left < DISTANCE_BITS_MAX && !inflate_refill(&reader))
			return false;
		entry = self->distances[reader.bits % DISTANCES];
		if (entry == ENTRY_LONG)
			entry = find_long(&self->distance, reader.bits,
					  distance_entry);
		if (entry & ENTRY_OTHER)
			return false;
		distance = take_value(&reader, entry);
		if (distance > (size_t)(out - start) ||
		    length > (size_t)(end - out))
			return false;
		if (length + COPY_BEHIND <= (size_t)(end - out))
			inflate_copy(out, distance, length);
		else
			inflate_copy_bytes(out, distance, length);
		out += length;
	}
	inflate_drop(&reader, entry);
	*from = reader;
	*to = out;
	return entry >> 16 == ENTRY_END >> 16;
}

static bool inflate_stored(struct reader *reader, uint8_t **to, uint8_t *end)
{
	size_t at = inflate_used(reader), length;

	if (at + 4 > reader->length)
		return false;
	length = get_le16(reader->data + at);
	if ((length ^ 0xffff) != get_le16(reader->data + at + 2))
		return false;
	at += 4;
	if (length > reader->length - at || length > (size_t)(end - *to))
		return false;
	memcpy(*to, reader->data + at, length);
	*to += length;
	reader->at = at + length;
	reader->bits = 0;
	reader->left = 0;
	return true;
}

static void set_fixed(struct inflate *self)
{
	uint8_t lengths[SYMBOLS];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	inflate_sort(&self->literal, lengths, SYMBOLS, false);
	memset(lengths, 5, 32);
	inflate_sort(&self->distance, lengths, 32, false);
}

/* Reads the lengths of @n codes, which are encoded with the precode. */
static bool read_lengths(struct inflate *self, struct reader *reader,
			 uint8_t *lengths, unsigned int n)
{
	unsigned int i = 0;

	while (i < n) {
		unsigned int count = 1, length = 0;
		uint32_t entry;

		if (!inflate_refill(reader))
			return false;
		entry = self->distances[reader->bits % (1 << PRECODE_BITS)];
		if (entry == ENTRY_LONG)
			return false;
		inflate_drop(reader, entry);
		switch (entry >> 16) {
		case 16:
			if (!i)
				return false;
			length = lengths[i - 1];
			count = 3 + inflate_take(reader, 2);
			break;
		case 17:
			count = 3 + inflate_take(reader, 3);
			break;
		case 18:
			count = 11 + inflate_take(reader, 7);
			break;
		default:
			length = entry >> 16;
		}
		if (count > n - i)
			return false;
		memset(lengths + i, length, count);
		i += count;
	}
	return true;
}

static bool read_codes(struct inflate *self, struct reader *reader)
{
	static const uint8_t order[PRECODES] = {
		16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
	};
	unsigned int literals = 257 + inflate_take(reader, 5);
	unsigned int distances = 1 + inflate_take(reader, 5);
	unsigned int precodes = 4 + inflate_take(reader, 4);
	uint8_t lengths[LITERALS_MAX + DISTANCES_MAX] = { 0 };

	if (literals > LITERALS_MAX || distances > DISTANCES_MAX)
		return false;
	for (unsigned int i = 0; i < precodes; i++) {
		if (!inflate_refill(reader))
			return false;
		lengths[order[i]] = inflate_take(reader, 3);
	}
	/* The distance table is free until the codes have been read. */
	if (!inflate_sort(&self->distance, lengths, PRECODES, false))
		return false;
	make_table(&self->distance, self->distances, PRECODE_BITS,
		   precode_entry);
	if (!read_lengths(self, reader, lengths, literals + distances))
		return false;
	return inflate_sort(&self->literal, lengths, literals, true) &&
	       inflate_sort(&self->distance, lengths + literals, distances,
			    true);
}

/* Expands a block. *@last says whether it is the last one. */
static bool inflate_block(struct inflate *self, struct reader *reader,
			  const uint8_t *start, uint8_t **to, uint8_t *end,
			  bool *last)
{
	if (!inflate_refill(reader))
		return false;
	*last = inflate_take(reader, 1);
	switch (inflate_take(reader, 2)) {
	case 0:
		return inflate_stored(reader, to, end);
	case 1:
		set_fixed(self);
		break;
	case 2:
		if (!read_codes(self, reader))
			return false;
		break;
	default:
		return false;
	}
	make_table(&self->literal, self->literals, INFLATE_LITERAL_BITS,
		   literal_entry);
	make_table(&self->distance, self->distances, INFLATE_DISTANCE_BITS,
		   distance_entry);
	return inflate_codes(self, reader, start, to, end);
}

const char *inflate_whole(struct inflate *self, const uint8_t *data,
			  size_t length, uint8_t *to, size_t room)
{
	struct reader reader = { .data = data, .length = length };
	uint8_t *out = to;
	bool last = false;

	while (!last)
		if (!inflate_block(self, &reader, to, &out, to + room, &last))
			return not_deflate;
	if (inflate_used(&reader) > length)
		return not_deflate;
	return inflate_used(&reader) < length || out < to + room ?
	       "ends early" : NULL;
}
