// SPDX-License-Identifier: GPL-2.0
/*
 * What there is to know of a partition. The kernel names partitions in sysfs;
 * their identifiers it keeps to itself, so that these are read from the
 * partition table.
 */
#include "initramfs/partition.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR 512

/* Copies the value of @key, a line of a uevent file, or nothing. */
static void uevent_get(const char *text, const char *key, char *value)
{
	size_t length = strlen(key);

	*value = '\0';
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (strncmp(text, key, length) || text[length] != '=')
			continue;
		text += length + 1;
		snprintf(value, PARTITION_TEXT, "%.*s",
			 (int)strcspn(text, "\n"), text);
		return;
	}
}

static bool uevent_read(const char *name, const char *file, char text[1024])
{
	char path[PARTITION_TEXT * 2];
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), PARTITION_CLASS "/%s/%s", name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, 1023);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

bool partition_read(const char *name, struct partition *partition)
{
	char text[1024], number[PARTITION_TEXT];

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
	snprintf(text, PARTITION_TEXT, "%08x-%02x%02x-%02x%02x-%02x%02x-"
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
	snprintf(text, PARTITION_TEXT, "%08x-%02x", le32(header + 440), number);
	return true;
}

bool partition_identifier(const struct partition *partition, char *text)
{
	char path[PARTITION_TEXT + 8];
	bool found;
	int disk;

	snprintf(path, sizeof(path), "/dev/%s", partition->disk);
	disk = open(path, O_RDONLY | O_CLOEXEC);
	if (disk < 0)
		return false;
	found = table_identifier(disk, partition->number, text);
	close(disk);
	return found;
}

bool partition_is(const struct partition *partition, const char *spec)
{
	const char *wanted = strchr(spec, '=');
	char text[PARTITION_TEXT];

	if (!wanted++)
		return partition->number == strtoul(spec, NULL, 10);
	if (!strncmp(spec, "PARTLABEL=", wanted - spec))
		return !strcmp(partition->label, wanted);
	return partition_identifier(partition, text) &&
	       !strcasecmp(text, wanted);
}
