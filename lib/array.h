/* SPDX-License-Identifier: GPL-2.0 */
/* Arrays that grow. */
#ifndef LIB_ARRAY_H
#define LIB_ARRAY_H

#include <stddef.h>

/*
 * Makes room in an array, which is NULL at first, for @more items behind the
 * @count that it has, of @size bytes each. *@room is how many it has room for.
 * Returns the array, which may have moved; or NULL if there is no memory, and
 * then the old one is as it was.
 */
void *array_reserve(void *array, size_t size, size_t count, size_t more,
		    size_t *room);

/* Gives back the memory behind the first @bytes. Returns the array. */
void *array_shrink(void *array, size_t bytes);

#endif
