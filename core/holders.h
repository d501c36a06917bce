/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finds out what uses a disk of ours. Reads what the kernel shows in /proc and
 * /sys, and asks the driver nothing.
 */
#ifndef CORE_HOLDERS_H
#define CORE_HOLDERS_H

#include <stdbool.h>

#define HOLDER_MAX 160

struct holder {
	char text[HOLDER_MAX];	/* such as "mounted on /mnt" */
	bool opened;		/* open in a program, maybe not for long */
};

/*
 * Finds one user of the disk of device @id or of one of its partitions: a
 * filesystem in any mount namespace, swap, a dm or md device, a loop device,
 * another device of ours (even if its server is dead), or a program that has it
 * open, as far as /proc shows the caller. Returns false if there is none.
 */
bool holders_find(int id, struct holder *holder);

/* As holders_find(), but looks only for other devices of ours. */
bool holders_find_device(int id, struct holder *holder);

/*
 * How long programs that look at every new disk, as udev does, may have it
 * open.
 */
#define HOLDERS_PASS_MS 2000

/*
 * As holders_find(), but waits HOLDERS_PASS_MS for a program that only has the
 * disk open.
 */
bool holders_stay(int id, struct holder *holder);

#endif
