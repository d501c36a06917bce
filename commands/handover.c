// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk handover`: the program that takes over a running device, as its worker
 * or as its supervisor.
 */
#include "core/handover.h"

#include "commands/verb.h"
#include "core/process.h"
#include "core/resume.h"
#include "core/server.h"
#include "core/signals.h"
#include "core/supervise.h"
#include "lib/build.h"

static int continue_supervisor(struct server *server,
			       const struct handover_values *values)
{
	int err;

	server->signal_fd = signals_open();
	if (server->signal_fd < 0)
		return EXIT_FAILED;
	err = process_protect(false);
	if (!err)
		err = supervise_continued(server, values->worker,
					  values->answer_fd);
	worker_forget(&server->worker);
	device_close(server->device);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int handover_run(const void *settings, int argc, char **argv)
{
	struct ublk_device device = { 0 };
	struct server server = { .device = &device };
	struct handover_values values;

	(void)settings;
	process_continued();
	if (handover_read(&values, &device, argc, argv) ||
	    ctrl_open(&device.ctrl))
		return EXIT_FAILED;
	if (resume_device(&device, values.id) ||
	    device_open(&device) != EXIT_DONE ||
	    handover_check_files(&device) ||
	    device_open_buffers(&device, values.buffers_fd) ||
	    worker_prepare(&server.worker, &device))
		return EXIT_FAILED;
	if (values.worker >= 0)
		return continue_supervisor(&server, &values);
	ctrl_close(&device.ctrl);
	return worker_main(&server.worker, values.fetched_fd, values.live_fd);
}

const struct verb verb_handover = {
	.name = "handover",
	.arguments = "WORD...",
	.manual = MANUAL("Internal: a server runs this when `ublk upgrade` replaces its "
		  "program.\n"),
	.min_arguments = 1,
	.max_arguments = HANDOVER_WORDS_MAX,
	.run = handover_run,
};
