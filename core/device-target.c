// SPDX-License-Identifier: GPL-2.0
/* The functions of target.h for a device. Those for a queue are in queue.c. */
#include "core/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/device.h"
#include "core/memory.h"
#include "lib/key-value.h"
#include "lib/message.h"
#include "lib/parallel.h"

void ublk_device_set_data(struct ublk_device *device, void *data)
{
	device->data = data;
}

void *ublk_device_data(const struct ublk_device *device)
{
	return device->data;
}

unsigned int ublk_device_queues(const struct ublk_device *device)
{
	return device->settings->queues;
}

unsigned int ublk_device_depth(const struct ublk_device *device)
{
	return device->info.queue_depth;
}

int ublk_device_id(const struct ublk_device *device)
{
	return device->info.dev_id;
}

unsigned int ublk_device_cpus(const struct ublk_device *device)
{
	(void)device;
	return parallel_cpus();
}

bool ublk_device_lends(const struct ublk_device *device)
{
	return device->info.flags & UBLK_F_AUTO_BUF_REG;
}

bool ublk_device_read_only(const struct ublk_device *device)
{
	return device->settings->read_only || device->opens_base;
}

bool ublk_device_resumed(const struct ublk_device *device)
{
	return device->resumed;
}

uint64_t ublk_device_block_size(const struct ublk_device *device)
{
	return device->settings->block_size;
}

void ublk_device_set_argument(struct ublk_device *device, const char *argument)
{
	device->argument = argument;
}

void ublk_device_unfinished(struct ublk_device *device)
{
	device->unfinished = true;
}

const struct ublk_target *ublk_device_target(const struct ublk_device *device)
{
	return device->target;
}

void ublk_device_set_wrapper(struct ublk_device *device, void *state)
{
	device->wrapper = state;
}

void *ublk_device_wrapper(const struct ublk_device *device)
{
	return device->wrapper;
}

int ublk_device_open_base(struct ublk_device *device,
			  const struct ublk_target *base, const char *argument,
			  const void *settings, struct ublk_disk *disk)
{
	int err;

	device->opens_base = true;
	err = base->open(device, argument, settings, disk);
	device->opens_base = false;
	return err;
}

bool ublk_device_is_base(const struct ublk_device *device)
{
	return device->opens_base;
}

int ublk_device_open_instead(struct ublk_device *device,
			     const struct ublk_target *target,
			     const char *argument, const void *settings,
			     struct ublk_disk *disk)
{
	device->target = target;
	return target->open(device, argument, settings, disk);
}

/* Compares the identity with the one in the record. */
static int device_check_identity(const struct ublk_device *device,
				 const struct device_identity *now,
				 const char *path)
{
	char key[32], then[IDENTITY_MAX];

	snprintf(key, sizeof(key), "identity_%s", now->name);
	/* Records of earlier versions may lack it. */
	if (!key_value_get(device->record, key, then, sizeof(then)) ||
	    identity_same(then, now->text))
		return 0;
	message("device %d: %s is not what it was: %s, not %s",
		device->info.dev_id, path, now->text, then);
	return -ESTALE;
}

int ublk_device_identify(struct ublk_device *device, const char *name,
			 const char *path, int fd,
			 const struct identity_contents *contents)
{
	struct device_identity *now;
	int err;

	if (device->opens_base)
		return 0;
	now = &device->identities[device->identity_count++];
	now->name = name;
	err = identity_of(fd, contents, now->text);
	if (err)
		return message_fail(err, "%s", path);
	return device->resumed ? device_check_identity(device, now, path) : 0;
}

int ublk_device_identify_text(struct ublk_device *device, const char *name,
			      const char *path, const char *text)
{
	struct device_identity *now;

	if (device->opens_base)
		return 0;
	now = &device->identities[device->identity_count++];
	now->name = name;
	snprintf(now->text, sizeof(now->text), "%s", text);
	return device->resumed ? device_check_identity(device, now, path) : 0;
}

int ublk_device_register_file(struct ublk_device *device, int fd,
			      const char *name)
{
	device->file_names[device->file_count] = name;
	device->files[device->file_count] = fd;
	return device->file_count++;
}

int ublk_device_reserve_file(struct ublk_device *device, const char *name)
{
	return ublk_device_register_file(device, -1, name);
}

int ublk_device_inherited_file(struct ublk_device *device, const char *name)
{
	unsigned int i;

	for (i = 0; i < device->inherited_count; i++) {
		struct inherited_file *file = &device->inherited[i];

		if (file->taken || strcmp(file->name, name))
			continue;
		file->taken = true;
		return file->fd;
	}
	return -1;
}

int ublk_device_memory(struct ublk_device *device, uint64_t size)
{
	int fd = ublk_device_inherited_file(device, UBLK_DEVICE_MEMORY);

	if (fd >= 0)
		return fd;
	if (device->resumed)
		return memory_reopen(device->info.dev_id, size);
	return memory_create(size, !device->settings->no_supervise &&
				   !device->settings->foreground);
}
