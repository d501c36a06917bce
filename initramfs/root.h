/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finds what `ublk.root=` or `ublk.cow=` names: a file of the initramfs, a
 * device node, or a partition by its label or identifier. It keeps nothing
 * open.
 */
#ifndef INITRAMFS_ROOT_H
#define INITRAMFS_ROOT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Finds @spec, the value of @word, and stores its path in @path (@size bytes).
 * If it is not in the initramfs, waits up to @wait seconds for it to appear.
 * Returns 0, or -errno after printing why.
 */
int root_find(const char *word, const char *spec, unsigned int wait,
	      char *path, size_t size);

/*
 * Sets *gzip if @path begins with the gzip magic. Returns 0, or -errno after
 * printing why.
 */
int root_is_gzip(const char *path, bool *gzip);

#endif
