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
 * Whether @a and @b are the same file or device, or one of them is a block
 * device that the other lies below or is part of: a disk and its partition, a
 * loop device and its file, a disk of ours and its backing file, in any number
 * of steps. Two partitions of a disk are not the same. It sees only what sysfs
 * and our records show.
 */
bool same_store(const struct stat *a, const struct stat *b);

/*
 * Refuses a copy from the descriptor @in to the file @out if both are the same
 * store. @in_name and @out_name are for the message. Returns 0, or -EINVAL
 * after printing why.
 */
int same_store_refuse(int in, const char *in_name, const struct stat *out,
		      const char *out_name);

#endif
