// SPDX-License-Identifier: GPL-2.0
/* Arrays that grow, and the sizes at which they no longer can. */
#include "lib/array.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int number, failures;
static bool realloc_fails;
static size_t asked;		/* bytes of the last realloc() */

static void check(int good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/*
 * Replaces the C library's. The first calls come before AddressSanitizer is
 * ready, so its checks are left out here.
 */
void *__interceptor_realloc(void *old, size_t size);

__attribute__((no_sanitize("address", "undefined")))
void *realloc(void *old, size_t size)
{
	asked = size;
	if (realloc_fails) {
		errno = ENOMEM;
		return NULL;
	}
	return __interceptor_realloc(old, size);
}

static void test_growth(void)
{
	unsigned int moves = 0, wrong = 0, much = 0;
	size_t room = 0, count;
	uint32_t *items = NULL;

	for (count = 0; count < 100000 && moves < 30; count++) {
		const size_t before = room;

		items = array_reserve(items, sizeof(*items), count, 1, &room);
		if (!items || room <= count)
			abort();
		moves += room != before;
		much += room > 16 && room > 2 * (count + 1);
		wrong += room != before && asked != room * sizeof(*items);
		items[count] = count;
	}
	for (size_t i = 0; i < count; i++)
		wrong += items[i] != i;
	check(!wrong, "what is in it stays");
	check(moves < 30, "it seldom moves");
	check(!much, "and never has room for twice as many");
	items = array_shrink(items, count * sizeof(*items));
	for (size_t i = 0; i < count; i++)
		wrong += items[i] != i;
	check(!wrong && asked == count * sizeof(*items),
	      "also when the room behind it is given back");
	free(items);
}

static void test_many_at_once(void)
{
	size_t room = 0;
	char *text = array_reserve(NULL, 1, 0, 5000, &room);

	check(text && room >= 5000, "many items at once have room");
	asked = 0;
	check(array_reserve(text, 1, 4000, room - 4000, &room) == text &&
	      !asked, "where there is room nothing moves");
	check(array_shrink(text, 0) == text, "nothing of it is still an array");
	free(text);
}

static void test_failures(void)
{
	size_t room = 0;
	char *text = array_reserve(NULL, 1, 0, 100, &room);
	const size_t before = room;

	text[99] = 'x';
	realloc_fails = true;
	check(!array_reserve(text, 1, 100, before, &room) && room == before &&
	      text[99] == 'x', "without memory it stays as it was");
	check(array_shrink(text, 100) == text && text[99] == 'x',
	      "also if it cannot be moved to less");
	realloc_fails = false;
	free(text);
}

static void test_limits(void)
{
	static char array[8];
	size_t room = 8;

	check(!array_reserve(array, 1, 8, SIZE_MAX, &room) && room == 8,
	      "more bytes than there are addresses are refused");
	check(!array_reserve(array, 16, 8, SIZE_MAX / 16, &room) && room == 8,
	      "also where only the product is too large");
	check(!array_reserve(array, 16, 8, SIZE_MAX / 16 - 8, &room) &&
	      room == 8, "also where only the growth by half is");
	room = SIZE_MAX / 16;
	check(!array_reserve(array, 16, SIZE_MAX / 16, 1, &room),
	      "also behind an array of all memory");
}

int main(void)
{
	/* A report of AddressSanitizer must not lose what was printed. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_growth();
	test_many_at_once();
	test_failures();
	test_limits();
	printf("1..%d\n", number);
	return failures != 0;
}
