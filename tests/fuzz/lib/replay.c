// SPDX-License-Identifier: GPL-2.0
/*
 * A main() for a fuzzer without libFuzzer: runs its inputs again, and some
 * variants of each, always the same.
 *
 *   NAME [-variants=N] [-save=PATH] FILE...
 *
 * If an input crashes it, prints which, and saves it as PATH.
 */
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/lib/harness.h"

#define INPUT_MAX 65536
#define PATIENCE 20	/* seconds for one input, on a busy machine */

#pragma weak LLVMFuzzerInitialize
#pragma weak LLVMFuzzerCustomMutator

static uint32_t state;
static const char *save;

/* The current input. */
static struct {
	const char *path;
	unsigned int variant;
	const uint8_t *data;
	size_t size;
} current;

/* Changes, repeats or removes bytes at a few places. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	for (int n = 1 + next_random(&state) % 4; n; n--) {
		size_t at = size ? next_random(&state) % size : 0;

		switch (next_random(&state) % 4) {
		case 0:
			if (size < 2)
				break;
			memmove(data + at, data + at + 1, --size - at);
			break;
		case 1:
			if (size == max_size)
				break;
			memmove(data + at + 1, data + at, size++ - at);
			break;
		case 2:
			if (size)
				data[at] ^= 1 << next_random(&state) % 8;
			break;
		default:
			if (size)
				data[at] = next_random(&state);
		}
	}
	return size;
}

/* Allocates memory that ends with the input. */
static void try_input(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + !size);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	current.data = data;
	current.size = size;
	alarm(PATIENCE);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* Called for any crash, to print which input it was. */
static void tell_input(void)
{
	FILE *file = save ? fopen(save, "wb") : NULL;

	fprintf(stderr, "%s, variant %u\n", current.path, current.variant);
	if (file) {
		fwrite(current.data, 1, current.size, file);
		fclose(file);
	}
}

static void on_signal(int number)
{
	tell_input();
	signal(number, SIG_DFL);
	raise(number);
}

static size_t read_file(const char *path, uint8_t *data)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		exit(2);
	}
	size = fread(data, 1, INPUT_MAX, file);
	fclose(file);
	return size;
}

static void try_variant(const uint8_t *data, size_t size)
{
	static uint8_t copy[INPUT_MAX];

	memcpy(copy, data, size);
	if (LLVMFuzzerCustomMutator)
		size = LLVMFuzzerCustomMutator(copy, size, sizeof(copy),
					       next_random(&state));
	else
		size = LLVMFuzzerMutate(copy, size, sizeof(copy));
	try_input(copy, size);
}

/* Tries the input of a file, and variants that depend only on it. */
static void try_file(const char *path, unsigned int variants)
{
	static uint8_t data[INPUT_MAX];
	size_t size = read_file(path, data);

	state = 1;
	current.path = path;
	current.variant = 0;
	try_input(data, size);
	while (current.variant++ < variants)
		try_variant(data, size);
}

int main(int argc, char **argv)
{
	unsigned int variants = 0, tried = 0;

	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	__sanitizer_set_death_callback(tell_input);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "-variants=", 10)) {
			variants = atoi(argv[i] + 10);
		} else if (!strncmp(argv[i], "-save=", 6)) {
			save = argv[i] + 6;
		} else {
			try_file(argv[i], variants);
			tried += 1 + variants;
		}
	}
	printf("%u inputs\n", tried);
	return 0;
}
