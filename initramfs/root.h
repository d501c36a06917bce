/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finds what `ublk.root=` or `ublk.cow=` names: a file of the initramfs, a device
 * node, or a partition by its name or identifier. It opens nothing for longer than
 * a look.
 */
#ifndef INITRAMFS_ROOT_H
#define INITRAMFS_ROOT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Finds @spec, the value of @word, and puts its path in @path (@size bytes).
 * What is not in the initramfs may still be on its way: waits for it up to @wait
 * seconds. Returns 0, or -errno after telling.
 */
int root_find(const char *word, const char *spec, unsigned int wait,
	      char *path, size_t size);

/* Sets *gzip when @path begins as gzip does. Returns 0, or -errno after telling. */
int root_is_gzip(const char *path, bool *gzip);

#endif
