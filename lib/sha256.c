// SPDX-License-Identifier: GPL-2.0
/*
 * SHA-256. The names of variables are those of the standard, FIPS 180-4, whose
 * section 6.2.2 has the steps.
 */
#include "lib/sha256.h"

#include <string.h>

#include "lib/big-endian.h"

#define BLOCK 64
#define LENGTH_AT 56	/* in the last block: the message's length in bits */

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The same of the square roots of the first eight. */
static const uint32_t initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t rotate(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

/*
 * The word of round @t. Of the message schedule only the last 16 words are kept:
 * word t is in w[t % 16].
 */
static uint32_t schedule(uint32_t w[16], unsigned int t)
{
	uint32_t before = w[(t + 1) % 16], late = w[(t + 14) % 16];

	if (t >= 16)
		w[t % 16] += (rotate(before, 7) ^ rotate(before, 18) ^
			      before >> 3) + w[(t + 9) % 16] +
			     (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
	return w[t % 16];
}

static void sha256_block(uint32_t state[8], const uint8_t *block)
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
	uint32_t w[16], t1, t2;
	unsigned int t;

	for (t = 0; t < 16; t++)
		w[t] = get_be32(block + 4 * t);
	for (t = 0; t < 64; t++) {
		t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
		     ((e & f) ^ (~e & g)) + k[t] + schedule(w, t);
		t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
		     ((a & b) ^ (a & c) ^ (b & c));
		h = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

void sha256_start(struct sha256 *self)
{
	memcpy(self->state, initial, sizeof(initial));
	self->length = 0;
}

void sha256_add(struct sha256 *self, const void *data, size_t length)
{
	const uint8_t *at = data;

	while (length) {
		size_t used = self->length % BLOCK;
		size_t n = BLOCK - used;

		if (n > length)
			n = length;
		if (n == BLOCK) {
			sha256_block(self->state, at);
		} else {
			memcpy(self->block + used, at, n);
			if (used + n == BLOCK)
				sha256_block(self->state, self->block);
		}
		self->length += n;
		at += n;
		length -= n;
	}
}

void sha256_end(struct sha256 *self, uint8_t digest[SHA256_SIZE])
{
	static const uint8_t padding[BLOCK] = { 0x80 };
	uint64_t bits = self->length * 8;
	size_t used = self->length % BLOCK;
	uint8_t length[8];

	put_be32(length, bits >> 32);
	put_be32(length + 4, bits);
	sha256_add(self, padding, used < LENGTH_AT ? LENGTH_AT - used :
						     BLOCK + LENGTH_AT - used);
	sha256_add(self, length, sizeof(length));
	for (unsigned int i = 0; i < 8; i++)
		put_be32(digest + 4 * i, self->state[i]);
}
