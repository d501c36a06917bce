/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A partition: where it is, and the names that it goes by.
 */
#ifndef INITRAMFS_PARTITION_H
#define INITRAMFS_PARTITION_H

#include <stdbool.h>

/* The folder with an entry for each block device. */
#define PARTITION_CLASS "/sys/class/block"

#define PARTITION_TEXT 128

struct partition {
	char node[PARTITION_TEXT];	/* below /dev */
	char disk[PARTITION_TEXT];	/* that of the disk it is on */
	char label[PARTITION_TEXT];
	unsigned int number;
};

/* Describes @name, an entry of the class; false when it is no partition. */
bool partition_read(const char *name, struct partition *partition);

/*
 * Puts its identifier in @text (PARTITION_TEXT bytes), as it stands behind
 * PARTUUID=. False when its disk's table has none.
 */
bool partition_identifier(const struct partition *partition, char *text);

/* Whether it is what @spec says: PARTUUID=..., PARTLABEL=... or a number. */
bool partition_is(const struct partition *partition, const char *spec);

#endif
