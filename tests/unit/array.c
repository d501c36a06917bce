// SPDX-License-Identifier: GPL-2.0
/* Arrays that grow, and the sizes at which they no longer can. */
#include "lib/array.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int number, failures;

static void check(int good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

static void test_growth(void)
{
	unsigned int moves = 0, wrong = 0;
	size_t room = 0, count;
	uint32_t *items = NULL;

	for (count = 0; count < 100000; count++) {
		const size_t before = room;

		items = array_reserve(items, sizeof(*items), count, 1, &room);
		if (!items || room <= count)
			abort();
		moves += room != before;
		items[count] = count;
	}
	for (size_t i = 0; i < count; i++)
		wrong += items[i] != i;
	check(!wrong, "what is in it stays");
	check(moves < 30, "it seldom moves");
	items = array_shrink(items, count * sizeof(*items));
	for (size_t i = 0; i < count; i++)
		wrong += items[i] != i;
	check(!wrong, "also when the room behind it is given back");
	free(items);
}

static void test_many_at_once(void)
{
	size_t room = 0;
	char *text = array_reserve(NULL, 1, 0, 5000, &room);

	check(text && room >= 5000, "many items at once have room");
	check(array_reserve(text, 1, 4000, 1000, &room) == text,
	      "where there is room nothing moves");
	check(array_shrink(text, 0) == text, "nothing of it is still an array");
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
	room = SIZE_MAX / 16;
	check(!array_reserve(array, 16, SIZE_MAX / 16, 1, &room),
	      "also behind an array of all memory");
}

int main(void)
{
	test_growth();
	test_many_at_once();
	test_limits();
	printf("1..%d\n", number);
	return failures != 0;
}
