// SPDX-License-Identifier: GPL-2.0
#include "core/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/message.h"

#define NODE_WAIT_MS 5000	/* for udev or mdev to create a node */
#define NODE_TICK_MS 2

void device_node(int id, char node[DEVICE_NODE_MAX])
{
	snprintf(node, DEVICE_NODE_MAX, "/dev/ublkb%d", id);
}

/* Whether sysfs says that the kernel has no device for @node. */
static bool node_is_gone(const char *node)
{
	const char *name = strrchr(node, '/') + 1;
	const char *class = !strncmp(name, "ublkb", 5) ? "block" : "ublk-char";
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/%s", class);
	if (access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "/sys/class/%s/%s", class, name);
	return access(path, F_OK);
}

int device_open_node(const char *node, int flags)
{
	uint64_t end = clock_ms() + NODE_WAIT_MS;
	int err;

	do {
		int fd = open(node, flags | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		err = -errno;
		if (err != -ENOENT && err != -ENXIO && err != -EACCES)
			break;
		if (node_is_gone(node)) {
			message("%s: was stopped while it started", node);
			return -ENODEV;
		}
		clock_sleep_ms(NODE_TICK_MS);
	} while (clock_ms() < end);
	if (err == -ENOENT)
		message("%s did not appear; is devtmpfs mounted on /dev?",
			node);
	else
		message_fail(err, "%s", node);
	return err;
}
