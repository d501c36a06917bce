/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Starts the server of the root. It is this program once more, and it is asked
 * as anybody would ask it: on its command line.
 */
#ifndef INITRAMFS_SERVE_H
#define INITRAMFS_SERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "initramfs/cmdline.h"

/*
 * Serves @path, a file or device, with what is written kept in @cow unless that
 * is empty, and puts the node that holds its contents in @node (@size bytes).
 * Returns 0, or -errno after telling; the server's own words are passed on.
 */
int serve_root(const struct boot *boot, const char *path, const char *cow,
	       char *node, size_t size);

#endif
