// SPDX-License-Identifier: GPL-2.0
/* Creates a device for a target, has it served, and deletes it. */
#include "core/serve.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/process.h"
#include "core/server.h"
#include "core/signals.h"
#include "core/supervise.h"
#include "lib/exit.h"
#include "lib/message.h"

/* Returns when the device has been stopped, or a signal asks for its end. */
static void serve_wait_end(const struct server *server)
{
	struct pollfd events[] = {
		{ .fd = server->worker.ended_fd, .events = POLLIN },
		{ .fd = server->signal_fd, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	for (;;) {
		if (poll(events, 2, -1) < 0)
			continue;
		if (events[0].revents)
			return;
		if (read(server->signal_fd, &signal, sizeof(signal)) > 0 &&
		    signals_end_device(server->device, signal.ssi_signo))
			return;
	}
}

/* Serves the device in this process, without a supervisor. */
static int serve_alone(struct server *server)
{
	struct ublk_device *device = server->device;
	struct worker *worker = &server->worker;
	int id = device->info.dev_id;
	int err, failed;

	err = worker_start(worker);
	if (!err) {
		err = ctrl_start_dev(&device->ctrl, id, getpid(),
				     worker->ended_fd);
		if (err)
			message_fail(worker->failed ? worker->failed : err,
				     "cannot start device %d", id);
	}
	if (!err)
		err = device_probe(device);
	if (!err)
		err = device_announce(device);
	if (!err)
		serve_wait_end(server);
	/* A disk that never appeared is not an error here. */
	failed = ctrl_stop_dev(&device->ctrl, id);
	if (failed && failed != -ENODEV) {
		/* The driver takes the tags back when the process ends. */
		message_fail(failed, "cannot stop device %d", id);
		_exit(EXIT_FAILED);
	}
	failed = worker_join(worker);
	return err ? err : failed;
}

/* With the target open: everything from ADD_DEV to DEL_DEV. */
static int serve_at_driver(struct server *server)
{
	struct ublk_device *device = server->device;
	int id, err, ended;

	err = device_add(device);
	if (err)
		return err;
	id = device->info.dev_id;
	err = process_protect(device_takes_memory(device) &&
			      !device_recovers(device));
	/*
	 * Before process_serve_root(): a name needs the mount that the file is
	 * on, and a new mount namespace has copies.
	 */
	if (!err)
		err = memory_keep(id);
	if (!err)
		err = device_open_buffers(device, -1);
	if (!err && device->settings->rootfs)
		err = process_serve_root();
	if (!err)
		err = device_record_new(device);
	if (!err)
		err = device_set_params(device);
	if (!err)
		err = worker_prepare(&server->worker, device);
	if (err) {
		device_delete(&device->ctrl, id);
		return err;
	}
	err = device_recovers(device) ? supervise(server) :
					serve_alone(server);
	ended = device_end(device);
	return err ? err : ended;
}

static int serve_run(void *arg)
{
	struct ublk_device *device = arg;
	struct server server = { .device = device };
	int status = device_open(device);
	int err;

	if (status != EXIT_DONE)
		return status;
	server.signal_fd = signals_open();
	err = server.signal_fd < 0 ? server.signal_fd :
				     ctrl_open(&device->ctrl);
	if (!err) {
		err = serve_at_driver(&server);
		ctrl_close(&device->ctrl);
	}
	worker_forget(&server.worker);
	device_close(device);
	return err ? EXIT_FAILED : EXIT_DONE;
}

int serve_device(const struct ublk_target *target, const char *argument,
		 const void *target_settings,
		 const struct serve_settings *settings)
{
	struct ublk_device device = {
		.target = target,
		.argument = argument,
		.target_settings = target_settings,
		.settings = settings,
	};

	if (memory_has_aliases()) {
		message("cannot serve: pages of %ld bytes are too small for the "
			"data cache of this processor, where memory that is "
			"mapped twice differs; the kernel needs larger ones",
			sysconf(_SC_PAGESIZE));
		return EXIT_FAILED;
	}
	if (settings->foreground)
		return serve_run(&device);
	return process_background(serve_run, &device);
}
