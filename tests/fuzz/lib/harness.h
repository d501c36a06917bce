/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzers of the image reader stand on: claims, a backing store in
 * memory that notices each read outside of it, an account of memory, and the
 * messages that the reader tells. It takes the place of pread() and of
 * lib/message.c.
 *
 * A fuzzer is one file in tests/fuzz, written for libFuzzer; lib/replay.c is
 * another main() for it, which needs no clang.
 */
#ifndef TESTS_FUZZ_HARNESS_H
#define TESTS_FUZZ_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The interface of libFuzzer; the last two are a fuzzer's own to have. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed);

/* Where @good is false the input is a find: tells @what, and aborts. */
__attribute__((format(printf, 2, 3)))
void must(bool good, const char *what, ...);

/* The descriptor of the backing store; no file of this process has it. */
#define BACKING_FD 1000000

/*
 * @length bytes at @data, which stay the caller's, are the backing store from
 * now on. pread() of it is interrupted and cut short now and then, in the same
 * places for the same reads.
 */
void backing_set(const uint8_t *data, size_t length);

/*
 * Of the next reads of it the one after @good others fails, with EIO. Whether
 * one did since that was last asked.
 */
void backing_fail_after(unsigned int good);
bool backing_failed(void);

/* A whole read, with the same claims. */
void backing_read(void *to, size_t length, uint64_t offset);

/* Bytes that were read since backing_set(). */
uint64_t backing_bytes(void);

/* Of the heap, since memory_start(). */
struct memory {
	int64_t live;		/* bytes; what was freed is taken off */
	int64_t peak;
	unsigned int count;	/* allocations */
};

void memory_start(void);
struct memory memory_stop(void);

/* How many messages were told since it was last asked for. */
unsigned int messages_told(void);

/* Numbers that follow from the seed alone. */
uint32_t next_random(uint32_t *state);

#endif
