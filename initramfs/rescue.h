/* SPDX-License-Identifier: GPL-2.0 */
/* What happens after a boot that failed: `ublk.rescue=`. */
#ifndef INITRAMFS_RESCUE_H
#define INITRAMFS_RESCUE_H

#include "initramfs/cmdline.h"

/*
 * Starts a shell, reboots, or hangs. PID 1 must not exit, so it never returns.
 */
_Noreturn void rescue(enum boot_rescue action);

#endif
