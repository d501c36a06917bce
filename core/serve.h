/* SPDX-License-Identifier: GPL-2.0 */
/* Serves a new device, from ADD_DEV to DEL_DEV. */
#ifndef CORE_SERVE_H
#define CORE_SERVE_H

struct serve_settings;
struct ublk_target;

/*
 * Serves @argument through @target until the device is stopped. In the
 * background, unless @settings says otherwise: then it returns when the disk
 * can be used. Prints the disk's node on standard output. Returns an exit
 * status, after printing what failed; nothing is left behind then.
 */
int serve_device(const struct ublk_target *target, const char *argument,
		 const void *target_settings,
		 const struct serve_settings *settings);

#endif
