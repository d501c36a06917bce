/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether two files or devices hold the same bytes, so that writing to one
 * destroys the other.
 */
#ifndef CORE_SAME_STORE_H
#define CORE_SAME_STORE_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Whether @a and @b are one file or device, or one of them is a device that the
 * other is part of or lies behind: a disk and its partition, a loop device or a
 * disk of ours and its file, in any number of steps. Two partitions of a disk
 * are not the same. What the kernel and our records do not tell is not known.
 */
bool same_store(const struct stat *a, const struct stat *b);

/*
 * Refuses to write to @out (@out_name) what is read from the descriptor @in
 * (@in_name) where they are the same store. Returns 0, or -EINVAL after
 * telling.
 */
int same_store_refuse(int in, const char *in_name, const struct stat *out,
		      const char *out_name);

#endif
