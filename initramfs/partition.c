// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the names of a partition. The kernel shows in sysfs which partitions
 * exist, but their identifiers only since Linux 6.14, and labels with one byte
 * per character. So both are also read from the partition table from which the
 * kernel created the partition.
 */
#include "initramfs/partition.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/gpt.h"
#include "lib/little-endian.h"
#include "lib/storage.h"
#include "lib/whole-io.h"

#define SECTOR 512
#define NAME_BYTES 72	/* of an entry's name */

/* Copies the value of @key from a uevent file; empty if there is none. */
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

static void read_table(struct partition *partition);

bool partition_read(const char *name, struct partition *partition)
{
	char text[1024], number[PARTITION_TEXT];

	if (!uevent_read(name, "uevent", text))
		return false;
	uevent_get(text, "PARTN", number);
	partition->number = atoi(number);
	uevent_get(text, "DEVNAME", partition->node);
	uevent_get(text, "PARTNAME", partition->label);
	uevent_get(text, "PARTUUID", partition->uuid);
	memcpy(partition->short_label, partition->label, PARTITION_TEXT);
	/*
	 * The entry is a symbolic link into the device tree, where .. is the
	 * disk.
	 */
	if (!partition->number || !uevent_read(name, "../uevent", text))
		return false;
	uevent_get(text, "DEVNAME", partition->disk);
	read_table(partition);
	return true;
}

/* The first three fields of a GUID are little-endian, the rest are bytes. */
static void guid_text(const uint8_t *g, char *text)
{
	snprintf(text, PARTITION_TEXT, "%08x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x", get_le32(g), g[5], g[4], g[7],
		 g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/* Reads a number of @partition from sysfs, such as its start. */
static uint64_t sysfs_number(const struct partition *partition,
			     const char *name)
{
	char text[1024];

	return uevent_read(partition->node, name, text) ?
	       strtoull(text, NULL, 10) : 0;
}

/*
 * Whether the kernel created @partition from this GPT entry. A table that the
 * kernel refused, or an old one that was left behind, has other entries.
 */
static bool is_entry_of(const uint8_t *entry, uint32_t block,
			const struct partition *partition)
{
	uint64_t first = get_le64(entry + 32), last = get_le64(entry + 40);

	return first * block / SECTOR == sysfs_number(partition, "start") &&
	       (last + 1 - first) * block / SECTOR ==
	       sysfs_number(partition, "size");
}

/*
 * Reads the entry of @partition through the header in block @lba. Returns false
 * if there is none.
 */
static bool read_entry(int disk, uint32_t block, uint64_t lba,
		       const struct partition *partition,
		       uint8_t entry[GPT_ENTRY])
{
	uint8_t header[GPT_SECTOR];
	uint64_t offset;
	uint32_t size;

	if (whole_pread(disk, header, sizeof(header), lba * block) ||
	    !gpt_is_header(header, lba))
		return false;
	size = get_le32(header + 84);
	offset = get_le64(header + 72) * block +
		 (uint64_t)(partition->number - 1) * size;
	return partition->number <= get_le32(header + 80) &&
	       size >= GPT_ENTRY &&
	       !whole_pread(disk, entry, GPT_ENTRY, offset) &&
	       is_entry_of(entry, block, partition);
}

/* The kernel's option `gpt` makes it accept a GPT without a protective MBR. */
static bool is_gpt_forced(void)
{
	char line[8192];
	ssize_t length = -1;
	char *word, *rest = line;
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[length > 0 ? length : 0] = '\0';
	while ((word = strtok_r(rest, " \n", &rest)))
		if (!strcmp(word, "gpt"))
			return true;
	return false;
}

/*
 * Reads the entry of @partition from the GPT at the start of the disk, or at
 * its end.
 */
static bool find_entry(int disk, const uint8_t *mbr,
		       const struct partition *partition,
		       uint8_t entry[GPT_ENTRY])
{
	uint64_t size = 0;
	int block = SECTOR;

	if (!gpt_is_protective(mbr) && !is_gpt_forced())
		return false;
	if (ioctl(disk, BLKSSZGET, &block) < 0 ||
	    storage_size(disk, &size) || block < SECTOR ||
	    size < (uint64_t)block)
		return false;
	return read_entry(disk, block, 1, partition, entry) ||
	       read_entry(disk, block, size / block - 1, partition, entry);
}

/* GPT names are UTF-16. */
static void utf8_text(const uint8_t *name, size_t length, char *text)
{
	size_t used = 0;

	for (size_t i = 0; i + 1 < length; i += 2) {
		uint32_t c = get_le16(name + i);
		uint32_t low = i + 3 < length ? get_le16(name + i + 2) : 0;

		if (!c)
			break;
		if (c >> 10 == 0x36 && low >> 10 == 0x37) {
			c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
			i += 2;
		}
		if (c < 0x80) {
			text[used++] = c;
			continue;
		}
		if (c >= 0x10000)
			text[used++] = 0xf0 | c >> 18;
		if (c >= 0x800)
			text[used++] = c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) :
						      0xe0 | c >> 12;
		text[used++] = c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) :
					    0xc0 | c >> 6;
		text[used++] = 0x80 | (c & 0x3f);
	}
	text[used] = '\0';
}

/* Reads from the partition table what the kernel does not show. */
static void read_table(struct partition *partition)
{
	char path[PARTITION_TEXT + 8];
	uint8_t mbr[GPT_SECTOR], entry[GPT_ENTRY];
	int disk;

	snprintf(path, sizeof(path), "/dev/%s", partition->disk);
	disk = open(path, O_RDONLY | O_CLOEXEC);
	if (disk < 0)
		return;
	if (whole_pread(disk, mbr, sizeof(mbr), 0)) {
		/* Nothing more can be found out. */
	} else if (find_entry(disk, mbr, partition, entry)) {
		guid_text(entry + 16, partition->uuid);
		utf8_text(entry + 56, NAME_BYTES, partition->label);
	} else if (!*partition->uuid && mbr[510] == 0x55 && mbr[511] == 0xaa) {
		snprintf(partition->uuid, PARTITION_TEXT, "%08x-%02x",
			 get_le32(mbr + 440), partition->number);
	}
	close(disk);
}

/* Reads another partition of the same disk, by its number. */
static bool read_other(const struct partition *partition, unsigned int number,
		       struct partition *other)
{
	size_t length = strlen(partition->disk);
	char name[PARTITION_TEXT * 2];

	snprintf(name, sizeof(name), "%s%s%u", partition->disk,
		 isdigit((unsigned char)partition->disk[length - 1]) ? "p" : "",
		 number);
	return length && partition_read(name, other);
}

/*
 * Whether the partition is `UUID/PARTNROFF=N`: its number is that of UUID plus
 * N.
 */
static bool is_behind(const struct partition *partition, const char *wanted,
		      const char *offset)
{
	struct partition first;
	long number = partition->number - strtol(offset, NULL, 10);

	return number > 0 && read_other(partition, number, &first) &&
	       strlen(first.uuid) == strcspn(wanted, "/") &&
	       !strncasecmp(first.uuid, wanted, strlen(first.uuid));
}

bool partition_is(const struct partition *partition, const char *spec)
{
	static const char behind[] = "/PARTNROFF=";
	const char *wanted = strchr(spec, '=');
	const char *offset;

	if (!wanted++)
		return partition->number == strtoul(spec, NULL, 10);
	if (!strncmp(spec, "PARTLABEL=", wanted - spec))
		return !strcmp(partition->label, wanted) ||
		       !strcmp(partition->short_label, wanted);
	offset = strstr(wanted, behind);
	if (offset)
		return is_behind(partition, wanted, offset + strlen(behind));
	return *partition->uuid && !strcasecmp(partition->uuid, wanted);
}

void partition_describe(const struct partition *partition,
			char text[PARTITION_DESCRIPTION])
{
	snprintf(text, PARTITION_DESCRIPTION, "PARTUUID=%s%s%s",
		 partition->uuid, *partition->label ? ", PARTLABEL=" : "",
		 partition->label);
}
