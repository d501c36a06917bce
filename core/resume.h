/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device that exists already, put together again from its record and from
 * what the driver says of it.
 */
#ifndef CORE_RESUME_H
#define CORE_RESUME_H

struct ublk_device;

/*
 * Fills in @device for what the record of @id says: target, argument, settings.
 * The target is not opened yet. What it points to is valid until the next call
 * of this or the next function. Returns 0, or -errno after telling.
 */
int resume_record(struct ublk_device *device, int id);

/*
 * Fills in @device, whose control channel is open, for device @id: target,
 * argument, settings, info. As resume_record(). Returns 0, or -errno after
 * telling; a record that is not that of the driver's device is refused.
 */
int resume_device(struct ublk_device *device, int id);

#endif
