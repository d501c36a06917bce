/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chooses what of the served disk is the root: all of it, or a partition.
 */
#ifndef INITRAMFS_CHOOSE_H
#define INITRAMFS_CHOOSE_H

#include <stddef.h>

#include "initramfs/cmdline.h"

/*
 * Replaces the disk in @node (@size bytes) by the partition that @boot names. If it
 * names none, a disk without partitions stays, and so does one that is a filesystem
 * itself; else it is the only partition that holds one. Returns 0, or -errno after
 * telling what there is.
 */
int choose_partition(const struct boot *boot, char *node, size_t size);

#endif
