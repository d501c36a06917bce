/* SPDX-License-Identifier: GPL-2.0 */
/* The signals of a server. */
#ifndef CORE_SIGNALS_H
#define CORE_SIGNALS_H

#include <stdbool.h>

struct ublk_device;

/*
 * Blocks the signals that would end the process, and the one that asks for an
 * upgrade, and ignores SIGPIPE. Returns a signalfd for them, or -errno after
 * printing why.
 */
int signals_open(void);

/*
 * Whether signal @number ends the device. A device in use goes on; prints what
 * uses it. This opens the disk, so it may wait for I/O.
 */
bool signals_end_device(const struct ublk_device *device, int number);

#endif
