/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mounts what init needs: the kernel's filesystems, the root from its device,
 * and the overlay that makes the root writable.
 */
#ifndef INITRAMFS_MOUNTS_H
#define INITRAMFS_MOUNTS_H

#include <stdbool.h>

#include "initramfs/cmdline.h"

/* The future root's mount point, until it becomes /. */
#define NEW_ROOT "/newroot"

#define FSTYPE_MAX 64

/* The kernel's filesystems, which move to the new root. Ends with NULL. */
extern const char *const kernel_mounts[];

/* Mounts kernel_mounts. Returns 0, or -errno after printing why. */
int mounts_early(void);

/*
 * Whether @node holds a filesystem that mounts_root() would try, even if it is
 * damaged. @fstype (FSTYPE_MAX bytes) gets its type. Mounts it for a moment,
 * and writes nothing.
 */
bool mounts_knows(const struct boot *boot, const char *node, char *fstype);

/*
 * Mounts the filesystem on @node at NEW_ROOT, read-only or below an overlay as
 * @boot says. @fstype (FSTYPE_MAX bytes) gets its type. With an overlay, the
 * image is visible at /run/root/lower and the written files at /run/root/upper.
 * Returns 0, or -errno after printing why.
 */
int mounts_root(const struct boot *boot, const char *node, char *fstype);

#endif
