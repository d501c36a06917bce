/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What init mounts: the kernel's own filesystems, the root from its device, and
 * the overlay that makes it writable.
 */
#ifndef INITRAMFS_MOUNTS_H
#define INITRAMFS_MOUNTS_H

#include <stdbool.h>

#include "initramfs/cmdline.h"

/* The root of the system to be, as long as it is not at /. */
#define NEW_ROOT "/newroot"

#define FSTYPE_MAX 64

/* The kernel's filesystems; they move on to the root. Ends with NULL. */
extern const char *const kernel_mounts[];

/* Mounts kernel_mounts. Returns 0, or -errno after telling. */
int mounts_early(void);

/*
 * Whether @node holds a filesystem that mounts_root() would take, though maybe a
 * damaged one, and of which type (FSTYPE_MAX bytes). It is mounted for a moment,
 * and nothing is written.
 */
bool mounts_knows(const struct boot *boot, const char *node, char *fstype);

/*
 * Mounts the filesystem on @node at NEW_ROOT, read-only or below an overlay as
 * @boot asks for, and puts the name of its type in @fstype (FSTYPE_MAX bytes).
 * With an overlay the image is seen at /run/root/lower and what is written at
 * /run/root/upper. Returns 0, or -errno after telling.
 */
int mounts_root(const struct boot *boot, const char *node, char *fstype);

#endif
