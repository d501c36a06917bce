/* SPDX-License-Identifier: GPL-2.0 */
/* Sets up an existing device again, from its record and from the driver. */
#ifndef CORE_RESUME_H
#define CORE_RESUME_H

struct ublk_device;

/*
 * Fills in target, argument and settings of @device from the record of device
 * @id. Does not open the target. The memory that @device then points to is
 * valid until the next call of resume_record() or resume_device(). Returns 0,
 * or -errno after printing why.
 */
int resume_record(struct ublk_device *device, int id);

/*
 * As resume_record(), and fills in info from the driver. @device->ctrl is open.
 * Refuses a record that does not match the driver's device. Returns 0, or
 * -errno after printing why.
 */
int resume_device(struct ublk_device *device, int id);

#endif
