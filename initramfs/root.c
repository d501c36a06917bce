// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the device or file of the root. The kernel names partitions in sysfs;
 * their identifiers it keeps to itself, so that these are read from the
 * partition table.
 */
#include "initramfs/root.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/report.h"

#define BLOCK_CLASS "/sys/class/block"
#define WAIT_STEP_MS 50
#define NAME_MAX_BYTES 128
#define SECTOR 512

/* A partition as sysfs describes it. */
struct partition {
	char node[NAME_MAX_BYTES];	/* below /dev */
	char disk[NAME_MAX_BYTES];	/* that of the disk it is on */
	char label[NAME_MAX_BYTES];
	unsigned int number;
};

/* Copies the value of @key, a line of a uevent file, or nothing. */
static void uevent_get(const char *text, const char *key, char *value)
{
	size_t length = strlen(key);

	*value = '\0';
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (strncmp(text, key, length) || text[length] != '=')
			continue;
		text += length + 1;
		snprintf(value, NAME_MAX_BYTES, "%.*s",
			 (int)strcspn(text, "\n"), text);
		return;
	}
}

static bool uevent_read(const char *name, const char *file, char text[1024])
{
	char path[NAME_MAX_BYTES * 2];
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), BLOCK_CLASS "/%s/%s", name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, 1023);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

/* Describes @name, an entry of the class; false when it is no partition. */
static bool partition_read(const char *name, struct partition *partition)
{
	char text[1024], number[NAME_MAX_BYTES];

	if (!uevent_read(name, "uevent", text))
		return false;
	uevent_get(text, "PARTN", number);
	partition->number = atoi(number);
	uevent_get(text, "DEVNAME", partition->node);
	uevent_get(text, "PARTNAME", partition->label);
	/* The entry is a link into the tree, where the disk is the parent. */
	if (!partition->number || !uevent_read(name, "../uevent", text))
		return false;
	uevent_get(text, "DEVNAME", partition->disk);
	return true;
}

static uint32_t le32(const unsigned char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static uint64_t le64(const unsigned char *bytes)
{
	return le32(bytes) | (uint64_t)le32(bytes + 4) << 32;
}

/* The first three fields of a GUID are little endian, the rest is bytes. */
static void guid_text(const unsigned char *g, char *text)
{
	snprintf(text, NAME_MAX_BYTES, "%08x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x", le32(g), g[5], g[4], g[7], g[6],
		 g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/*
 * The identifier of partition @number as the kernel writes it: its GUID, or on
 * a disk with a DOS label the disk's signature and the number.
 */
static bool table_identifier(int disk, unsigned int number, char *text)
{
	unsigned char header[SECTOR], entry[32];
	int block = SECTOR;
	uint64_t offset;
	uint32_t size;

	if (ioctl(disk, BLKSSZGET, &block) < 0)
		return false;
	if (pread(disk, header, sizeof(header), block) != sizeof(header))
		return false;
	if (!memcmp(header, "EFI PART", 8)) {
		size = le32(header + 84);
		offset = le64(header + 72) * block +
			 (uint64_t)(number - 1) * size;
		if (number > le32(header + 80) || size < sizeof(entry) ||
		    pread(disk, entry, sizeof(entry), offset) != sizeof(entry))
			return false;
		guid_text(entry + 16, text);
		return true;
	}
	if (pread(disk, header, sizeof(header), 0) != sizeof(header) ||
	    header[510] != 0x55 || header[511] != 0xaa)
		return false;
	snprintf(text, NAME_MAX_BYTES, "%08x-%02x", le32(header + 440), number);
	return true;
}

static bool partition_has_identifier(const struct partition *partition,
				     const char *wanted)
{
	char path[NAME_MAX_BYTES + 8], text[NAME_MAX_BYTES];
	bool found;
	int disk;

	snprintf(path, sizeof(path), "/dev/%s", partition->disk);
	disk = open(path, O_RDONLY | O_CLOEXEC);
	if (disk < 0)
		return false;
	found = table_identifier(disk, partition->number, text) &&
		!strcasecmp(text, wanted);
	close(disk);
	return found;
}

/* Looks once for the partition @spec names. */
static bool partition_find(const char *spec, char *path, size_t size)
{
	const char *wanted = strchr(spec, '=') + 1;
	bool by_label = spec[4] == 'L';
	struct partition partition;
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(BLOCK_CLASS);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (!partition_read(entry->d_name, &partition))
			continue;
		found = by_label ?
			!strcmp(partition.label, wanted) :
			partition_has_identifier(&partition, wanted);
	}
	closedir(dir);
	if (found)
		snprintf(path, size, "/dev/%s", partition.node);
	return found;
}

static bool look(const char *spec, char *path, size_t size)
{
	if (!strncmp(spec, "PART", 4))
		return partition_find(spec, path, size);
	snprintf(path, size, "%s", spec);
	return !access(path, F_OK);
}

/* What there is instead helps more than what there is not. */
static void report_missing(const char *word, const char *spec)
{
	char names[256] = "";
	struct dirent *entry;
	size_t used = 0;
	DIR *dir;

	dir = opendir(BLOCK_CLASS);
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
}

static bool is_partition_spec(const char *spec)
{
	return !strncmp(spec, "PARTUUID=", 9) || !strncmp(spec, "PARTLABEL=", 10);
}

int root_find(const char *word, const char *spec, unsigned int wait,
	      char *path, size_t size)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };
	unsigned int left = wait * (1000 / WAIT_STEP_MS);

	if (*spec != '/' && !is_partition_spec(spec)) {
		report(REPORT_ERROR, "%s=%s: neither PARTUUID=, PARTLABEL=, a "
		       "device as /dev/vda2 nor a path in the initramfs",
		       word, spec);
		return -EINVAL;
	}
	if (look(spec, path, size))
		return 0;
	if (*spec == '/' && strncmp(spec, "/dev/", 5))
		return report_fail(ENOENT, "%s: not in the initramfs; say %s=",
				   spec, word);
	if (left)
		report(REPORT_WARNING, "waiting for %s, up to %u s", spec,
		       wait);
	for (; left; left--) {
		nanosleep(&step, NULL);
		if (look(spec, path, size))
			return 0;
	}
	report_missing(word, spec);
	return -ENODEV;
}

int root_is_gzip(const char *path, bool *gzip)
{
	unsigned char magic[2] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return report_fail(errno, "%s", path);
	got = read(fd, magic, sizeof(magic));
	close(fd);
	if (got < 0)
		return report_fail(errno, "%s", path);
	*gzip = magic[0] == 0x1f && magic[1] == 0x8b;
	return 0;
}
