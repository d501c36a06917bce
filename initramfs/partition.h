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
#define PARTITION_DESCRIPTION (2 * PARTITION_TEXT + 32)

/* Text is empty where there is none. */
struct partition {
	char node[PARTITION_TEXT];	/* below /dev */
	char disk[PARTITION_TEXT];	/* that of the disk it is on */
	char uuid[PARTITION_TEXT];	/* as it stands behind PARTUUID= */
	char label[PARTITION_TEXT];	/* its name, in UTF-8 */
	char short_label[PARTITION_TEXT];	/* as the kernel has it */
	unsigned int number;
};

/* Describes @name, an entry of the class; false when it is no partition. */
bool partition_read(const char *name, struct partition *partition);

/*
 * Whether it is what @spec says: PARTUUID=..., PARTUUID=.../PARTNROFF=N,
 * PARTLABEL=... or a number.
 */
bool partition_is(const struct partition *partition, const char *spec);

/* The names that it can be found by, for a message. */
void partition_describe(const struct partition *partition,
			char text[PARTITION_DESCRIPTION]);

#endif
