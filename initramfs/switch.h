/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Switches from the initramfs to the root that is mounted at NEW_ROOT, and
 * starts its init.
 */
#ifndef INITRAMFS_SWITCH_H
#define INITRAMFS_SWITCH_H

#include "initramfs/cmdline.h"

/*
 * Finds the init in NEW_ROOT: that of @boot, or the first of the usual ones.
 * Changes nothing. Returns its path, or NULL after printing why.
 */
const char *switch_find_init(const struct boot *boot);

/*
 * Moves the kernel's filesystems to NEW_ROOT, makes that /, deletes all files
 * of the initramfs, and executes @init with the @argc arguments @argv. Returns
 * only on failure: -errno after printing why.
 */
int switch_to(const char *init, int argc, char **argv);

#endif
