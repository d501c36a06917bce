// SPDX-License-Identifier: GPL-2.0
/*
 * A device: its options, the checks of what its target promises, and the
 * control commands of its life. device-record.c writes the record.
 * device-target.c has the functions that targets call. No target is known by
 * name here.
 */
#include "core/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/node.h"
#include "core/process.h"
#include "core/record.h"
#include "lib/exit.h"
#include "lib/message.h"

/* Depth of a queue if the user gives none, and the least it is reduced to. */
#define DEPTH_USUAL 64
#define DEPTH_LEAST 4

/* The block layer accepts no smaller nr_requests. */
#define REQUESTS_LEAST 4

const struct serve_settings serve_defaults = {
	.id = -1,
	.queues = 1,
	.max_io = 128 << 10,
};

#define FIELD(name) offsetof(struct serve_settings, name)
const struct option_spec serve_options[] = {
	{ "id", 'n', OPTION_NUMBER, FIELD(id), 0, (1 << 20) - 1, "N",
	  "device number (the first free one)" },
	{ "queues", 'q', OPTION_NUMBER, FIELD(queues), 1, 4096, "N",
	  "hardware queues, a thread each, up to one per CPU (1)" },
	{ "depth", 'd', OPTION_NUMBER, FIELD(depth), 1, UBLK_MAX_QUEUE_DEPTH,
	  "N", "requests in flight per queue (64, or fewer)" },
	{ "read-only", 'r', OPTION_FLAG, FIELD(read_only), 0, 0, NULL,
	  "make the disk read-only" },
	{ "foreground", 'f', OPTION_FLAG, FIELD(foreground), 0, 0, NULL,
	  "stay in the foreground until stopped or interrupted" },
	{ "no-supervise", 0, OPTION_FLAG, FIELD(no_supervise), 0, 0, NULL,
	  "do not replace the server if it dies" },
	{ "max-io", 0, OPTION_SIZE, FIELD(max_io), 4096, 32 << 20, "SIZE",
	  "largest request (128K)" },
	{ "block-size", 0, OPTION_SIZE, FIELD(block_size), 512, 4096, "SIZE",
	  "logical block size (chosen by the target)" },
	{ "rootfs", 0, OPTION_FLAG, FIELD(rootfs), 0, 0, NULL,
	  "for a root filesystem: lock memory, ignore signals" },
	{ 0 }
};
#undef FIELD

/* The record keeps one value per line. */
static int device_check_argument(const struct ublk_device *device)
{
	if (!strchr(device->argument, '\n'))
		return 0;
	message("a path with a newline in it cannot be served");
	return -EINVAL;
}

static int device_check_settings(const struct ublk_device *device)
{
	uint64_t block = device->settings->block_size;

	if (device->settings->max_io % 4096) {
		message("--max-io must be a multiple of 4096");
		return -EINVAL;
	}
	if (block & (block - 1)) {
		message("--block-size must be a power of two");
		return -EINVAL;
	}
	return device_check_argument(device);
}

/* Checks what the target promised against the settings. */
static int device_check_disk(struct ublk_device *device)
{
	const struct serve_settings *settings = device->settings;
	struct ublk_disk *disk = &device->disk;

	if (settings->block_size) {
		if (settings->block_size < disk->logical_block) {
			message("--block-size: %s needs at least %u",
				device->argument, disk->logical_block);
			return -EINVAL;
		}
		disk->logical_block = settings->block_size;
	}
	if (disk->physical_block < disk->logical_block)
		disk->physical_block = disk->logical_block;
	if (!disk->size || disk->size % disk->logical_block) {
		message("%s: a size of %llu bytes is not a multiple of the "
			"block size %u, or nothing", device->argument,
			(unsigned long long)disk->size, disk->logical_block);
		return -EINVAL;
	}
	if (disk->size >> 9 > INT64_MAX >> 9) {
		message("%s: larger than a disk can be", device->argument);
		return -EINVAL;
	}
	disk->read_only |= settings->read_only;
	return 0;
}

/*
 * An existing disk keeps its size, though its backing file may have grown
 * since. A backing file that is now smaller than the disk is the wrong one.
 */
static int device_check_resumed(struct ublk_device *device)
{
	struct ublk_disk *disk = &device->disk;
	struct ublk_params params;
	uint64_t size;
	int err;

	err = ctrl_get_params(&device->ctrl, device->info.dev_id, &params);
	if (err)
		return message_fail(err, "device %d", device->info.dev_id);
	size = params.basic.dev_sectors << 9;
	if ((!device->inherited_count && disk->size < size) ||
	    disk->logical_block > 1u << params.basic.logical_bs_shift ||
	    (disk->read_only && !(params.basic.attrs & UBLK_ATTR_READ_ONLY)) ||
	    (device->info.flags & UBLK_F_AUTO_BUF_REG && !disk->zero_copy)) {
		message("%s: does not fit device %d, of %llu bytes in blocks "
			"of %u", device->argument, device->info.dev_id,
			(unsigned long long)size,
			1u << params.basic.logical_bs_shift);
		return -EINVAL;
	}
	disk->size = size;
	disk->logical_block = 1u << params.basic.logical_bs_shift;
	disk->read_only = params.basic.attrs & UBLK_ATTR_READ_ONLY;
	return 0;
}

/* Returns the exponent of the smallest power of two >= @value. */
static unsigned int device_shift_of(uint32_t value)
{
	unsigned int shift = 0;

	while (shift < 31 && 1u << shift < value)
		shift++;
	return shift;
}

/* The largest READ or WRITE in bytes, a multiple of 4096. */
static uint32_t device_max_transfer(const struct ublk_device *device)
{
	uint32_t most = device->info.max_io_buf_bytes;

	if (!device->disk.max_transfer || device->disk.max_transfer >= most)
		return most;
	most = device->disk.max_transfer & ~4095u;
	return most ? most : 4096;
}

int device_set_params(struct ublk_device *device)
{
	const struct ublk_disk *disk = &device->disk;
	struct ublk_params params = {
		.types = UBLK_PARAM_TYPE_BASIC,
		.basic = {
			.logical_bs_shift =
				device_shift_of(disk->logical_block),
			.physical_bs_shift =
				device_shift_of(disk->physical_block),
			.io_min_shift = device_shift_of(disk->physical_block),
			.io_opt_shift = device_shift_of(disk->io_optimal ?
							disk->io_optimal :
							disk->physical_block),
			.max_sectors = device_max_transfer(device) >> 9,
			.dev_sectors = disk->size >> 9,
		},
	};
	int err;

	if (disk->read_only)
		params.basic.attrs |= UBLK_ATTR_READ_ONLY;
	if (disk->rotational)
		params.basic.attrs |= UBLK_ATTR_ROTATIONAL;
	if (disk->flush)
		params.basic.attrs |= UBLK_ATTR_VOLATILE_CACHE;
	if (disk->flush && disk->fua)
		params.basic.attrs |= UBLK_ATTR_FUA;
	if (!disk->read_only && (disk->max_discard || disk->max_write_zeroes)) {
		params.types |= UBLK_PARAM_TYPE_DISCARD;
		params.discard.discard_granularity = disk->discard_granularity;
		params.discard.max_discard_sectors = disk->max_discard >> 9;
		params.discard.max_write_zeroes_sectors =
			disk->max_write_zeroes >> 9;
		params.discard.max_discard_segments = 1;
	}
	err = ctrl_set_params(&device->ctrl, device->info.dev_id, &params,
			      device->info.flags & UBLK_F_AUTO_BUF_REG ?
			      disk->memory_alignment : 0);
	return err ? message_fail(err, "the driver refuses the parameters") : 0;
}

/* Whether the driver shall keep the disk if the server dies. */
static bool device_wants_recovery(const struct ublk_device *device)
{
	const struct serve_settings *settings = device->settings;
	const uint64_t needed = UBLK_F_USER_RECOVERY |
				UBLK_F_USER_RECOVERY_REISSUE;

	return !settings->no_supervise && !settings->foreground &&
	       (device->ctrl.features & needed) == needed;
}

bool device_recovers(const struct ublk_device *device)
{
	return device->info.flags & UBLK_F_USER_RECOVERY;
}

bool device_takes_memory(const struct ublk_device *device)
{
	return device->settings->rootfs ||
	       ((device->target->frees_memory || device->disk.flush) &&
		!device->disk.read_only);
}

uint64_t device_buffers_bytes(const struct ublksrv_ctrl_dev_info *info)
{
	return (uint64_t)info->nr_hw_queues * info->queue_depth *
	       info->max_io_buf_bytes;
}

int device_open_buffers(struct ublk_device *device, int fd)
{
	const struct ublksrv_ctrl_dev_info *info = &device->info;
	uint64_t bytes = device_buffers_bytes(info);
	enum buffers_use use = device_takes_memory(device) ?
			       BUFFERS_TAKEN : BUFFERS_ON_DEMAND;
	int err;

	if (info->flags & UBLK_F_AUTO_BUF_REG)
		use = BUFFERS_ADDRESSES;
	err = buffers_open(&device->buffers, fd, bytes, use);
	if (err)
		return err;
	device->counters = counters_open(device->buffers.fd,
					 counters_offset(bytes),
					 info->nr_hw_queues);
	if (device->counters)
		return 0;
	buffers_close(&device->buffers);
	return -ENOMEM;
}

void device_renew_counters(const struct ublk_device *device)
{
	const struct ublksrv_ctrl_dev_info *info = &device->info;

	counters_renew(device->counters, device->buffers.fd,
		       counters_offset(device_buffers_bytes(info)),
		       info->nr_hw_queues);
}

/*
 * The depth of each queue. Unless the user asked for more, its buffers take at most
 * an eighth of the address space, which is small with 32 bits; and if they are
 * allocated at the start, a sixteenth of the machine's memory.
 */
static unsigned int device_depth(const struct ublk_device *device)
{
	const struct serve_settings *settings = device->settings;
	const uint64_t each = (uint64_t)settings->queues * settings->max_io;
	uint64_t most = SIZE_MAX / 8;
	unsigned int depth = DEPTH_USUAL;

	if (settings->depth)
		return settings->depth;
	if (device_takes_memory(device) && memory_of_machine() / 16 < most)
		most = memory_of_machine() / 16;
	while (depth > DEPTH_LEAST && depth * each > most)
		depth /= 2;
	return depth;
}

int device_add(struct ublk_device *device)
{
	const struct serve_settings *settings = device->settings;
	long page = sysconf(_SC_PAGESIZE);
	int err;

	device->info = (struct ublksrv_ctrl_dev_info){
		.dev_id = settings->id,
		.nr_hw_queues = settings->queues,
		.queue_depth = device_depth(device),
		.max_io_buf_bytes = (settings->max_io + page - 1) & -page,
		.flags = device->ctrl.encoded ? UBLK_F_CMD_IOCTL_ENCODE : 0,
	};
	if (geteuid())
		device->info.flags |= device->ctrl.features &
				      UBLK_F_UNPRIVILEGED_DEV;
	else if (device_wants_recovery(device))
		device->info.flags |= UBLK_F_USER_RECOVERY |
				      UBLK_F_USER_RECOVERY_REISSUE |
				      (device->ctrl.features & UBLK_F_QUIESCE);
	/*
	 * The driver would scan for partitions only some time after the disk
	 * exists. But a caller that is told that the disk is ready expects its
	 * partitions, so the server scans itself.
	 */
	if (!geteuid())
		device->info.flags |= device->ctrl.features &
				      UBLK_F_NO_AUTO_PART_SCAN;
	if (device->disk.zero_copy && !device->disk.copies && !geteuid())
		device->info.flags |= device->ctrl.features &
				      UBLK_F_AUTO_BUF_REG;
	else if (device->disk.read_only)
		device->info.flags |= device->ctrl.features &
				      UBLK_F_NEED_GET_DATA;
	device->info.flags &= DEVICE_FEATURES;
	/*
	 * A driver without QUIESCE_DEV needs one tag that has no request, to
	 * notice the death of the server. The supervisor lowers nr_requests by
	 * one for this, but not below REQUESTS_LEAST.
	 */
	if (device_recovers(device) &&
	    !(device->ctrl.features & UBLK_F_QUIESCE) &&
	    device->info.queue_depth <= REQUESTS_LEAST)
		device->info.queue_depth = REQUESTS_LEAST + 1;
	err = ctrl_add_dev(&device->ctrl, &device->info);
	if (err == -EEXIST) {
		message("device %d exists already; choose another --id, or "
			"`ublk stop %d`", (int)settings->id, (int)settings->id);
		return err;
	}
	return err ? message_fail(err, "cannot add a device") : 0;
}

int device_delete(struct ublk_ctrl *ctrl, int id)
{
	int record = record_open(id);
	int err;

	memory_forget(id);
	err = ctrl_del_dev(ctrl, id);
	if (err == -EBUSY) {
		message("device %d is gone; its number is free when the last "
			"program has closed it", id);
	} else if (err && err != -ENODEV) {
		if (record >= 0)
			close(record);
		return message_fail(err, "cannot delete device %d", id);
	}
	record_remove(id, record);
	return 0;
}

void device_report_unfinished(int id)
{
	message("device %d: some writes are not in the --cow file yet; "
		"`ublk stop %d` tries again, `ublk stop --force %d` loses them",
		id, id, id);
}

int device_end(struct ublk_device *device)
{
	int id = device->info.dev_id;
	int err = 0, deleted;

	if (device->unfinished)
		err = device->target->finish(device);
	/* Another try needs the memory that outlives this process. */
	if (err && memory_is_kept(id)) {
		device_report_unfinished(id);
		return err;
	}
	deleted = device_delete(&device->ctrl, id);
	return err ? err : deleted;
}

/* Whether the kernel knows partitions of the disk. */
static bool device_has_partitions(int id)
{
	char path[32], prefix[32];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/block/ublkb%d", id);
	snprintf(prefix, sizeof(prefix), "ublkb%dp", id);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(dir);
	return found;
}

int device_probe(const struct ublk_device *device)
{
	const int id = device->info.dev_id;
	char node[DEVICE_NODE_MAX];
	int fd;

	device_node(id, node);
	fd = device_open_node(node, O_RDONLY);
	if (fd < 0)
		return fd;
	/*
	 * A resumed disk has its partitions already, unless its server died
	 * during the scan. BLKRRPART fails if somebody uses the whole disk;
	 * that is no error.
	 */
	if (device->info.flags & UBLK_F_NO_AUTO_PART_SCAN &&
	    !(device->resumed && device_has_partitions(id)))
		ioctl(fd, BLKRRPART);
	close(fd);
	return 0;
}

int device_announce(const struct ublk_device *device)
{
	char node[DEVICE_NODE_MAX];

	device_node(device->info.dev_id, node);
	return process_ready(node);
}

int device_open(struct ublk_device *device)
{
	int err;

	device->disk.logical_block = 512;
	device->disk.physical_block = 4096;
	device->file_count = 1;
	device->files[0] = -1;
	if (device_check_settings(device))
		return EXIT_USAGE;
	if (device->target->open(device, device->argument,
				 device->target_settings, &device->disk))
		return EXIT_FAILED;
	/* The target may have resolved a link to a path with a newline. */
	err = device_check_argument(device);
	if (!err)
		err = device_check_disk(device);
	if (!err && device->resumed)
		err = device_check_resumed(device);
	if (err)
		device->target->close(device);
	return err ? EXIT_FAILED : EXIT_DONE;
}

void device_close(struct ublk_device *device)
{
	device->target->close(device);
	counters_close(device->counters, device->info.nr_hw_queues);
	device->counters = NULL;
	buffers_close(&device->buffers);
	memory_release();
}
