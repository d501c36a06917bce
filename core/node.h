/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The nodes of a device in /dev.
 */
#ifndef CORE_NODE_H
#define CORE_NODE_H

/* The node of device @id, "/dev/ublkb7". */
#define DEVICE_NODE_MAX 32
void device_node(int id, char node[DEVICE_NODE_MAX]);

/*
 * Opens a node that the kernel has just announced: at once with devtmpfs, but
 * udev or mdev may take their time over it. It is not waited for when the kernel
 * has no such device any more. Returns the descriptor or -errno after telling.
 */
int device_open_node(const char *node, int flags);

#endif
