// SPDX-License-Identifier: GPL-2.0
/*
 * deflate.c for the implementation with zlib alone, which this program has
 * whatever the others are built with.
 */
#include "lib/deflate-zlib.c"

#define STRICT 1
#include "tests/unit/deflate.c"
