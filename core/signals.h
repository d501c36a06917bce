/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The signals of a server.
 */
#ifndef CORE_SIGNALS_H
#define CORE_SIGNALS_H

#include <stdbool.h>

struct ublk_device;

/*
 * From here on signals that would end the process, and that of an upgrade, wait until
 * somebody reads them. Returns a signalfd, or -errno after telling.
 */
int signals_open(void);

/*
 * Whether signal @number ends the device now. One that is in use goes on, and says
 * so. This opens the disk.
 */
bool signals_end_device(const struct ublk_device *device, int number);

#endif
