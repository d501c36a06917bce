/* SPDX-License-Identifier: GPL-2.0 */
/* A partition: its device, and the names by which it can be found. */
#ifndef INITRAMFS_PARTITION_H
#define INITRAMFS_PARTITION_H

#include <stdbool.h>

/* The sysfs directory with an entry for each block device. */
#define PARTITION_CLASS "/sys/class/block"

#define PARTITION_TEXT 128
#define PARTITION_DESCRIPTION (2 * PARTITION_TEXT + 32)

/* Strings are empty if there is no such name. */
struct partition {
	char node[PARTITION_TEXT];	/* below /dev */
	char disk[PARTITION_TEXT];	/* the node of its disk */
	char uuid[PARTITION_TEXT];	/* as after PARTUUID= */
	char label[PARTITION_TEXT];	/* its name, in UTF-8 */
	char short_label[PARTITION_TEXT];	/* as the kernel shows it */
	unsigned int number;
};

/*
 * Describes @name, an entry of PARTITION_CLASS. Returns false if it is not a
 * partition.
 */
bool partition_read(const char *name, struct partition *partition);

/*
 * Whether @spec names it: PARTUUID=..., PARTUUID=.../PARTNROFF=N, PARTLABEL=...
 * or a number.
 */
bool partition_is(const struct partition *partition, const char *spec);

/* Formats the names by which it can be found, for a message. */
void partition_describe(const struct partition *partition,
			char text[PARTITION_DESCRIPTION]);

#endif
