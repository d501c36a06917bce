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

static bool root_look(const char *spec, char *path, size_t size)
{
	if (!strncmp(spec, "PART", 4))
		return partition_find(spec, path, size);
	snprintf(path, size, "%s", spec);
	return !access(path, F_OK);
}

/* Prints a line for each partition, with the names by which it can be found. */
static void report_partitions(void)
{
	char names[PARTITION_DESCRIPTION];
	struct partition partition;
	struct dirent *entry;
	DIR *dir;

	dir = opendir(PARTITION_CLASS);
	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.' ||
		    !partition_read(entry->d_name, &partition))
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

static bool is_partition_spec(const char *spec)
{
	return !strncmp(spec, "PARTUUID=", 9) || !strncmp(spec, "PARTLABEL=", 10);
}

int root_find(const char *word, const char *spec, unsigned int wait,
	      char *path, size_t size)
{
	unsigned int left = wait * (1000 / WAIT_STEP_MS);

	if (*spec != '/' && !is_partition_spec(spec)) {
		report(REPORT_ERROR, "%s=%s: not PARTUUID=, PARTLABEL=, a device "
		       "such as /dev/vda2 or a path in the initramfs",
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
