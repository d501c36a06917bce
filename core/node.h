/* SPDX-License-Identifier: GPL-2.0 */
/* The nodes of a device in /dev. */
#ifndef CORE_NODE_H
#define CORE_NODE_H

/* Writes the path of the disk of device @id, such as "/dev/ublkb7". */
#define DEVICE_NODE_MAX 32
void device_node(int id, char node[DEVICE_NODE_MAX]);

/*
 * Opens a node that the kernel has just announced. devtmpfs makes it at once,
 * but udev or mdev may need some time: waits for it, but not if the kernel no
 * longer has the device. Returns the descriptor, or -errno after printing why.
 */
int device_open_node(const char *node, int flags);

#endif
