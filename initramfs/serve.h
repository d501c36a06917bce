/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Starts the server of the root: this program once more, with an ordinary
 * command line.
 */
#ifndef INITRAMFS_SERVE_H
#define INITRAMFS_SERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "initramfs/cmdline.h"

/*
 * Serves @path, a file or device. If @cow is not empty, writes are kept there.
 * @node (@size bytes) gets the path of the disk's node. Returns 0, or -errno
 * after printing why; the server's messages are reported as well.
 */
int serve_root(const struct boot *boot, const char *path, const char *cow,
	       char *node, size_t size);

#endif
