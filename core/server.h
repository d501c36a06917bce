/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a process has while it serves a device, or looks after the one that does.
 */
#ifndef CORE_SERVER_H
#define CORE_SERVER_H

#include "core/device.h"
#include "core/worker.h"

struct server {
	struct ublk_device *device;
	struct worker worker;	/* worker_prepare() has been called for it */
	int signal_fd;		/* of signals_open() */
};

#endif
