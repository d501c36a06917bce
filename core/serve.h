/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The whole life of a new device.
 */
#ifndef CORE_SERVE_H
#define CORE_SERVE_H

struct serve_settings;
struct ublk_target;

/*
 * Serves @argument through @target until the device is stopped, in the
 * background unless asked otherwise: then it returns once the node can be
 * used. The node is printed on standard output. Returns an exit status; what
 * failed has been told, and nothing is left behind.
 */
int serve_device(const struct ublk_target *target, const char *argument,
		 const void *target_settings,
		 const struct serve_settings *settings);

#endif
