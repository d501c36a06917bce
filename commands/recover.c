// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk recover`: starts new servers for devices whose servers have died.
 * Afterwards the device is served, given up, or gone, whatever state it was in.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "commands/lookup.h"
#include "commands/verb.h"
#include "core/process.h"
#include "core/record.h"
#include "core/resume.h"
#include "core/server.h"
#include "core/settle.h"
#include "core/signals.h"
#include "core/supervise.h"
#include "lib/build.h"
#include "lib/clock.h"
#include "lib/message.h"

#define NOTICE_MS 10000
#define NOTICE_TICK_MS 10
#define DYING_MS 300	/* time for a killed process to show that it exits */

struct recover_settings {
	bool all;
};

/* The argument of recover_serve(). */
struct recovery {
	struct ublk_device device;
	struct server server;	/* of @device */
	struct lookup listed;	/* what was found at first */
};

static const struct option_spec recover_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct recover_settings, all), 0, 0,
	  NULL, "recover every device that has a record but no server" },
	{ 0 }
};

static const char manual[] =
"Starts a server from the record of the device and prints the node. A record\n"
"that does not match the device is refused. A device that was being stopped\n"
"when its server died is removed, and this counts as a failure. Any other\n"
"device that cannot be served stays as it is: its I/O waits or, in state\n"
"fail-io, fails.\n";

/*
 * A worker without its supervisor does not count: it needs a new one. A server
 * of one process does.
 */
static bool has_server(const struct lookup *listed)
{
	return !listed->given_up &&
	       (listed->supervised || (listed->pid && !listed->worker));
}

static int refuse_served(const struct lookup *listed)
{
	message("device %d already has a server, process %d", listed->id,
		(int)listed->pid);
	return -EBUSY;
}

/*
 * Writes the record with this process as the server. After that, another `ublk
 * recover` refuses the device. One that ran at the same time may have been
 * first, even if it gave the device up: then this one is refused.
 */
static int recover_record(struct ublk_device *device)
{
	int lock = record_lock();
	struct lookup listed;
	int id = device->info.dev_id;
	int err;

	if (lock < 0)
		return message_fail(lock, "the records");
	err = lookup_device(&device->ctrl, id, &listed);
	if (err)
		lookup_failed(id, err);
	else if (has_server(&listed) || listed.given_up)
		err = refuse_served(&listed);
	else
		err = device_record(device);
	close(lock);
	return err;
}

/*
 * Prepares all that a server needs. Returns 0, or an exit status with nothing
 * left open.
 */
static int recover_prepare(struct server *server)
{
	struct ublk_device *device = server->device;
	int status = device_open(device);
	int err;

	if (status != EXIT_DONE)
		return status;
	server->signal_fd = signals_open();
	err = server->signal_fd < 0 ? server->signal_fd : process_protect(false);
	if (!err && device->settings->rootfs)
		err = process_serve_root();
	if (!err)
		err = device_open_buffers(device, -1);
	if (!err)
		err = worker_prepare(&server->worker, device);
	if (!err)
		err = recover_record(device);
	if (!err)
		return EXIT_DONE;
	worker_forget(&server->worker);
	device_close(device);
	return EXIT_FAILED;
}

/*
 * The device had been given up, and no server could be started now either:
 * fails its I/O again, so that nobody waits. The target is not open.
 */
static void recover_failed(struct server *server)
{
	struct ublk_device *device = server->device;
	int id = device->info.dev_id;

	device->as_recorded = true;
	device->given_up = true;
	if (server->signal_fd <= 0)
		server->signal_fd = signals_open();
	/* All requests share one buffer: nobody reads its contents. */
	if (server->signal_fd < 0 ||
	    buffers_open(&device->buffers, -1, device->info.max_io_buf_bytes,
			 BUFFERS_ON_DEMAND))
		return;
	if (!recover_record(device)) {
		message("device %d: all its I/O still fails", id);
		if (!supervise_failing(server)) {
			if (settle_device(id))
				device_report_unfinished(id);
			else
				device_delete(&device->ctrl, id);
		}
	}
	buffers_close(&device->buffers);
}

/*
 * Sends signal @number (0: none) to process @pid, which started at @started,
 * and waits for its end. Returns false if it has not ended in @milliseconds, or
 * cannot be watched.
 */
static bool recover_wait_end(pid_t pid, unsigned long long started, int number,
			     int milliseconds)
{
	struct pollfd ended = { .events = POLLIN };
	bool gone;

	ended.fd = process_open(pid, started);
	if (ended.fd < 0)
		return ended.fd == -ESRCH;
	if (number)
		process_signal(ended.fd, number, 0);
	gone = poll(&ended, 1, milliseconds) > 0;
	close(ended.fd);
	return gone;
}

/*
 * Kills what a dead supervisor or a failing server has left: a worker without a
 * supervisor gets no commands any more, and a supervisor that has given up only
 * fails I/O.
 */
static void end_processes(const struct lookup *listed)
{
	if (listed->given_up)
		recover_wait_end(listed->pid, listed->started, SIGKILL,
				 NOTICE_MS);
	if (listed->worker)
		recover_wait_end(listed->worker, listed->worker_started,
				 SIGKILL, NOTICE_MS);
}

/*
 * Waits until nobody serves the device any more, and returns its state at the
 * driver, or -errno. If another process has recovered it meanwhile, @listed has
 * a server.
 */
static int state_without_server(struct ublk_ctrl *ctrl, int id,
				struct lookup *listed)
{
	struct ublksrv_ctrl_dev_info info;
	int waited, err;

	for (waited = 0; waited < NOTICE_MS; waited += NOTICE_TICK_MS) {
		err = ctrl_get_dev_info(ctrl, id, &info);
		if (err)
			return err;
		if (info.state != UBLK_S_DEV_LIVE ||
		    (!lookup_device(ctrl, id, listed) && has_server(listed)))
			break;
		clock_sleep_ms(NOTICE_TICK_MS);
	}
	return info.state;
}

/*
 * Waits for the end of a server that was killed a moment ago. Returns false if
 * it is alive. The exit takes long if the process has much memory and the board
 * is slow.
 */
static bool has_died(const struct lookup *listed)
{
	int waited;

	for (waited = 0; waited < NOTICE_MS; waited += DYING_MS) {
		if (recover_wait_end(listed->pid, listed->started, 0, DYING_MS))
			return true;
		if (!process_dying(listed->pid))
			break;
	}
	return false;
}

/* Looks a device up. A server that is exiting does not count. */
static int recover_lookup(struct ublk_ctrl *ctrl, int id, struct lookup *listed)
{
	int err = lookup_device(ctrl, id, listed);

	if (err || !has_server(listed) || !listed->started || !has_died(listed))
		return err;
	return lookup_device(ctrl, id, listed);
}

/* Removes what is left of a device that cannot be served any more. */
static int clean_up(struct ublk_ctrl *ctrl, int id, const char *why)
{
	if (settle_device(id)) {
		message("device %d %s", id, why);
		device_report_unfinished(id);
		return -ENODEV;
	}
	device_delete(ctrl, id);
	message("device %d %s; what was left of it has been removed", id, why);
	return -ENODEV;
}

/*
 * Ends the remaining processes of the device. Returns 0 if its disk exists and
 * nobody serves it, or -errno after printing why.
 */
static int recover_begin(struct recovery *recovery)
{
	struct ublk_ctrl *ctrl = &recovery->device.ctrl;
	struct lookup listed = recovery->listed;
	int id = listed.id;
	int state;

	end_processes(&listed);
	state = state_without_server(ctrl, id, &listed);
	if (has_server(&listed))
		return refuse_served(&listed);
	if (state == -ENODEV || state == UBLK_S_DEV_DEAD)
		return clean_up(ctrl, id, "no longer has a disk");
	if (state < 0)
		return message_fail(state, "device %d", id);
	if (state == UBLK_S_DEV_LIVE) {
		message("device %d: the driver has not noticed that the server "
			"is gone", id);
		return -EBUSY;
	}
	return 0;
}

/* Runs in the background: the whole life of the new server. */
static int recover_serve(void *arg)
{
	struct recovery *recovery = arg;
	struct server *server = &recovery->server;
	struct ublk_device *device = &recovery->device;
	int status, err;

	server->device = device;
	/* process_background() has closed the caller's. */
	if (ctrl_open(&device->ctrl))
		return EXIT_FAILED;
	if (recover_begin(recovery))
		return EXIT_FAILED;
	status = recover_prepare(server);
	if (status == EXIT_DONE) {
		err = supervise_resumed(server);
		worker_forget(&server->worker);
		device_close(device);
		return err ? EXIT_FAILED : EXIT_DONE;
	}
	if (recovery->listed.given_up)
		recover_failed(server);
	return status;
}

/*
 * recovery->device.ctrl is open, and the rest is zero. Returns 0 once the
 * device is served.
 */
static int recover_with(struct recovery *recovery, int id)
{
	struct ublk_ctrl *ctrl = &recovery->device.ctrl;
	struct lookup *listed = &recovery->listed;
	int err;

	err = recover_lookup(ctrl, id, listed);
	if (err)
		return lookup_failed(id, err);
	if (!listed->recorded) {
		message("device %d has no record to recover it from", id);
		return -ENOENT;
	}
	if (has_server(listed))
		return refuse_served(listed);
	if (!listed->at_driver)
		return clean_up(ctrl, id, "no longer exists in the driver");
	if (resume_device(&recovery->device, id))
		return -EINVAL;
	return process_background(recover_serve, recovery) ? -EIO : 0;
}

/*
 * For lookup_each(). With --all, skips devices that have a server, and those
 * are not ours.
 */
static int recover_device(int id, bool named, void *arg)
{
	struct recovery recovery = { 0 };
	struct ublk_ctrl *ctrl = &recovery.device.ctrl;
	struct lookup listed;
	int err;

	(void)arg;
	if (ctrl_open(ctrl))
		return -EIO;
	err = named ? 0 : recover_lookup(ctrl, id, &listed);
	if (!named && (err == -ENODEV || err == -EPERM || err == -EACCES ||
		       (!err && (!listed.recorded || has_server(&listed)))))
		err = 0;
	else if (err)
		lookup_failed(id, err);
	else
		err = recover_with(&recovery, id);
	ctrl_close(ctrl);
	return err;
}

static int recover_run(const void *values, int argc, char **argv)
{
	const struct recover_settings *settings = values;

	if (!lookup_names_ok("recover", settings->all, argc, argv))
		return EXIT_USAGE;
	return lookup_each(settings->all, argc, argv, recover_device, NULL);
}

const struct verb verb_recover = {
	.name = "recover",
	.arguments = "ID|NODE... | --all",
	.summary = "start new servers for devices whose servers died",
	.manual = MANUAL(manual),
	.options = recover_options,
	.settings_size = sizeof(struct recover_settings),
	.max_arguments = -1,
	.run = recover_run,
};
