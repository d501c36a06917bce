// SPDX-License-Identifier: GPL-2.0
/*
 * All kinds of streams that zlib makes: complete, cut, longer than they say,
 * and with changed bits. inflate_whole() accepts what zlib accepts, with the
 * same contents, and refuses the rest. Input and output are allocated so that
 * the sanitizer notices any access beyond their ends.
 */
#include "image/inflate.h"

#include <zlib.h>

#include "tests/unit/image-test.h"

#define LARGEST 200000
#define FLIPS 60

static struct inflate inflate_state;
static uint32_t random_state = 2463534242;
static uint8_t truth[LARGEST + 1];
static unsigned int streams, refused, wrong;

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
	uint8_t *in = malloc(length + INFLATE_BEHIND);
	uint8_t *out = malloc(room + !room);	/* room may be 0 */
	bool taken;

	if (!in || !out)
		abort();
	memcpy(in, data, length);
	for (size_t i = 0; i < INFLATE_BEHIND; i++)
		in[length + i] = next_random(&random_state);
	taken = !inflate_whole(&inflate_state, in, length, out + !room, room);
	wrong += taken != zlib_takes(data, length, room) ||
		 (taken && memcmp(out + !room, truth, room));
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
static size_t deflate_data(const uint8_t *data, size_t length, int level,
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

	streams = refused = wrong = 0;
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (unsigned int j = 0; j < 10; j++) {
			size_t n;

			make_data(kind, data, lengths[i]);
			n = deflate_data(data, lengths[i], j,
					 strategies[j % 5], packed,
					 sizeof(packed) - 1);
			try_stream(packed, n, lengths[i]);
		}
	check(!wrong && refused, "%s: %u streams, %u refused, %u wrong",
	      kinds[kind], streams, refused, wrong);
}

/* Random bytes that start like a block of each kind. */
static void test_noise(void)
{
	uint8_t data[300];

	streams = refused = wrong = 0;
	for (unsigned int i = 0; i < 200000; i++) {
		size_t length = 1 + next_random(&random_state) % sizeof(data);

		for (size_t at = 0; at < length; at++)
			data[at] = next_random(&random_state) >> 8;
		/* Make dynamic blocks more frequent than by chance. */
		if (i % 2)
			data[0] = (data[0] & 7) | 4;
		is_taken(data, length, next_random(&random_state) % 1000);
	}
	check(!wrong, "no streams: %u, %u refused, %u wrong", streams, refused,
	      wrong);
}

int main(void)
{
	for (enum kind kind = 0; kind < KINDS; kind++)
		test_kind(kind);
	test_noise();
	return done_testing();
}
