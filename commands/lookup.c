// SPDX-License-Identifier: GPL-2.0
/* Finds devices for the commands, in the records and at the driver. */
#include "commands/lookup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/node.h"
#include "core/process.h"
#include "core/record.h"
#include "lib/array.h"
#include "lib/exit.h"
#include "lib/key-value.h"
#include "lib/message.h"

/* Newer than the kernel headers that we build with. */
#ifndef UBLK_S_DEV_FAIL_IO
#define UBLK_S_DEV_FAIL_IO 3
#endif

static unsigned long long lookup_number(const char *text, const char *key)
{
	char value[32];

	key_value_get(text, key, value, sizeof(value));
	return strtoull(value, NULL, 10);
}

/* The pid that the record has for @key if that process still runs, or 0. */
static pid_t lookup_running(const char *text, const char *key,
			    const char *started)
{
	pid_t pid = lookup_number(text, key);

	return process_runs(pid, lookup_number(text, started)) ? pid : 0;
}

static void lookup_record(struct lookup *device, const char *text)
{
	device->recorded = true;
	key_value_get(text, "target", device->target, sizeof(device->target));
	key_value_get(text, "argument", device->argument,
		      sizeof(device->argument));
	device->size = lookup_number(text, "size");
	device->queues = lookup_number(text, "queues");
	device->depth = lookup_number(text, "depth");
	device->read_only = lookup_number(text, "read_only");
	device->rootfs = lookup_number(text, "rootfs");
	device->pid = lookup_running(text, "pid", "started");
	device->started = lookup_number(text, "started");
	device->worker = lookup_running(text, "worker", "worker_started");
	device->worker_started = lookup_number(text, "worker_started");
	device->supervised = device->pid && lookup_number(text, "worker");
	device->given_up = device->pid && lookup_number(text, "given_up");
	/* A worker continues to serve without its supervisor. */
	if (!device->pid) {
		device->pid = device->worker;
		device->started = device->worker_started;
	}
}

static const char *lookup_state(const struct lookup *device, int state)
{
	switch (state) {
	case UBLK_S_DEV_LIVE:
		if (device->given_up)
			return "fail-io";
		/*
		 * The driver may not have noticed yet that the server is dead.
		 */
		return device->pid ? "live" : "dead";
	case UBLK_S_DEV_QUIESCED:
		return "quiesced";
	case UBLK_S_DEV_FAIL_IO:
		return "fail-io";
	default:
		return device->pid ? "starting" : "dead";
	}
}

static int lookup_driver(struct lookup *device, struct ublk_ctrl *ctrl,
			 const struct ublksrv_ctrl_dev_info *info)
{
	struct ublk_params params;
	int err;

	device->at_driver = true;
	device->queues = info->nr_hw_queues;
	device->depth = info->queue_depth;
	device->owner = info->owner_uid;
	device->group = info->owner_gid;
	err = ctrl_get_params(ctrl, device->id, &params);
	if (err)
		return err;
	device->size = params.basic.dev_sectors << 9;
	device->read_only = params.basic.attrs & UBLK_ATTR_READ_ONLY;
	/* Only the driver knows the pid of another program's server. */
	if (!device->recorded && info->ublksrv_pid > 0 &&
	    process_started(info->ublksrv_pid))
		device->pid = info->ublksrv_pid;
	device->state = lookup_state(device, info->state);
	return 0;
}

/*
 * Whether @err means that there is no record, or none that the caller may read.
 * After any other error there may be one.
 */
static bool lookup_is_no_record(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ||
	       err == -EISDIR || err == -ENXIO || err == -EFBIG ||
	       err == -EPERM || err == -EACCES;
}

int lookup_device(struct ublk_ctrl *ctrl, int id, struct lookup *device)
{
	struct ublksrv_ctrl_dev_info info;
	char *text;
	int err;

	memset(device, 0, sizeof(*device));
	device->id = id;
	device->state = "gone";
	err = record_read(id, &text);
	if (err >= 0)
		lookup_record(device, text);
	free(text);
	if (err < 0 && !lookup_is_no_record(err))
		return err;
	err = ctrl_get_dev_info(ctrl, id, &info);
	if (!err)
		err = lookup_driver(device, ctrl, &info);
	if (err == -ENODEV)
		device->at_driver = false;
	else if (err)
		return err;
	return device->recorded || device->at_driver ? 0 : -ENODEV;
}

int lookup_failed(int id, int err)
{
	if (err != -ENODEV)
		return message_fail(err, "device %d", id);
	message("%d: no such device", id);
	return err;
}

struct id_list {
	int *ids;
	int count;
	size_t room;
	int err;
};

static void lookup_add_id(int id, void *arg)
{
	struct id_list *list = arg;
	int *ids, i;

	for (i = 0; i < list->count; i++)
		if (list->ids[i] == id)
			return;
	ids = array_reserve(list->ids, sizeof(*ids), list->count, 1,
			    &list->room);
	if (!ids) {
		list->err = -ENOMEM;
		return;
	}
	list->ids = ids;
	list->ids[list->count++] = id;
}

/* Parses a number; -1 if @text is none. */
static int lookup_whole_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number > INT32_MAX)
		return -1;
	return number;
}

/* Devices of other programs have a node, but no record. */
static void lookup_nodes(struct id_list *list)
{
	DIR *dir = opendir("/dev");
	struct dirent *entry;
	int id;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "ublkc", 5))
			continue;
		id = lookup_whole_number(entry->d_name + 5);
		if (id >= 0)
			lookup_add_id(id, list);
	}
	closedir(dir);
}

static int lookup_by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int lookup_ids(int **ids)
{
	struct id_list list = { 0 };

	record_each(lookup_add_id, &list);
	lookup_nodes(&list);
	if (list.err) {
		free(list.ids);
		return list.err;
	}
	if (list.count)
		qsort(list.ids, list.count, sizeof(*list.ids), lookup_by_value);
	*ids = list.ids;
	return list.count;
}

int lookup_parse_id(const char *text)
{
	const char *digits = text;
	int id;

	if (!strncmp(digits, "/dev/", 5))
		digits += 5;
	if (!strncmp(digits, "ublkb", 5) || !strncmp(digits, "ublkc", 5))
		digits += 5;
	id = lookup_whole_number(digits);
	if (id < 0) {
		message("%s: not a device (such as 0 or /dev/ublkb0)", text);
		return -EINVAL;
	}
	return id;
}

bool lookup_names_ok(const char *verb, bool all, int argc, char **argv)
{
	int i;

	if (all == (argc > 0)) {
		message("%s: name a device, or use --all", verb);
		return false;
	}
	for (i = 0; i < argc; i++)
		if (lookup_parse_id(argv[i]) < 0)
			return false;
	return true;
}

int lookup_each(bool all, int argc, char **argv,
		int (*act)(int id, bool named, void *arg), void *arg)
{
	int status = EXIT_DONE;
	int *ids = NULL;
	int count = all ? lookup_ids(&ids) : argc;
	int i;

	if (count < 0) {
		message_fail(count, "the list of devices");
		return EXIT_FAILED;
	}
	for (i = 0; i < count; i++)
		if (act(all ? ids[i] : lookup_parse_id(argv[i]), !all, arg))
			status = EXIT_FAILED;
	free(ids);
	return status;
}
