/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Answers every request of a disk with an error when no worker can be started.
 * So nobody waits for ever, and the device keeps its data. This needs no
 * thread, no memory and no ring of its own, as the board may have none: it uses
 * the ring of the control commands.
 */
#ifndef CORE_FAIL_H
#define CORE_FAIL_H

struct ublk_device;

struct fail {
	struct ublk_device *device;
	int fd;			/* /dev/ublkcN */
	unsigned int tags;	/* that the driver has not returned */
};

/*
 * fail_begin() fetches every tag of the device, after START_USER_RECOVERY.
 * After END_USER_RECOVERY, requests are answered whenever device->ctrl handles
 * completions: during commands and in ctrl_beside(). When the device is
 * stopped, the driver returns all tags and @fail->tags becomes 0; then call
 * fail_end(). Returns 0, or -errno after printing why.
 */
int fail_begin(struct fail *fail, struct ublk_device *device);
void fail_end(struct fail *fail);

#endif
