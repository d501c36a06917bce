// SPDX-License-Identifier: GPL-2.0
#include "core/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "core/device.h"
#include "core/handover.h"
#include "core/holders.h"
#include "lib/message.h"

int signals_open(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, HANDOVER_SIGNAL);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	return fd < 0 ? message_fail(errno, "signals") : fd;
}

bool signals_end_device(const struct ublk_device *device, int number)
{
	struct holder holder;

	if (device->settings->rootfs || number == HANDOVER_SIGNAL)
		return false;
	if (!holders_stay(device->info.dev_id, &holder))
		return true;
	message("device %d is in use and goes on: %s", device->info.dev_id,
		holder.text);
	return false;
}
