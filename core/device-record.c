// SPDX-License-Identifier: GPL-2.0
/*
 * What the record of a device contains. record.c writes and reads the file, and
 * resume.c restores a device from it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/device.h"
#include "core/node.h"
#include "core/process.h"
#include "core/record.h"
#include "lib/key-value.h"

/* The lines that say which process serves the device. */
static void device_record_server(FILE *out, const struct ublk_device *device)
{
	fprintf(out, "pid=%d\nstarted=%llu\n", (int)getpid(),
		process_started(getpid()));
	if (device->given_up)
		fprintf(out, "given_up=1\n");
	if (device->server_pid)
		fprintf(out, "worker=%d\nworker_started=%llu\n",
			(int)device->server_pid,
			process_started(device->server_pid));
}

/* Copies the old record, except for the lines of device_record_server(). */
static void device_keep_record(FILE *out, const struct ublk_device *device)
{
	static const char *const keys[] = {
		"pid=", "started=", "given_up=", "worker=", "worker_started=",
	};
	const char *line = device->record;
	const size_t count = sizeof(keys) / sizeof(keys[0]);
	size_t length, i;

	for (; *line; line += length) {
		length = strcspn(line, "\n");
		length += line[length] == '\n';
		for (i = 0; i < count; i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				break;
		if (i == count)
			fwrite(line, length, 1, out);
	}
	device_record_server(out, device);
}

static void device_fill_record(FILE *out, const void *arg)
{
	const struct ublk_device *device = arg;
	struct serve_settings settings = *device->settings;
	char node[DEVICE_NODE_MAX], key[32];
	unsigned int i;

	if (device->as_recorded) {
		device_keep_record(out, device);
		return;
	}
	settings.id = device->info.dev_id;
	settings.queues = device->info.nr_hw_queues;
	settings.depth = device->info.queue_depth;
	settings.max_io = device->info.max_io_buf_bytes;
	settings.block_size = device->disk.logical_block;
	settings.read_only = device->disk.read_only;
	device_node(device->info.dev_id, node);
	options_record(out, NULL, serve_options, &settings);
	key_value_put(out, "node", node);
	key_value_put(out, "target", device->target->name);
	key_value_put(out, "argument", device->argument);
	fprintf(out, "size=%llu\n", (unsigned long long)device->disk.size);
	device_record_server(out, device);
	for (i = 0; i < device->identity_count; i++) {
		snprintf(key, sizeof(key), "identity_%s",
			 device->identities[i].name);
		key_value_put(out, key, device->identities[i].text);
	}
	fprintf(out, "unfinished=%d\n", device->unfinished);
	if (device->target->options)
		options_record(out, device->target->name,
			       device->target->options,
			       device->target_settings);
}

int device_record(const struct ublk_device *device)
{
	return record_write(device->info.dev_id, device_fill_record, device);
}

int device_record_new(const struct ublk_device *device)
{
	return record_create(device->info.dev_id, device_fill_record, device);
}
