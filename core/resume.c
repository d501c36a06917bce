// SPDX-License-Identifier: GPL-2.0
/*
 * Sets up a device from its record. Changes nothing, at the driver or on disk.
 */
#include "core/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/device.h"
#include "core/node.h"
#include "core/record.h"
#include "lib/key-value.h"
#include "lib/message.h"

/* Whether the record has this number for @key, or has no such key. */
static bool resume_agrees(const struct ublk_device *device, const char *key,
			  uint64_t number)
{
	char value[24], wanted[24];

	snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)number);
	return !key_value_get(device->record, key, value, sizeof(value)) ||
	       !strcmp(value, wanted);
}

/*
 * Whether the record was written for device @id, whatever its file is called.
 */
static bool resume_is_for(const struct ublk_device *device, int id)
{
	char node[DEVICE_NODE_MAX], value[DEVICE_NODE_MAX];

	device_node(id, node);
	return resume_agrees(device, "id", id) &&
	       (!key_value_get(device->record, "node", value, sizeof(value)) ||
		!strcmp(value, node));
}

/* Whether the record matches the driver's device. */
static bool resume_is_same(struct ublk_device *device)
{
	const struct ublksrv_ctrl_dev_info *info = &device->info;
	const struct serve_settings *settings = device->settings;
	struct ublk_params params;

	return info->nr_hw_queues == settings->queues &&
	       info->queue_depth == settings->depth &&
	       info->max_io_buf_bytes == settings->max_io &&
	       !ctrl_get_params(&device->ctrl, info->dev_id, &params) &&
	       resume_agrees(device, "size", params.basic.dev_sectors << 9);
}

int resume_record(struct ublk_device *device, int id)
{
	static _Alignas(uint64_t) char target_settings[UBLK_SETTINGS_MAX];
	static struct serve_settings settings;
	static char *text, *argument;
	char name[32];

	free(text);
	free(argument);
	argument = NULL;
	if (record_read(id, &text) < 0) {
		message("device %d: no record says what it is", id);
		return -ENOENT;
	}
	key_value_get(text, "target", name, sizeof(name));
	device->target = ublk_target_find(name);
	if (!device->target) {
		message("device %d: its record speaks of a target %s", id, name);
		return -EINVAL;
	}
	settings = serve_defaults;
	memset(target_settings, 0, sizeof(target_settings));
	if (device->target->defaults)
		memcpy(target_settings, device->target->defaults,
		       device->target->settings_size);
	if (key_value_get_whole(text, "argument", &argument) ||
	    options_recall(text, NULL, serve_options, &settings) ||
	    (device->target->options &&
	     options_recall(text, name, device->target->options,
			    target_settings))) {
		message("device %d: its record is damaged", id);
		return -EINVAL;
	}
	device->argument = argument;
	device->settings = &settings;
	device->target_settings = target_settings;
	device->record = text;
	device->resumed = true;
	device->info.dev_id = id;
	if (resume_is_for(device, id))
		return 0;
	message("device %d: its record is that of another device", id);
	return -EINVAL;
}

int resume_device(struct ublk_device *device, int id)
{
	int err = resume_record(device, id);

	if (err)
		return err;
	err = ctrl_get_dev_info(&device->ctrl, id, &device->info);
	if (err)
		return message_fail(err, "device %d", id);
	if (resume_is_same(device))
		return 0;
	message("device %d: its record is that of another device", id);
	return -EINVAL;
}
