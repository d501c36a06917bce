/* SPDX-License-Identifier: GPL-2.0 */
/* SHA-256 (FIPS 180-4), small rather than fast. */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32		/* bytes of a digest */

/* A message of which more may come. May be copied, to continue it twice. */
struct sha256 {
	uint32_t state[8];
	uint64_t length;	/* bytes so far */
	uint8_t block[64];	/* what does not fill a block yet */
};

void sha256_start(struct sha256 *self);
void sha256_add(struct sha256 *self, const void *data, size_t length);

/* Ends the message. @self must be started again before it is used. */
void sha256_end(struct sha256 *self, uint8_t digest[SHA256_SIZE]);

#endif
