// SPDX-License-Identifier: GPL-2.0
#include "lib/array.h"

#include <stdint.h>
#include <stdlib.h>

#define ROOM_FIRST 16

void *array_reserve(void *array, size_t size, size_t count, size_t more,
		    size_t *room)
{
	const size_t most = SIZE_MAX / 2 / size;
	size_t larger;

	if (*room - count >= more)
		return array;
	if (count > most || more > most - count)
		return NULL;
	/* By half, so that the items are moved a few times only. */
	larger = (count + more) / 2 * 3;
	if (larger < ROOM_FIRST)
		larger = ROOM_FIRST;
	array = realloc(array, larger * size);
	if (array)
		*room = larger;
	return array;
}

void *array_shrink(void *array, size_t bytes)
{
	void *smaller = bytes ? realloc(array, bytes) : NULL;

	return smaller ? smaller : array;
}
