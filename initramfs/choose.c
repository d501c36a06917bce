// SPDX-License-Identifier: GPL-2.0
/* Looks at the partitions of a served disk in the order of their numbers. */
#include "initramfs/choose.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "initramfs/mounts.h"
#include "initramfs/partition.h"
#include "initramfs/report.h"
#include "lib/clock.h"

#define WAIT_STEP_MS 50
#define NODE_MAX (PARTITION_TEXT + sizeof("/dev/"))

/*
 * Finds the first partition of @disk with a number above @number; 0 at the
 * start. Returns false if there is none. The kernel creates at most 255.
 */
static bool choose_next(const char *disk, unsigned int number,
			struct partition *partition)
{
	char name[PARTITION_TEXT];

	while (++number < 256) {
		snprintf(name, sizeof(name), "%sp%u", disk + strlen("/dev/"),
			 number);
		if (partition_read(name, partition))
			return true;
	}
	return false;
}

static void node_of(const struct partition *partition, char node[NODE_MAX])
{
	snprintf(node, NODE_MAX, "/dev/%s", partition->node);
}

static bool choose_find(const char *disk, const char *spec, char node[NODE_MAX])
{
	struct partition partition = { .number = 0 };

	while (choose_next(disk, partition.number, &partition)) {
		node_of(&partition, node);
		if (partition_is(&partition, spec))
			return !access(node, F_OK);
	}
	return false;
}

/*
 * Waits, because some drivers look for partitions only after the disk is in
 * use.
 */
static bool choose_wait_for(const struct boot *boot, const char *disk,
			    char node[NODE_MAX])
{
	unsigned int left = boot->wait * (1000 / WAIT_STEP_MS);

	if (choose_find(disk, boot->part, node))
		return true;
	if (left)
		report(REPORT_WARNING, "waiting for part=%s of %s, up to %u s",
		       boot->part, disk, boot->wait);
	for (; left; left--) {
		clock_sleep_ms(WAIT_STEP_MS);
		if (choose_find(disk, boot->part, node))
			return true;
	}
	return false;
}

/* Prints a line for each partition. */
static void choose_report_all(const struct boot *boot, const char *disk)
{
	char node[NODE_MAX], names[PARTITION_DESCRIPTION], fstype[FSTYPE_MAX];
	struct partition partition = { .number = 0 };

	while (choose_next(disk, partition.number, &partition)) {
		node_of(&partition, node);
		partition_describe(&partition, names);
		report(REPORT_ERROR, "part=%u: %s, %s", partition.number,
		       mounts_knows(boot, node, fstype) ?
		       fstype : "no filesystem known", names);
	}
}

static int choose_named(const struct boot *boot, const char *disk,
			char node[NODE_MAX])
{
	struct partition partition;

	if (choose_wait_for(boot, disk, node))
		return 0;
	report(REPORT_ERROR, "%s: has no partition part=%s; %s", disk,
	       boot->part,
	       choose_next(disk, 0, &partition) ? "there are" : "it has none");
	choose_report_all(boot, disk);
	return -ENODEV;
}

/* Counts the partitions that can be the root. @last gets the last of them. */
static unsigned int count_roots(const struct boot *boot, const char *disk,
				struct partition *last)
{
	struct partition partition = { .number = 0 };
	char node[NODE_MAX], fstype[FSTYPE_MAX];
	unsigned int count = 0;

	while (choose_next(disk, partition.number, &partition)) {
		node_of(&partition, node);
		if (!mounts_knows(boot, node, fstype))
			continue;
		*last = partition;
		count++;
	}
	return count;
}

static int choose_only(const struct boot *boot, const char *disk,
		       char node[NODE_MAX])
{
	struct partition partition;
	char fstype[FSTYPE_MAX];
	unsigned int count;

	snprintf(node, NODE_MAX, "%s", disk);
	if (!choose_next(disk, 0, &partition) ||
	    mounts_knows(boot, disk, fstype))
		return 0;
	count = count_roots(boot, disk, &partition);
	node_of(&partition, node);
	if (count == 1)
		return 0;
	if (count)
		report(REPORT_ERROR, "%s: more than one partition can be the "
		       "root; choose one, as in ublk.root=%s,part=%u", disk,
		       boot->root, partition.number);
	else
		report(REPORT_ERROR, "%s: neither the disk nor a partition "
		       "holds a filesystem known to this kernel", disk);
	choose_report_all(boot, disk);
	return -EINVAL;
}

int choose_partition(const struct boot *boot, char *node, size_t size)
{
	char chosen[NODE_MAX];
	int err;

	if (boot->verity && !boot->part)
		return 0;
	if (boot->part)
		err = choose_named(boot, node, chosen);
	else
		err = choose_only(boot, node, chosen);
	if (!err)
		snprintf(node, size, "%s", chosen);
	return err;
}
