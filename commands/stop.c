// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk stop`: ends devices, whether their server lives or not, and returns
 * when nothing of them is left: no node, no process, no record.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/list.h"
#include "commands/verb.h"
#include "core/ctrl.h"
#include "core/device.h"
#include "core/holders.h"
#include "core/memory.h"
#include "core/process.h"
#include "core/settle.h"
#include "lib/build.h"
#include "lib/clock.h"
#include "lib/message.h"

#define SERVER_WAIT_MS 10000
#define SERVER_TICK_MS 100
#define RECORD_WAIT_MS 500
#define RECORD_TICK_MS 10
#define OPENED_TICK_MS 50
#define SIDE_BY_SIDE 16

struct stop_settings {
	bool all;
	bool force;
};

static const char manual[] =
"Writes cached data to the device first. When the command returns, the node,\n"
"the server and the record of the device are gone.\n"
"\n"
"Without --force, a device in use is not stopped, and the message says what\n"
"uses it: a mount, swap, another device, or a program that has it open. If it\n"
"is only open, `ublk stop` waits two seconds for the program to close it.\n";

/* A device to be stopped. */
struct stop {
	int id;
	bool named;		/* not one of --all */
	bool done;		/* it is gone */
	int err;		/* why it is not; told, but that it is in use */
	struct holder holder;	/* who has it then */
	struct listed device;
};

/* How a device is stopped that somebody has. */
enum stop_manner {
	STOP_UNUSED,		/* not now */
	STOP_PATIENT,		/* nor later, but who has it open may go */
	STOP_FORCED,
};

static const struct option_spec stop_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct stop_settings, all), 0, 0,
	  NULL, "stop every device except a running root" },
	{ "force", 0, OPTION_FLAG, offsetof(struct stop_settings, force), 0, 0,
	  NULL, "stop devices in use; data not yet written is lost" },
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
			    const struct listed *device, pid_t pid,
			    unsigned long long started)
{
	struct pollfd ended = { .events = POLLIN };
	unsigned int waited;
	int ret;

	/* Of another program's server nobody wrote down when it started. */
	ended.fd = started ? process_open(pid, started) : process_watch(pid);
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
		err = wait_for_process(ctrl, device, device->pid,
				       device->started);
	if (!err && device->worker && device->worker != device->pid)
		err = wait_for_process(ctrl, device, device->worker,
				       device->worker_started);
	return err;
}

/*
 * Whether a server that has ended left its record, because it was killed: 1 or 0. If
 * not, it has cleaned up, and the id may already be another device's. Returns -errno
 * where that cannot be told.
 */
static int was_killed(struct ublk_ctrl *ctrl, int id)
{
	struct listed now;
	int err = list_lookup(ctrl, id, &now);

	if (err)
		return err == -ENODEV ? 0 : list_lookup_failed(id, err);
	return now.recorded && !now.pid;
}

/*
 * What there is of a device. One that a server has just added has no record yet,
 * and must not be deleted behind its back: Linux 6.1 lets neither of the two go
 * when it is about to be started. Of all devices those of others are not meant, nor
 * one that went away meanwhile. Returns 0, or -errno after telling.
 */
static int look_up(struct ublk_ctrl *ctrl, struct stop *stop)
{
	struct listed *device = &stop->device;
	unsigned int waited;
	int err;

	for (waited = 0;; waited += RECORD_TICK_MS) {
		err = list_lookup(ctrl, stop->id, device);
		stop->done = !stop->named && (err == -ENODEV || err == -EPERM ||
					      err == -EACCES);
		if (stop->done)
			return 0;
		if (err)
			return list_lookup_failed(stop->id, err);
		if (device->recorded || device->pid ||
		    strcmp(device->state, "dead") || waited >= RECORD_WAIT_MS)
			return 0;
		clock_sleep_ms(RECORD_TICK_MS);
	}
}

/* Of all devices a root that runs is not meant, whatever else is said. */
static bool is_spared(const struct stop *stop)
{
	struct holder holder;

	if (stop->named || !stop->device.rootfs ||
	    !holders_find(stop->id, &holder))
		return false;
	message("device %d holds a running root and is not stopped; name it "
		"and use --force to stop it", stop->id);
	return true;
}

/*
 * Whether the driver stops the device only where nobody has it. Without a server it
 * might wait for who opens the disk, who waits for a server.
 */
static bool is_driver_asked(const struct ublk_ctrl *ctrl,
			    const struct stop *stop, enum stop_manner manner)
{
	return manner != STOP_FORCED &&
	       ctrl->features & UBLK_F_SAFE_STOP_DEV &&
	       !strcmp(stop->device.state, "live");
}

/* Whether @stop has to wait; the driver is asked later, where it can tell. */
static bool is_held(struct ublk_ctrl *ctrl, struct stop *stop,
		    enum stop_manner manner)
{
	/* Without a server such a device does not have the disk open. */
	if (holders_find_device(stop->id, &stop->holder))
		return true;
	if (is_driver_asked(ctrl, stop, manner))
		return false;
	return manner == STOP_PATIENT ? holders_stay(stop->id, &stop->holder) :
					holders_find(stop->id, &stop->holder);
}

static void stop_begin(struct ublk_ctrl *ctrl, struct stop *stop,
		       enum stop_manner manner)
{
	stop->err = look_up(ctrl, stop);
	if (stop->err || stop->done)
		return;
	stop->done = is_spared(stop);
	/* One that still starts has no disk yet. */
	if (!stop->done && manner != STOP_FORCED && stop->device.at_driver &&
	    strcmp(stop->device.state, "starting") &&
	    is_held(ctrl, stop, manner))
		stop->err = -EBUSY;
}

/*
 * The driver says that somebody has the disk of @stop: finds out who, and waits for
 * a program that may be about to close it. Returns 0 when it is stopped, -EBUSY, or
 * another -errno.
 */
static int stop_again(struct ublk_ctrl *ctrl, struct stop *stop,
		      enum stop_manner manner)
{
	uint64_t end = clock_ms() + HOLDERS_PASS_MS;
	int err = -EBUSY;

	while (err == -EBUSY) {
		if (!holders_find(stop->id, &stop->holder))
			stop->holder = (struct holder){ "open somewhere", true };
		if (manner != STOP_PATIENT || !stop->holder.opened ||
		    clock_ms() > end)
			return err;
		clock_sleep_ms(OPENED_TICK_MS);
		err = ctrl_try_stop_dev(ctrl, stop->id);
	}
	return err == -ENODEV ? ctrl_stop_dev(ctrl, stop->id) : err;
}

/* Has the driver stop, side by side, those for which is_driver_asked() is @unused. */
static void stop_at_driver(struct ublk_ctrl *ctrl, struct stop *stops,
			   unsigned int count, enum stop_manner manner,
			   bool unused)
{
	int ids[SIDE_BY_SIDE] = { 0 }, errs[SIDE_BY_SIDE];
	unsigned int i;

	for (i = 0; i < count; i++) {
		const struct listed *device = &stops[i].device;

		ids[i] = stops[i].id;
		/* One that still starts ends when its disk was there. */
		errs[i] = stops[i].done || stops[i].err ||
			  !device->at_driver ||
			  !strcmp(device->state, "starting") ||
			  is_driver_asked(ctrl, &stops[i], manner) != unused ?
			  -ENODEV : 0;
	}
	ctrl_stop_devs(ctrl, ids, errs, count, unused);
	for (i = 0; i < count; i++) {
		if (unused && errs[i] == -EBUSY)
			errs[i] = stop_again(ctrl, &stops[i], manner);
		if (unused && errs[i] == -EBUSY)
			stops[i].err = -EBUSY;
		else if (errs[i] && errs[i] != -ENODEV)
			stops[i].err = message_fail(errs[i], "cannot stop "
						    "device %d", ids[i]);
	}
}

/* The driver has stopped it: waits for its server, and removes what is left. */
static int stop_finish(struct ublk_ctrl *ctrl, const struct stop *stop,
		       bool force)
{
	const struct listed *device = &stop->device;
	int err;

	if (device->pid) {
		err = wait_for_server(ctrl, device);
		if (err)
			return err;
		err = device->recorded ? was_killed(ctrl, stop->id) : 1;
		if (err <= 0)
			return err;
	}
	/* Nobody is left who could. */
	err = settle_device(stop->id);
	if (err && !force) {
		message("device %d: some writes are not in the --cow file yet; "
			"try again, or use --force to lose them", stop->id);
		return err;
	}
	return device_delete(ctrl, stop->id);
}

/* Stops what can be stopped now. Returns how many are gone that were there. */
static int stop_round(struct ublk_ctrl *ctrl, struct stop *stops,
		      unsigned int count, enum stop_manner manner, bool force)
{
	unsigned int i, from;
	int gone = 0;

	/* Not all at once: between the look at one and its end is little time. */
	for (from = 0; from < count; from = i) {
		for (i = from; i < count && i < from + SIDE_BY_SIDE; i++)
			if (!stops[i].done &&
			    (!stops[i].err || stops[i].err == -EBUSY))
				stop_begin(ctrl, &stops[i], manner);
		stop_at_driver(ctrl, stops + from, i - from, manner, false);
		stop_at_driver(ctrl, stops + from, i - from, manner, true);
	}
	for (i = 0; i < count; i++) {
		if (stops[i].done || stops[i].err)
			continue;
		stops[i].err = stop_finish(ctrl, &stops[i], force);
		stops[i].done = !stops[i].err;
		gone += stops[i].done;
	}
	return gone;
}

/*
 * A disk may lie on another one that is to be stopped, too, which is in use as long
 * as the upper one is there. Force comes last: what the upper one has not written
 * yet goes to the lower one. Returns an exit status.
 */
static int stop_devices(struct ublk_ctrl *ctrl, struct stop *stops,
			unsigned int count, bool force)
{
	int status = EXIT_DONE;
	unsigned int i;
	int gone;

	do {
		do {
			gone = stop_round(ctrl, stops, count, STOP_UNUSED,
					  force);
		} while (gone);
		gone = stop_round(ctrl, stops, count,
				  force ? STOP_FORCED : STOP_PATIENT, force);
	} while (gone && !force);
	for (i = 0; i < count; i++) {
		if (stops[i].err == -EBUSY)
			message("device %d is in use: %s; end that first, or "
				"use --force", stops[i].id,
				stops[i].holder.text);
		if (!stops[i].done)
			status = EXIT_FAILED;
	}
	return status;
}

static int stop_run(const void *values, int argc, char **argv)
{
	const struct stop_settings *settings = values;
	int *ids = NULL, count = argc, status = EXIT_FAILED, i;
	struct stop *stops;
	struct ublk_ctrl ctrl;

	if (!list_names_ok("stop", settings->all, argc, argv))
		return EXIT_USAGE;
	if (ctrl_open(&ctrl))
		return EXIT_FAILED;
	if (settings->all)
		count = list_ids(&ids);
	stops = count < 0 ? NULL : calloc(count + 1, sizeof(*stops));
	for (i = 0; stops && i < count; i++) {
		stops[i].id = ids ? ids[i] : list_parse_id(argv[i]);
		stops[i].named = !settings->all;
	}
	if (stops)
		status = stop_devices(&ctrl, stops, count, settings->force);
	else
		message_fail(ENOMEM, "the list of devices");
	free(stops);
	free(ids);
	ctrl_close(&ctrl);
	/* As a root's server could not, having mounts of its own. */
	memory_release();
	return status;
}

const struct verb verb_stop = {
	.name = "stop",
	.arguments = "ID|NODE... | --all",
	.summary = "stop and delete devices",
	.manual = MANUAL(manual),
	.options = stop_options,
	.settings_size = sizeof(struct stop_settings),
	.max_arguments = -1,
	.run = stop_run,
};
