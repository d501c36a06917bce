// SPDX-License-Identifier: GPL-2.0
/*
 * Sets dm-verity up through the device mapper's ioctls: a device is created, gets
 * a table with one target, and is resumed with it.
 */
#include "initramfs/verity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image/verity.h"
#include "initramfs/report.h"
#include "lib/hex.h"
#include "lib/storage.h"
#include "lib/whole-io.h"

#define WORD "ublk.roothash"
#define CONTROL "/dev/" DM_DIR "/" DM_CONTROL_NODE
#define NAME "ublk-root"
#define TARGET "verity"
#define SECTORS (VERITY_BLOCK / 512)	/* of a block */

/* A command of the device mapper, with room for a table of one target. */
struct mapper_call {
	struct dm_ioctl head;
	struct dm_target_spec target;
	/* Two nodes, seven numbers, a digest and a salt. */
	char parameters[1024];
};

_Static_assert(BOOT_ROOTHASH == VERITY_DIGEST, "a root hash is a digest");

/* Calls the device mapper for @name. Returns 0 or -errno. */
static int mapper(int control, unsigned long command, const char *name,
		  uint32_t flags, struct mapper_call *call)
{
	call->head = (struct dm_ioctl){
		.version = { DM_VERSION_MAJOR },
		.data_size = sizeof(*call),
		.data_start = offsetof(struct mapper_call, target),
		.target_count = 1,
		.flags = flags,
	};
	snprintf(call->head.name, sizeof(call->head.name), "%s", name);
	return ioctl(control, command, call) ? -errno : 0;
}

/* Opens the device mapper, which must have verity. */
static int mapper_open(void)
{
	struct mapper_call call = { };
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return report_fail(errno, WORD ": this kernel has no device "
				   "mapper (CONFIG_BLK_DEV_DM): " CONTROL);
	if (fd < 0)
		return report_fail(errno, WORD ": " CONTROL);
	if (!mapper(fd, DM_GET_TARGET_VERSION, TARGET, 0, &call))
		return fd;
	close(fd);
	report(REPORT_ERROR, WORD ": this kernel has no dm-verity "
	       "(CONFIG_DM_VERITY)");
	return -ENODEV;
}

/*
 * Reads the superblock of the disk @node, open as @fd. Sets *@superblock to its
 * block.
 */
static int read_superblock(const struct boot *boot, const char *node, int fd,
			   struct verity *verity, uint64_t *superblock)
{
	uint8_t bytes[VERITY_SUPERBLOCK];
	uint64_t size;
	const char *why;
	int err = storage_size(fd, &size);

	if (err)
		return report_fail(err, "%s", node);
	*superblock = boot->hash_offset ? boot->hash_offset / VERITY_BLOCK :
		      verity_data_blocks(size / VERITY_BLOCK);
	if (!*superblock ||
	    *superblock >= size / VERITY_BLOCK) {
		report(REPORT_ERROR, WORD ": %s has %" PRIu64 " bytes, and no "
		       "hash tree can %s", node, size, boot->hash_offset ?
		       "begin there" : "end with them; say ,offset=");
		return -EINVAL;
	}
	err = whole_pread(fd, bytes, sizeof(bytes), *superblock * VERITY_BLOCK);
	if (err)
		return report_fail(err, WORD ": %s: cannot read the superblock "
				   "at byte %" PRIu64, node,
				   *superblock * VERITY_BLOCK);
	why = verity_get(verity, bytes);
	if (!why && verity->data_blocks > *superblock)
		why = "a superblock that takes itself for data";
	if (!why)
		return 0;
	report(REPORT_ERROR, WORD ": %s has %s at byte %" PRIu64 "%s", node,
	       why, *superblock * VERITY_BLOCK, boot->hash_offset ? "" :
	       ", where it would be if the hash tree ended with the disk");
	return -EINVAL;
}

/*
 * The kernel would find out when it reads the first block, but could not say
 * what is wrong.
 */
static int compare_root(const struct boot *boot, const char *node, int fd,
			const struct verity *verity, uint64_t superblock)
{
	uint64_t offset = verity_root_block(verity, superblock) * VERITY_BLOCK;
	uint8_t block[VERITY_BLOCK], root[VERITY_DIGEST];
	char text[2 * VERITY_DIGEST + 1];
	int err = whole_pread(fd, block, VERITY_BLOCK, offset);

	if (err)
		return report_fail(err, WORD ": %s: cannot read byte %" PRIu64,
				   node, offset);
	verity_digest(verity, block, root);
	if (!memcmp(root, boot->roothash, VERITY_DIGEST))
		return 0;
	report(REPORT_ERROR, WORD ": %s has another root hash: %s", node,
	       hex_text(root, VERITY_DIGEST, text));
	return -EBADMSG;
}

/* Writes the table: one target for all of the data. */
static void make_table(const struct boot *boot, const char *node,
		       const struct verity *verity, uint64_t superblock,
		       struct mapper_call *call)
{
	char root[2 * VERITY_DIGEST + 1], salt[2 * VERITY_SALT_MAX + 1] = "-";

	if (verity->salt_size)
		hex_text(verity->salt, verity->salt_size, salt);
	call->target = (struct dm_target_spec){
		.length = verity->data_blocks * SECTORS,
		.target_type = TARGET,
	};
	snprintf(call->parameters, sizeof(call->parameters), "1 %s %s %u %u %"
		 PRIu64 " %" PRIu64 " sha256 %s %s", node, node, VERITY_BLOCK,
		 VERITY_BLOCK, verity->data_blocks, superblock + 1,
		 hex_text(boot->roothash, VERITY_DIGEST, root), salt);
}

/* Creates the device with its table. @node gets its node. */
static int map(int control, struct mapper_call *table, char *node, size_t size)
{
	struct mapper_call call = { };
	int err = mapper(control, DM_DEV_CREATE, NAME, 0, &call);
	unsigned int number = minor(call.head.dev);

	if (err)
		return report_fail(err, WORD ": the device mapper makes no "
				   "device " NAME);
	err = mapper(control, DM_TABLE_LOAD, NAME, DM_READONLY_FLAG, table);
	if (!err)
		err = mapper(control, DM_DEV_SUSPEND, NAME, 0, &call);
	if (err) {
		mapper(control, DM_DEV_REMOVE, NAME, 0, &call);
		return report_fail(err, WORD ": dm-verity refuses %s (is "
				   "CONFIG_CRYPTO_SHA256 in this kernel?); the "
				   "kernel log says more", node);
	}
	report(REPORT_INFO, "dm-verity verifies %s as /dev/dm-%u", node,
	       number);
	snprintf(node, size, "/dev/dm-%u", number);
	return 0;
}

int verity_map(const struct boot *boot, char *node, size_t size)
{
	struct mapper_call table = { };
	struct verity verity;
	uint64_t superblock = 0;
	int control, err;
	int fd = open(node, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return report_fail(errno, "%s", node);
	err = read_superblock(boot, node, fd, &verity, &superblock);
	if (!err)
		err = compare_root(boot, node, fd, &verity, superblock);
	close(fd);
	if (err)
		return err;
	control = mapper_open();
	if (control < 0)
		return control;
	make_table(boot, node, &verity, superblock, &table);
	err = map(control, &table, node, size);
	close(control);
	return err;
}

void verity_unmap(void)
{
	struct mapper_call call = { };
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0)
		return;
	err = mapper(fd, DM_DEV_REMOVE, NAME, 0, &call);
	close(fd);
	if (err && err != -ENXIO)
		report_fail(err, "shutdown: " NAME " stays");
}
