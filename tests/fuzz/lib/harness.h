/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzers of the image reader use: assertions, a backing store in
 * memory that notices every read outside of it, memory accounting, and the
 * reader's messages. It replaces pread() and lib/message.c.
 *
 * A fuzzer is one file in tests/fuzz, written for libFuzzer. lib/replay.c is
 * another main() for it, which does not need clang.
 */
#ifndef TESTS_FUZZ_HARNESS_H
#define TESTS_FUZZ_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The interface of libFuzzer. The last two functions are optional. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed);

/* If @good is false, the input is a find: prints @what and aborts. */
__attribute__((format(printf, 2, 3)))
void must(bool good, const char *what, ...);

/* The descriptor of the backing store, which is no file of this process. */
#define BACKING_FD 1000000

/*
 * Makes @length bytes at @data, which stay the caller's, the backing store.
 * pread() of it is sometimes interrupted or cut short, always at the same
 * places for the same reads.
 */
void backing_set(const uint8_t *data, size_t length);

/*
 * Makes a read fail with EIO, after @good others. Returns whether the last such
 * failure has happened.
 */
void backing_fail_after(unsigned int good);
bool backing_failed(void);

/* A whole read, with the same assertions. */
void backing_read(void *to, size_t length, uint64_t offset);

/* Number of bytes read since backing_set(). */
uint64_t backing_bytes(void);

/* Heap memory since memory_start(). */
struct memory {
	int64_t live;		/* bytes that are allocated now */
	int64_t peak;
	unsigned int count;	/* number of allocations */
};

void memory_start(void);
struct memory memory_stop(void);

/* Number of messages since the last call. */
unsigned int messages_told(void);

/* Random numbers that depend only on the seed. */
uint32_t next_random(uint32_t *state);

#endif
