// SPDX-License-Identifier: GPL-2.0
/* Finds the device or file of the root. */
#include "initramfs/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image/member.h"
#include "initramfs/partition.h"
#include "initramfs/report.h"
#include "lib/clock.h"

#define WAIT_STEP_MS 50
#define FLASH_SPEC "mtd:"		/* and the name of a flash partition */
#define FLASH_BLOCK "mtdblock"		/* and its number: the block device */

/* Looks once for the partition that @spec names. */
static bool partition_find(const char *spec, char *path, size_t size)
{
	struct partition partition;
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(PARTITION_CLASS);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		found = partition_read(entry->d_name, &partition) &&
			partition_is(&partition, spec);
	}
	closedir(dir);
	if (found)
		snprintf(path, size, "/dev/%s", partition.node);
	return found;
}

/*
 * Reads the name of the flash partition whose block device is @entry of
 * PARTITION_CLASS. Returns false if it is not one.
 */
static bool flash_name(const char *entry, char *name, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	if (strncmp(entry, FLASH_BLOCK, strlen(FLASH_BLOCK)))
		return false;
	snprintf(path, sizeof(path), "/sys/class/mtd/mtd%.16s/name",
		 entry + strlen(FLASH_BLOCK));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, name, size - 1);
	close(fd);
	if (got < 0)
		return false;
	name[got] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return true;
}

/* Looks once for the block device of the flash partition @wanted. */
static bool flash_find(const char *wanted, char *path, size_t size)
{
	char name[PARTITION_TEXT];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(PARTITION_CLASS);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = flash_name(entry->d_name, name, sizeof(name)) &&
			!strcmp(name, wanted);
	if (found)
		snprintf(path, size, "/dev/%s", entry->d_name);
	closedir(dir);
	return found;
}

static bool root_look(const char *spec, char *path, size_t size)
{
	if (!strncmp(spec, FLASH_SPEC, strlen(FLASH_SPEC)))
		return flash_find(spec + strlen(FLASH_SPEC), path, size);
	if (!strncmp(spec, "PART", 4))
		return partition_find(spec, path, size);
	snprintf(path, size, "%s", spec);
	return !access(path, F_OK);
}

/* Prints a line for each partition, with the names by which it can be found. */
static void report_partitions(void)
{
	char names[PARTITION_DESCRIPTION], name[PARTITION_TEXT];
	struct partition partition;
	struct dirent *entry;
	DIR *dir;

	dir = opendir(PARTITION_CLASS);
	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		if (flash_name(entry->d_name, name, sizeof(name)))
			report(REPORT_ERROR, "/dev/%s: " FLASH_SPEC "%s",
			       entry->d_name, name);
		if (!partition_read(entry->d_name, &partition))
			continue;
		partition_describe(&partition, names);
		report(REPORT_ERROR, "/dev/%s: %s", partition.node, names);
	}
	if (dir)
		closedir(dir);
}

/* Reports what exists, because that helps more than what is missing. */
static void report_missing(const char *word, const char *spec)
{
	char names[256] = "";
	struct dirent *entry;
	size_t used = 0;
	DIR *dir;

	dir = opendir(PARTITION_CLASS);
	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		used += snprintf(names + used, sizeof(names) - used, " %s",
				 entry->d_name);
		if (used >= sizeof(names))
			used = sizeof(names) - 1;
	}
	if (dir)
		closedir(dir);
	report(REPORT_ERROR, "%s=%s: there is no such device; block devices "
	       "here:%s", word, spec, *names ? names : " none");
	report_partitions();
}

static bool is_device_spec(const char *spec)
{
	return !strncmp(spec, "PARTUUID=", 9) ||
	       !strncmp(spec, "PARTLABEL=", 10) ||
	       !strncmp(spec, FLASH_SPEC, strlen(FLASH_SPEC));
}

int root_find(const char *word, const char *spec, unsigned int wait,
	      char *path, size_t size)
{
	unsigned int left = wait * (1000 / WAIT_STEP_MS);

	if (*spec != '/' && !is_device_spec(spec)) {
		report(REPORT_ERROR, "%s=%s: not PARTUUID=, PARTLABEL=, mtd:, a "
		       "device such as /dev/vda2 or a path in the initramfs",
		       word, spec);
		return -EINVAL;
	}
	if (root_look(spec, path, size))
		return 0;
	if (*spec == '/' && strncmp(spec, "/dev/", 5))
		return report_fail(ENOENT, "%s: not in the initramfs; set %s=",
				   spec, word);
	if (left)
		report(REPORT_WARNING, "waiting for %s, up to %u s", spec,
		       wait);
	for (; left; left--) {
		clock_sleep_ms(WAIT_STEP_MS);
		if (root_look(spec, path, size))
			return 0;
	}
	report_missing(word, spec);
	return -ENODEV;
}

int root_is_gzip(const char *path, bool *gzip)
{
	uint8_t magic[3] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return report_fail(errno, "%s", path);
	got = read(fd, magic, sizeof(magic));
	close(fd);
	if (got < 0)
		return report_fail(errno, "%s", path);
	*gzip = member_starts_gzip(magic);
	return 0;
}
