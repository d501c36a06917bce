/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who has a disk of ours. Looks at what the kernel shows of it, and asks the
 * driver nothing.
 */
#ifndef CORE_HOLDERS_H
#define CORE_HOLDERS_H

#include <stdbool.h>

#define HOLDER_MAX 160

struct holder {
	char text[HOLDER_MAX];	/* such as "mounted on /mnt" */
	bool opened;		/* a program has it open, and may soon be done */
};

/*
 * Finds one that has the disk of @id or a partition of it: a filesystem in any
 * mount namespace, swap, a volume or array, a loop device, another device of
 * ours, also one whose server is dead; or any program that has it open, as far
 * as /proc shows them to the caller. False where there is none.
 */
bool holders_find(int id, struct holder *holder);

/* The same, but only other devices of ours are looked at. */
bool holders_find_device(int id, struct holder *holder);

/* How long who looks at every new disk, as udev does, may take for it. */
#define HOLDERS_PASS_MS 2000

/*
 * As holders_find(), but a program that merely has it open is given that time.
 */
bool holders_stay(int id, struct holder *holder);

#endif
