/* SPDX-License-Identifier: GPL-2.0 */
/* Chooses the root: the whole served disk, or a partition of it. */
#ifndef INITRAMFS_CHOOSE_H
#define INITRAMFS_CHOOSE_H

#include <stddef.h>

#include "initramfs/cmdline.h"

/*
 * Replaces the disk in @node (@size bytes) by the root: the partition that
 * @boot names. If it names none, a disk without partitions or with a filesystem
 * of its own is the root; otherwise the only partition with a filesystem. With a
 * root hash nothing is mounted to find that out, because it is not verified yet:
 * the root is then the whole disk. Returns 0, or -errno after printing which partitions there are.
 */
int choose_partition(const struct boot *boot, char *node, size_t size);

#endif
