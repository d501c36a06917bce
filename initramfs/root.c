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
#include "sources/source.h"

#define WAIT_STEP_MS 50
#define REACH_STEPS 20	/* before a server is asked again */
#define FLASH_SPEC "mtd:"		/* and the name of a flash partition */
#define FLASH_BLOCK "mtdblock"		/* and its number: the block device */

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

/*
 * Whether @spec names the device @entry of PARTITION_CLASS. If so, sets the path of
 * its node.
 */
static bool root_is(const char *entry, const char *spec, char *path,
		    size_t size)
{
	struct partition partition;
	char name[PARTITION_TEXT];

	if (!strncmp(spec, FLASH_SPEC, strlen(FLASH_SPEC))) {
		snprintf(path, size, "/dev/%s", entry);
		return flash_name(entry, name, sizeof(name)) &&
		       !strcmp(name, spec + strlen(FLASH_SPEC));
	}
	if (!partition_read(entry, &partition) ||
	    !partition_is(&partition, spec))
		return false;
	snprintf(path, size, "/dev/%s", partition.node);
	return true;
}

/* Looks once. */
static bool root_look(const char *spec, char *path, size_t size)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (*spec == '/') {
		snprintf(path, size, "%s", spec);
		return !access(path, F_OK);
	}
	dir = opendir(PARTITION_CLASS);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = root_is(entry->d_name, spec, path, size);
	closedir(dir);
	return found;
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

/* Waits for a server: the network may need some time. */
static int root_reach(const char *word, const char *uri, unsigned int left,
		      char *path, size_t size)
{
	struct source source;
	uint64_t length;
	int ret;

	if (snprintf(path, size, "%s", uri) >= (int)size) {
		report(REPORT_ERROR, "%s=%s: too long", word, uri);
		return -EINVAL;
	}
	while ((ret = source_open(&source, path, &length)) == -EIO && left) {
		unsigned int step = left < REACH_STEPS ? left : REACH_STEPS;

		clock_sleep_ms(step * WAIT_STEP_MS);
		left -= step;
	}
	if (!ret)
		source_close(&source);
	return ret;
}

int root_find(const char *word, const char *spec, unsigned int wait,
	      char *path, size_t size)
{
	unsigned int left = wait * (1000 / WAIT_STEP_MS);

	if (source_is_remote(spec))
		return root_reach(word, spec, left, path, size);
	if (*spec != '/' && !is_device_spec(spec)) {
		report(REPORT_ERROR, "%s=%s: not PARTUUID=, PARTLABEL=, mtd:, a "
		       "device such as /dev/vda2, a path in the initramfs, "
		       "nbd:// or http://", word, spec);
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
	struct source source;
	uint64_t size = 0;
	int ret = source_open(&source, path, &size);

	if (ret)
		return ret;
	if (size >= sizeof(magic))
		ret = source_read(&source, magic, sizeof(magic), 0);
	source_close(&source);
	if (ret)
		return report_fail(-ret, "%s", path);
	*gzip = member_starts_gzip(magic);
	return 0;
}
