// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk list`: shows the devices. Only reads: nothing is changed or cleaned up
 * here.
 */
#include "commands/list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/verb.h"
#include "core/device.h"
#include "core/node.h"
#include "core/process.h"
#include "lib/array.h"
#include "lib/build.h"
#include "lib/key-value.h"
#include "lib/message.h"
#include "lib/size.h"

/* Newer than the kernel headers that we build with. */
#ifndef UBLK_S_DEV_FAIL_IO
#define UBLK_S_DEV_FAIL_IO 3
#endif

struct list_settings {
	bool json;
};

static const char manual[] =
"Prints a line for each device, or for each device named. STATE is one of:\n"
"\n"
"  live      a server is running\n"
"  starting  the server has not finished starting the device\n"
"  dead      the server was killed; `ublk stop` removes the device\n"
"  quiesced  the server was killed; I/O waits for `ublk recover`\n"
"  fail-io   the server has given up; I/O fails until `ublk recover`\n"
"  gone      only the record of the device is left\n"
"\n"
"If another program serves the device, TARGET and ARGUMENT are `-`.\n";

static const struct option_spec list_options[] = {
	{ "json", 0, OPTION_FLAG, offsetof(struct list_settings, json), 0, 0,
	  NULL, "print a JSON array, with sizes in bytes" },
	{ 0 }
};

static unsigned long long list_number(const char *text, const char *key)
{
	char value[32];

	key_value_get(text, key, value, sizeof(value));
	return strtoull(value, NULL, 10);
}

/* The pid that the record has for @key if that process still runs, or 0. */
static pid_t list_running(const char *text, const char *key,
			  const char *started)
{
	pid_t pid = list_number(text, key);

	return process_runs(pid, list_number(text, started)) ? pid : 0;
}

static void from_record(struct listed *device, const char *text)
{
	device->recorded = true;
	key_value_get(text, "target", device->target, sizeof(device->target));
	key_value_get(text, "argument", device->argument,
		      sizeof(device->argument));
	device->size = list_number(text, "size");
	device->queues = list_number(text, "queues");
	device->depth = list_number(text, "depth");
	device->read_only = list_number(text, "read_only");
	device->rootfs = list_number(text, "rootfs");
	device->pid = list_running(text, "pid", "started");
	device->started = list_number(text, "started");
	device->worker = list_running(text, "worker", "worker_started");
	device->worker_started = list_number(text, "worker_started");
	device->supervised = device->pid && list_number(text, "worker");
	device->given_up = device->pid && list_number(text, "given_up");
	/* A worker continues to serve without its supervisor. */
	if (!device->pid) {
		device->pid = device->worker;
		device->started = device->worker_started;
	}
}

static const char *state_name(const struct listed *device, int state)
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

static int from_driver(struct listed *device, struct ublk_ctrl *ctrl,
			const struct ublksrv_ctrl_dev_info *info)
{
	struct ublk_params params;
	int err;

	device->at_driver = true;
	device->queues = info->nr_hw_queues;
	device->depth = info->queue_depth;
	err = ctrl_get_params(ctrl, device->id, &params);
	if (err)
		return err;
	device->size = params.basic.dev_sectors << 9;
	device->read_only = params.basic.attrs & UBLK_ATTR_READ_ONLY;
	/* Only the driver knows the pid of another program's server. */
	if (!device->recorded && info->ublksrv_pid > 0 &&
	    process_started(info->ublksrv_pid))
		device->pid = info->ublksrv_pid;
	device->state = state_name(device, info->state);
	return 0;
}

/*
 * Whether @err means that there is no record, or none that the caller may read.
 * After any other error there may be one.
 */
static bool is_no_record(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ||
	       err == -EISDIR || err == -ENXIO || err == -EFBIG ||
	       err == -EPERM || err == -EACCES;
}

int list_lookup(struct ublk_ctrl *ctrl, int id, struct listed *device)
{
	struct ublksrv_ctrl_dev_info info;
	char *text;
	int err;

	memset(device, 0, sizeof(*device));
	device->id = id;
	device->state = "gone";
	err = record_read(id, &text);
	if (err >= 0)
		from_record(device, text);
	free(text);
	if (err < 0 && !is_no_record(err))
		return err;
	err = ctrl_get_dev_info(ctrl, id, &info);
	if (!err)
		err = from_driver(device, ctrl, &info);
	if (err == -ENODEV)
		device->at_driver = false;
	else if (err)
		return err;
	return device->recorded || device->at_driver ? 0 : -ENODEV;
}

int list_lookup_failed(int id, int err)
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

static void id_add(int id, void *arg)
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
static int whole_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number > INT32_MAX)
		return -1;
	return number;
}

/* Devices of other programs have a node, but no record. */
static void ids_from_nodes(struct id_list *list)
{
	DIR *dir = opendir("/dev");
	struct dirent *entry;
	int id;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "ublkc", 5))
			continue;
		id = whole_number(entry->d_name + 5);
		if (id >= 0)
			id_add(id, list);
	}
	closedir(dir);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int list_ids(int **ids)
{
	struct id_list list = { 0 };

	record_each(id_add, &list);
	ids_from_nodes(&list);
	if (list.err) {
		free(list.ids);
		return list.err;
	}
	if (list.count)
		qsort(list.ids, list.count, sizeof(*list.ids), by_value);
	*ids = list.ids;
	return list.count;
}

int list_parse_id(const char *text)
{
	const char *digits = text;
	int id;

	if (!strncmp(digits, "/dev/", 5))
		digits += 5;
	if (!strncmp(digits, "ublkb", 5) || !strncmp(digits, "ublkc", 5))
		digits += 5;
	id = whole_number(digits);
	if (id < 0) {
		message("%s: not a device (such as 0 or /dev/ublkb0)", text);
		return -EINVAL;
	}
	return id;
}

bool list_names_ok(const char *verb, bool all, int argc, char **argv)
{
	int i;

	if (all == (argc > 0)) {
		message("%s: name a device, or use --all", verb);
		return false;
	}
	for (i = 0; i < argc; i++)
		if (list_parse_id(argv[i]) < 0)
			return false;
	return true;
}

int list_each(bool all, int argc, char **argv,
	      int (*act)(int id, bool named, void *arg), void *arg)
{
	int status = EXIT_DONE;
	int *ids = NULL;
	int count = all ? list_ids(&ids) : argc;
	int i;

	if (count < 0) {
		message_fail(count, "the list of devices");
		return EXIT_FAILED;
	}
	for (i = 0; i < count; i++)
		if (act(all ? ids[i] : list_parse_id(argv[i]), !all, arg))
			status = EXIT_FAILED;
	free(ids);
	return status;
}

/* The length of the UTF-8 character at @text in bytes; 0 if it is invalid. */
static int utf8_length(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	int length, i;

	if (*byte < 0x80)
		return 1;
	if (*byte < 0xc2 || *byte > 0xf4)
		return 0;
	length = *byte < 0xe0 ? 2 : *byte < 0xf0 ? 3 : 4;
	code = *byte & 0x7f >> length;
	for (i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

/*
 * JSON must be UTF-8, but file names may contain any bytes: invalid ones are
 * replaced.
 */
static void json_string(const char *text)
{
	int length;

	putchar('"');
	for (; *text; text += length ? length : 1) {
		length = utf8_length(text);
		if (!length)
			printf("\\ufffd");
		else if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if (length == 1 && (*text < ' ' || *text == 0x7f))
			printf("\\u%04x", *text);
		else
			printf("%.*s", length, text);
	}
	putchar('"');
}

static void print_json(const struct listed *device, bool first)
{
	char node[DEVICE_NODE_MAX];

	device_node(device->id, node);
	printf("%s\n  {\"id\": %d, \"node\": \"%s\", \"state\": \"%s\", "
	       "\"target\": ", first ? "" : ",", device->id, node,
	       device->state);
	json_string(device->target);
	printf(", \"argument\": ");
	json_string(device->argument);
	printf(", \"size\": %llu, \"read_only\": %s, \"queues\": %u, "
	       "\"depth\": %u, \"pid\": %d, \"supervised\": %s}",
	       (unsigned long long)device->size,
	       device->read_only ? "true" : "false", device->queues,
	       device->depth, (int)device->pid,
	       device->supervised ? "true" : "false");
}

/* On a terminal the heading is underlined; everything else is the same. */
static void print_heading(void)
{
	bool terminal = isatty(STDOUT_FILENO);

	printf("%s%-4s %-13s %-9s %-7s %8s %6s %7s %-10s  %s%s\n",
	       terminal ? "\033[4m" : "", "ID", "NODE", "STATE", "TARGET",
	       "SIZE", "QUEUES", "PID", "SUPERVISED", "ARGUMENT",
	       terminal ? "\033[0m" : "");
}

static void print_row(const struct listed *device)
{
	char node[DEVICE_NODE_MAX], size[SIZE_TEXT_MAX], pid[16] = "-";

	device_node(device->id, node);
	if (device->pid)
		snprintf(pid, sizeof(pid), "%d", (int)device->pid);
	printf("%-4d %-13s %-9s %-7s %8s %6u %7s %-10s  %s%s\n", device->id, node,
	       device->state, device->recorded ? device->target : "-",
	       size_text(device->size, size), device->queues, pid,
	       device->supervised ? "yes" : "no",
	       device->recorded ? device->argument : "-",
	       device->read_only ? " (read only)" : "");
}

static int print_devices(struct ublk_ctrl *ctrl, const int *ids, int count,
			 bool json, bool asked)
{
	int status = EXIT_DONE;
	int printed = 0;
	int i, err;

	if (json)
		putchar('[');
	for (i = 0; i < count; i++) {
		struct listed device;

		err = list_lookup(ctrl, ids[i], &device);
		/*
		 * Other users' devices, and a device that was deleted
		 * meanwhile.
		 */
		if (!asked && (err == -ENODEV || err == -EPERM ||
			       err == -EACCES))
			continue;
		if (err) {
			list_lookup_failed(ids[i], err);
			status = EXIT_FAILED;
			continue;
		}
		if (json) {
			print_json(&device, !printed);
		} else {
			if (!printed)
				print_heading();
			print_row(&device);
		}
		printed++;
	}
	if (json)
		puts(printed ? "\n]" : "]");
	if (fflush(stdout)) {
		message_fail(errno, "standard output");
		status = EXIT_FAILED;
	}
	return status;
}

static int list_run(const void *values, int argc, char **argv)
{
	const struct list_settings *settings = values;
	struct ublk_ctrl ctrl;
	int *ids = NULL;
	int count = argc;
	int status, i;

	if (argc) {
		ids = calloc(argc, sizeof(*ids));
		for (i = 0; ids && i < argc; i++) {
			ids[i] = list_parse_id(argv[i]);
			if (ids[i] < 0) {
				free(ids);
				return EXIT_USAGE;
			}
		}
		if (!ids)
			count = -ENOMEM;
	} else {
		count = list_ids(&ids);
	}
	if (count < 0) {
		message_fail(count, "the list of devices");
		return EXIT_FAILED;
	}
	if (ctrl_open(&ctrl)) {
		free(ids);
		return EXIT_FAILED;
	}
	status = print_devices(&ctrl, ids, count, settings->json, argc > 0);
	ctrl_close(&ctrl);
	free(ids);
	return status;
}

const struct verb verb_list = {
	.name = "list",
	.arguments = "[ID|NODE...]",
	.summary = "list devices",
	.manual = MANUAL(manual),
	.options = list_options,
	.settings_size = sizeof(struct list_settings),
	.max_arguments = -1,
	.run = list_run,
};
