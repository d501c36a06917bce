/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Puts dm-verity between the root's disk and its filesystem, so that the kernel
 * verifies each block that it reads by a root hash.
 */
#ifndef INITRAMFS_VERITY_H
#define INITRAMFS_VERITY_H

#include <stddef.h>

#include "initramfs/cmdline.h"

/*
 * Finds the hash tree on the disk or partition @node, compares its root hash with
 * that of @boot, and replaces @node (@size bytes) by the device that verifies it,
 * which is read-only. Returns 0, or -errno after printing why.
 */
int verity_map(const struct boot *boot, char *node, size_t size);

/*
 * Removes that device again, so that its disk can be stopped. It must not be
 * mounted. Does nothing if there is none.
 */
void verity_unmap(void);

#endif
