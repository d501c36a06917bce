/* SPDX-License-Identifier: GPL-2.0 */
/* State of a process that serves a device or supervises its worker. */
#ifndef CORE_SERVER_H
#define CORE_SERVER_H

#include "core/device.h"
#include "core/worker.h"

struct server {
	struct ublk_device *device;
	struct worker worker;	/* after worker_prepare() */
	int signal_fd;		/* from signals_open() */
};

#endif
