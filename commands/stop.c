// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk stop`: ends devices, whether their servers are alive or not. When it
 * returns, nothing is left of them: no node, no process, no record.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/lookup.h"
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
#include "sources/uri.h"

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
	bool named;		/* by the user, not through --all */
	bool done;		/* it is gone */
	int err;		/* if it is not; printed, except -EBUSY */
	struct holder holder;	/* what uses it then */
	struct lookup device;
};

/* How to stop a device that is in use. */
enum stop_manner {
	STOP_UNUSED,		/* skip it for now */
	STOP_PATIENT,		/* give programs time to close it */
	STOP_FORCED,
};

static const struct option_spec stop_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct stop_settings, all), 0, 0,
	  NULL, "stop every device except a running root" },
	{ "force", 0, OPTION_FLAG, offsetof(struct stop_settings, force), 0, 0,
	  NULL, "stop devices in use; data not yet written is lost" },
	{ 0 }
};

/* While the device was starting it had no disk to stop. It may have one now. */
static void stop_started(struct ublk_ctrl *ctrl, const struct lookup *device)
{
	struct lookup now;

	if (strcmp(device->state, "starting") ||
	    lookup_device(ctrl, device->id, &now))
		return;
	if (now.pid == device->pid && !strcmp(now.state, "live"))
		ctrl_stop_dev(ctrl, device->id);
}

/*
 * Waits until a process of the device has ended. One of ours may have much to
 * write, so the wait has no limit. Another program's process gets
 * SERVER_WAIT_MS. Returns 0, or -errno after printing why.
 */
static int wait_for_process(struct ublk_ctrl *ctrl,
			    const struct lookup *device, pid_t pid,
			    unsigned long long started)
{
	struct pollfd ended = { .events = POLLIN };
	unsigned int waited;
	int ret;

	/* Nobody has recorded when another program's server started. */
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
		/* It may be waiting for a start that never completes. */
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
 * Waits for the device's processes. A server ends when the driver has returned
 * its tags, and deletes the device and the record itself. One that was killed
 * just now does not, and does not wait for its worker either.
 */
static int wait_for_server(struct ublk_ctrl *ctrl, const struct lookup *device)
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
 * Returns 1 if the server, which has ended, was killed, so that its record is still
 * there; 0 if it cleaned up, and then the id may already belong to another device;
 * -errno, after printing why, if that is unknown.
 */
static int was_killed(struct ublk_ctrl *ctrl, int id)
{
	struct lookup now;
	int err = lookup_device(ctrl, id, &now);

	if (err)
		return err == -ENODEV ? 0 : lookup_failed(id, err);
	return now.recorded && !now.pid;
}

/*
 * Looks up a device. A device that a server has just added has no record yet.
 * Deleting it at that moment would make both hang on Linux 6.1 if it is about
 * to be started, so this waits for the record. With --all, skips other users'
 * devices and those deleted meanwhile. Returns 0, or -errno after printing why.
 */
static int stop_look_up(struct ublk_ctrl *ctrl, struct stop *stop)
{
	struct lookup *device = &stop->device;
	unsigned int waited;
	int err;

	for (waited = 0;; waited += RECORD_TICK_MS) {
		err = lookup_device(ctrl, stop->id, device);
		stop->done = !stop->named && (err == -ENODEV || err == -EPERM ||
					      err == -EACCES);
		if (stop->done)
			return 0;
		if (err)
			return lookup_failed(stop->id, err);
		if (device->recorded || device->pid ||
		    strcmp(device->state, "dead") || waited >= RECORD_WAIT_MS)
			return 0;
		clock_sleep_ms(RECORD_TICK_MS);
	}
}

/* --all never stops the device of a running root, not even with --force. */
static bool stop_spares(const struct stop *stop)
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
 * Whether to use TRY_STOP_DEV, which stops the device only if its disk is not
 * open. Not for a device without a server: the driver could wait for an open of
 * the disk, and that open waits for a server.
 */
static bool is_driver_asked(const struct ublk_ctrl *ctrl,
			    const struct stop *stop, enum stop_manner manner)
{
	return manner != STOP_FORCED &&
	       ctrl->features & UBLK_F_SAFE_STOP_DEV &&
	       !strcmp(stop->device.state, "live");
}

/*
 * Whether @stop must wait because the device is in use. If the driver can tell,
 * it is asked later.
 */
static bool stop_must_wait(struct ublk_ctrl *ctrl, struct stop *stop,
			   enum stop_manner manner)
{
	/*
	 * A device of ours that is made of this disk has it open only while it
	 * has a server.
	 */
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
	stop->err = stop_look_up(ctrl, stop);
	if (stop->err || stop->done)
		return;
	stop->done = stop_spares(stop);
	/* While it is starting it has no disk. */
	if (!stop->done && manner != STOP_FORCED && stop->device.at_driver &&
	    strcmp(stop->device.state, "starting") &&
	    stop_must_wait(ctrl, stop, manner))
		stop->err = -EBUSY;
}

/*
 * The driver says that the disk of @stop is open. Finds out what uses it, and
 * waits for a program that may be about to close it. Returns 0 once it is
 * stopped, -EBUSY, or another -errno.
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

/*
 * What may wait for a server of the network without an end is over: the disk is
 * gone, or is to end by force.
 */
static void stop_waiting(const struct lookup *device)
{
	const bool has_worker = device->worker != 0;

	if (WITH_NETWORK && device->pid && uri_is_one(device->argument) &&
	    process_runs(has_worker ? device->worker : device->pid,
			 has_worker ? device->worker_started : device->started))
		process_over_children(has_worker ? device->worker : device->pid);
}

/*
 * Stops at the driver, all at the same time, the devices for which
 * is_driver_asked() returns @unused: true for those that it stops only if nobody
 * has them open.
 */
static void stop_at_driver(struct ublk_ctrl *ctrl, struct stop *stops,
			   unsigned int count, enum stop_manner manner,
			   bool unused)
{
	int ids[SIDE_BY_SIDE] = { 0 }, errs[SIDE_BY_SIDE];
	unsigned int i;

	for (i = 0; i < count; i++) {
		const struct lookup *device = &stops[i].device;

		if (manner == STOP_FORCED && !stops[i].done)
			stop_waiting(device);
		ids[i] = stops[i].id;
		/* A device that is starting is stopped once it has a disk. */
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

/*
 * The driver has stopped the device: waits for its server, and removes what is
 * left.
 */
static int stop_finish(struct ublk_ctrl *ctrl, const struct stop *stop,
		       bool force)
{
	const struct lookup *device = &stop->device;
	int err;

	if (device->pid) {
		/* What was only read ahead would keep the server. */
		stop_waiting(device);
		err = wait_for_server(ctrl, device);
		if (err)
			return err;
		err = device->recorded ? was_killed(ctrl, stop->id) : 1;
		if (err <= 0)
			return err;
	}
	/* No process is left that could do it. */
	err = settle_device(stop->id);
	if (err && !force) {
		device_report_unfinished(stop->id);
		return err;
	}
	return device_delete(ctrl, stop->id);
}

/* Stops the devices that can be stopped now. Returns how many were stopped. */
static int stop_round(struct ublk_ctrl *ctrl, struct stop *stops,
		      unsigned int count, enum stop_manner manner, bool force)
{
	unsigned int i, from;
	int gone = 0;

	/*
	 * In groups, so that little time passes between the check of a device
	 * and its stop.
	 */
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
 * A device may lie on another one that is to be stopped as well, and keeps it
 * in use until it is gone itself. So this repeats rounds, and forces only when
 * no round helps any more: what an upper device has not written yet goes to the
 * lower one. Returns an exit status.
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

	if (!lookup_names_ok("stop", settings->all, argc, argv))
		return EXIT_USAGE;
	if (ctrl_open(&ctrl))
		return EXIT_FAILED;
	if (settings->all)
		count = lookup_ids(&ids);
	stops = count < 0 ? NULL : calloc(count + 1, sizeof(*stops));
	for (i = 0; stops && i < count; i++) {
		stops[i].id = ids ? ids[i] : lookup_parse_id(argv[i]);
		stops[i].named = !settings->all;
	}
	if (stops)
		status = stop_devices(&ctrl, stops, count, settings->force);
	else
		message_fail(ENOMEM, "the list of devices");
	free(stops);
	free(ids);
	ctrl_close(&ctrl);
	/*
	 * The server of a root has a mount namespace of its own, and could not
	 * do this.
	 */
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
