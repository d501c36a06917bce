// SPDX-License-Identifier: GPL-2.0
/*
 * All kinds of streams that zlib makes: complete, cut, longer than they say,
 * and with changed bits. inflate_whole() accepts what zlib accepts, with the
 * same contents. Of the rest libdeflate may accept a few, but only such as fill
 * the room. deflate_whole() makes streams that both expand to what they were
 * made of. Checksums are zlib's. Input and output are allocated so that the
 * sanitizer notices any access beyond their ends.
 *
 * deflate-zlib.c is the same for the other implementation.
 */
#include "lib/deflate.h"

#include <zlib.h>

#include "tests/unit/image-test.h"

/* Whether nothing is accepted that zlib refuses. */
#ifndef STRICT
#define STRICT 0
#endif

#define LARGEST 200000
#define FLIPS 60

static struct inflater inflater;
static uint32_t random_state = 2463534242;
static uint8_t truth[LARGEST + 1];
static unsigned int streams, refused, wrong, lenient;

static bool zlib_takes(const uint8_t *data, size_t length, size_t room)
{
	z_stream stream = { 0 };
	int ret;

	if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		abort();
	stream.next_in = (z_const Bytef *)(uintptr_t)data;
	stream.avail_in = length;
	stream.next_out = truth;
	stream.avail_out = room;
	ret = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return ret == Z_STREAM_END && !stream.avail_in && !stream.avail_out;
}

/* Whether the stream is accepted. Counts differences from zlib. */
static bool is_taken(const uint8_t *data, size_t length, size_t room)
{
	uint8_t *in = malloc(length);
	uint8_t *out = malloc(room + !room);	/* room may be 0 */
	bool taken, right;

	if (!in || !out)
		abort();
	memcpy(in, data, length);
	taken = !inflate_whole(&inflater, in, length, out + !room, room);
	right = zlib_takes(data, length, room);
	lenient += taken && !right;
	wrong += (right && !taken) || (STRICT && taken && !right) ||
		 (right && memcmp(out + !room, truth, room));
	streams++;
	refused += !taken;
	free(in);
	free(out);
	return taken;
}

/* Kinds of data. */
enum kind { ZEROES, NOISE, WORDS, LONG_CODES, PATTERNS, MIXED, KINDS };

static const char *const kinds[KINDS] = {
	"zeroes", "noise", "words", "codes of every length", "patterns",
	"all of it",
};

static void make_data(enum kind kind, uint8_t *data, size_t length)
{
	size_t i = 0;

	while (i < length) {
		size_t run = 1 + next_random(&random_state) % 300;
		size_t distance = 1 + next_random(&random_state) %
				  (run % 3 ? 20 : 32768);
		enum kind now = kind == MIXED ?
				next_random(&random_state) % MIXED : kind;

		for (; run && i < length; run--, i++) {
			uint32_t r = next_random(&random_state);

			data[i] = 0;
			if (now == NOISE)
				data[i] = r >> 8;
			else if (now == WORDS)
				data[i] = "the same as before "[r % 6 + i % 13];
			else if (now == LONG_CODES)
				/*
				 * Each byte value is half as frequent as the
				 * one before.
				 */
				data[i] = __builtin_ctz(r | 1U << 24) * 7;
			else if (now == PATTERNS && distance <= i)
				data[i] = data[i - distance];
			else if (now == PATTERNS)
				data[i] = r;
		}
	}
}

/* Returns the length of the stream. */
static size_t make_stream(const uint8_t *data, size_t length, int level,
			   int strategy, uint8_t *to, size_t room)
{
	static const int flushes[] = {
		Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK
	};
	z_stream stream = { 0 };

	if (deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS,
			 1 + next_random(&random_state) % 9, strategy) != Z_OK)
		abort();
	stream.next_in = (z_const Bytef *)(uintptr_t)data;
	stream.next_out = to;
	stream.avail_out = room;
	while (length) {
		size_t part = 1 + next_random(&random_state) % length;

		stream.avail_in = part;
		if (deflate(&stream, flushes[next_random(&random_state) % 5]) !=
		    Z_OK || stream.avail_in)
			abort();
		length -= part;
	}
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&stream);
	return room - stream.avail_out;
}

/* Tries a stream as it is, and damaged in many ways. */
static void try_stream(uint8_t *packed, size_t packed_length, size_t length)
{
	wrong += !is_taken(packed, packed_length, length);
	wrong += is_taken(packed, packed_length, length + 1);
	wrong += length && is_taken(packed, packed_length, length - 1);
	wrong += is_taken(packed, packed_length - 1, length);
	packed[packed_length] = 0;
	wrong += is_taken(packed, packed_length + 1, length);
	is_taken(packed, next_random(&random_state) % packed_length, length);
	for (unsigned int i = 0; i < FLIPS; i++) {
		/* Mostly in the code lengths. */
		size_t n = i % 3 && packed_length > 100 ? 100 : packed_length;
		size_t bit = next_random(&random_state) % (8 * n);

		packed[bit / 8] ^= 1 << bit % 8;
		is_taken(packed, packed_length, length);
		packed[bit / 8] ^= 1 << bit % 8;
	}
}

static void test_kind(enum kind kind)
{
	static const size_t lengths[] = {
		0, 1, 2, 7, 8, 9, 15, 16, 17, 258, 259, 300, 4096, 61440, LARGEST
	};
	static const int strategies[] = {
		Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED
	};
	static uint8_t data[LARGEST], packed[2 * LARGEST + 1000];

	streams = refused = wrong = lenient = 0;
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (unsigned int j = 0; j < 10; j++) {
			size_t n;

			make_data(kind, data, lengths[i]);
			n = make_stream(data, lengths[i], j,
					 strategies[j % 5], packed,
					 sizeof(packed) - 1);
			try_stream(packed, n, lengths[i]);
		}
	check(!wrong && refused && lenient < streams / 100,
	      "%s: %u streams, %u refused, %u wrong, %u that only zlib refuses",
	      kinds[kind], streams, refused, wrong, lenient);
}

/* Random bytes that start like a block of each kind. */
static void test_noise(void)
{
	uint8_t data[300];

	streams = refused = wrong = lenient = 0;
	for (unsigned int i = 0; i < 200000; i++) {
		size_t length = 1 + next_random(&random_state) % sizeof(data);

		for (size_t at = 0; at < length; at++)
			data[at] = next_random(&random_state) >> 8;
		/* Make dynamic blocks more frequent than by chance. */
		if (i % 2)
			data[0] = (data[0] & 7) | 4;
		is_taken(data, length, next_random(&random_state) % 1000);
	}
	check(!wrong && lenient < streams / 100,
	      "no streams: %u, %u refused, %u wrong, %u that only zlib refuses",
	      streams, refused, wrong, lenient);
}

/*
 * Compresses data to at most @room bytes, and compares what zlib and
 * inflate_whole() expand it to. Returns the size of the stream.
 */
static size_t squeeze(struct deflater *deflater, const uint8_t *data,
		      size_t length, size_t room)
{
	uint8_t *in = malloc(length), *to = malloc(room);
	size_t size;

	if (!in || !to)
		abort();
	memcpy(in, data, length);
	size = deflate_whole(deflater, in, length, to, room);
	wrong += size > room;
	if (size) {
		wrong += !is_taken(to, size, length);
		wrong += !!memcmp(truth, data, length);
	}
	free(in);
	free(to);
	return size;
}

/* With each level: to more room than needed, to enough, and to too little. */
static void test_squeeze(enum kind kind)
{
	static const size_t lengths[] = { 1, 2, 7, 50, 300, 4096, 61440, LARGEST };
	static uint8_t data[LARGEST];
	struct deflater deflater;
	size_t sum = 0, before = 0;

	streams = wrong = 0;
	for (int level = 1; level <= DEFLATE_LEVEL_MAX; level++) {
		random_state = 362436069;
		before = sum;
		sum = 0;
		if (deflater_init(&deflater, level))
			abort();
		for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
			size_t size, length = lengths[i];

			make_data(kind, data, length);
			size = squeeze(&deflater, data, length,
				       2 * length + 1000);
			wrong += !size;
			wrong += squeeze(&deflater, data, length,
					 2 * length + 999) != size;
			wrong += squeeze(&deflater, data, length, size + 9) !=
				 size;
			wrong += !!squeeze(&deflater, data, length, size - 1);
			wrong += !!squeeze(&deflater, data, length,
					   1 + size / 2 - (size == 1));
			sum += size;
		}
		deflater_free(&deflater);
	}
	check(!wrong && streams, "%s: compressed by each level, %u wrong",
	      kinds[kind], wrong);
	if (kind == WORDS)
		check(sum <= before, "the highest level makes the least");
}

/* Odd bytes at both ends: each way of a processor has its own for them. */
static void test_checksums(void)
{
	static uint8_t data[LARGEST];
	const size_t most = 1100;

	make_data(MIXED, data, sizeof(data));
	wrong = crc32_add(0, data, sizeof(data)) !=
		crc32(0, data, sizeof(data));
	wrong += crc32_add(123, NULL, 0) != 123;
	wrong += crc32_join(123, 0, 0) != 123;
	for (size_t at = 0; at < 65; at++)
		for (size_t length = 0; length < most; length++) {
			uint8_t *copy = malloc(at + length + !(at + length));
			uint32_t first, second, all;

			if (!copy)
				abort();
			memcpy(copy, data, at + length);
			first = crc32(0, data, at);
			second = crc32(0, data + at, length);
			all = crc32(0, data, at + length);
			wrong += crc32_add(first, copy + at, length) != all;
			wrong += crc32_join(first, second, length) != all;
			free(copy);
		}
	wrong += crc32_join(1, 2, 1ULL << 40 | 12345) !=
		 crc32_combine64(1, 2, 1LL << 40 | 12345);
	check(!wrong, "checksums: %u wrong", wrong);
}

int main(void)
{
	if (inflater_init(&inflater))
		abort();
	for (enum kind kind = 0; kind < KINDS; kind++)
		test_kind(kind);
	test_noise();
	for (enum kind kind = 0; kind < KINDS; kind++)
		test_squeeze(kind);
	test_checksums();
	inflater_free(&inflater);
	return done_testing();
}
