// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk stop`: ends devices, whether their server lives or not, and returns
 * when nothing of them is left: no node, no process, no record.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/ctrl.h"
#include "core/device.h"
#include "core/list.h"
#include "core/memory.h"
#include "core/message.h"
#include "core/process.h"
#include "core/verb.h"

#define SERVER_WAIT_MS 10000
#define SERVER_TICK_MS 100
#define RECORD_WAIT_MS 500
#define RECORD_TICK_MS 10

struct stop_settings {
	bool all;
	bool force;
};

/* What stop_device() is given. */
struct stop {
	struct ublk_ctrl *ctrl;
	bool force;
};

static const struct option_spec stop_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct stop_settings, all), 0, 0,
	  NULL, "every device there is" },
	{ "force", 0, OPTION_FLAG, offsetof(struct stop_settings, force), 0, 0,
	  NULL, "even when mounted: what is not on it yet is lost" },
	{ 0 }
};

/* A device that was still starting had no disk to end, and may have one now. */
static void stop_started(struct ublk_ctrl *ctrl, const struct listed *device)
{
	struct listed now;

	if (strcmp(device->state, "starting") ||
	    list_lookup(ctrl, device->id, &now))
		return;
	if (now.pid == device->pid && !strcmp(now.state, "live"))
		ctrl_stop_dev(ctrl, device->id);
}

/*
 * Waits until a process of the device has ended. That may take long where much
 * is still to be written, so ours is waited for; who knows what another
 * program's does. Returns 0 or -errno after telling.
 */
static int wait_for_process(struct ublk_ctrl *ctrl,
			    const struct listed *device, pid_t pid)
{
	struct pollfd ended = { .events = POLLIN };
	unsigned int waited;
	int ret;

	ended.fd = process_watch(pid);
	if (ended.fd == -ESRCH)
		return 0;
	if (ended.fd < 0)
		return message_fail(ended.fd, "device %d: its server, process "
				    "%d", device->id, (int)pid);
	for (waited = SERVER_TICK_MS;; waited += SERVER_TICK_MS) {
		ret = poll(&ended, 1, SERVER_TICK_MS);
		if (ret)
			break;
		stop_started(ctrl, device);
		if (waited != SERVER_WAIT_MS)
			continue;
		if (!device->recorded)
			break;
		message("device %d: waiting for its server, process %d",
			device->id, (int)pid);
		/* It may wait for a start that never comes to its end. */
		ctrl_stop_dev(ctrl, device->id);
	}
	if (ret <= 0)
		ret = message_fail(ret ? errno : ETIMEDOUT, "device %d: its "
				   "server, process %d, does not end",
				   device->id, (int)pid);
	close(ended.fd);
	return ret > 0 ? 0 : ret;
}

/*
 * The server ends by itself when the driver has taken back its tags, and
 * deletes the device and the record as it goes. One that was killed just now
 * does not, nor does it wait for its worker.
 */
static int wait_for_server(struct ublk_ctrl *ctrl, const struct listed *device)
{
	int err = 0;

	if (device->pid)
		err = wait_for_process(ctrl, device, device->pid);
	if (!err && device->worker && device->worker != device->pid)
		err = wait_for_process(ctrl, device, device->worker);
	return err;
}

/*
 * Whether a server that has ended left its record, because it was killed. If
 * not, it has cleaned up, and the id may already be another device's.
 */
static bool was_killed(struct ublk_ctrl *ctrl, int id)
{
	struct listed now;

	return !list_lookup(ctrl, id, &now) && now.recorded && !now.pid;
}

/*
 * What there is of a device. One that a server has just added has no record yet,
 * and must not be deleted behind its back: Linux 6.1 lets neither of the two go
 * when it is about to be started. Returns 0 or -ENODEV after telling.
 */
static int look_up(struct ublk_ctrl *ctrl, int id, struct listed *device)
{
	const struct timespec tick = { .tv_nsec = RECORD_TICK_MS * 1000000 };
	unsigned int waited;

	for (waited = 0; !list_lookup(ctrl, id, device);
	     waited += RECORD_TICK_MS) {
		if (device->recorded || device->pid ||
		    strcmp(device->state, "dead") || waited >= RECORD_WAIT_MS)
			return 0;
		nanosleep(&tick, NULL);
	}
	message("%d: no such device", id);
	return -ENODEV;
}

/* For list_each(). */
static int stop_device(int id, bool named, void *arg)
{
	const struct stop *stop = arg;
	struct ublk_ctrl *ctrl = stop->ctrl;
	struct listed device;
	int err;

	(void)named;
	err = look_up(ctrl, id, &device);
	if (err)
		return err;
	if (!stop->force && device_in_use(id)) {
		message("device %d is in use; unmount it first, or --force",
			id);
		return -EBUSY;
	}
	/* Of one that still starts the server ends when its disk was there. */
	if (device.at_driver && strcmp(device.state, "starting")) {
		err = ctrl_stop_dev(ctrl, id);
		if (err && err != -ENODEV)
			return message_fail(err, "cannot stop device %d", id);
	}
	if (device.pid) {
		err = wait_for_server(ctrl, &device);
		if (err)
			return err;
		if (device.recorded && !was_killed(ctrl, id))
			return 0;
	}
	return device_delete(ctrl, id);
}

static int stop_run(const void *values, int argc, char **argv)
{
	const struct stop_settings *settings = values;
	struct ublk_ctrl ctrl;
	struct stop stop = { .ctrl = &ctrl, .force = settings->force };
	int status;

	if (!list_names_ok("stop", settings->all, argc, argv))
		return EXIT_USAGE;
	if (ctrl_open(&ctrl))
		return EXIT_FAILED;
	status = list_each(settings->all, argc, argv, stop_device, &stop);
	ctrl_close(&ctrl);
	/* As a root's server could not, having mounts of its own. */
	memory_release();
	return status;
}

const struct verb verb_stop = {
	.name = "stop",
	.arguments = "ID|NODE... | --all",
	.summary = "stop and delete devices",
	.manual = "What was written is flushed to the server first. When the "
		  "command returns, node,\nserver and record are gone. A "
		  "device that is mounted, or otherwise claimed, is\nrefused "
		  "without --force.\n",
	.options = stop_options,
	.settings_size = sizeof(struct stop_settings),
	.max_arguments = -1,
	.run = stop_run,
};
