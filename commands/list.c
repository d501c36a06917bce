// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk list`: shows the devices. Only reads: nothing is changed or cleaned up
 * here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/lookup.h"
#include "commands/verb.h"
#include "core/device.h"
#include "core/node.h"
#include "core/process.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/size.h"
#include "sources/uri.h"

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
"If another program serves the device, TARGET and ARGUMENT are `-`. While the\n"
"server that a disk is read from is away, ARGUMENT is `waiting for nbd://...`.\n";

static const struct option_spec list_options[] = {
	{ "json", 0, OPTION_FLAG, offsetof(struct list_settings, json), 0, 0,
	  NULL, "print a JSON array, with sizes in bytes" },
	{ 0 }
};

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

/* Whether the disk is on a server that is away. */
static bool is_waiting(const struct lookup *device)
{
	return WITH_NETWORK && device->pid && uri_is_one(device->argument) &&
	       process_child_waits(device->worker ? device->worker :
						    device->pid);
}

static void print_json(const struct lookup *device, bool first)
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
	       "\"depth\": %u, \"pid\": %d, \"supervised\": %s, "
	       "\"owner\": %u, \"group\": %u, \"waiting\": %s}",
	       (unsigned long long)device->size,
	       device->read_only ? "true" : "false", device->queues,
	       device->depth, (int)device->pid,
	       device->supervised ? "true" : "false",
	       (unsigned int)device->owner, (unsigned int)device->group,
	       is_waiting(device) ? "true" : "false");
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

static void print_row(const struct lookup *device)
{
	char node[DEVICE_NODE_MAX], size[SIZE_TEXT_MAX], pid[16] = "-";

	device_node(device->id, node);
	if (device->pid)
		snprintf(pid, sizeof(pid), "%d", (int)device->pid);
	printf("%-4d %-13s %-9s %-7s %8s %6u %7s %-10s  %s%s%s\n", device->id, node,
	       device->state, device->recorded ? device->target : "-",
	       size_text(device->size, size), device->queues, pid,
	       device->supervised ? "yes" : "no",
	       is_waiting(device) ? "waiting for " : "",
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
		struct lookup device;

		err = lookup_device(ctrl, ids[i], &device);
		/*
		 * Other users' devices, and a device that was deleted
		 * meanwhile.
		 */
		if (!asked && (err == -ENODEV || err == -EPERM ||
			       err == -EACCES))
			continue;
		if (err) {
			lookup_failed(ids[i], err);
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
			ids[i] = lookup_parse_id(argv[i]);
			if (ids[i] < 0) {
				free(ids);
				return EXIT_USAGE;
			}
		}
		if (!ids)
			count = -ENOMEM;
	} else {
		count = lookup_ids(&ids);
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
