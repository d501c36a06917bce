/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Answers every request of a disk with an error, where no server can be started any
 * more: nobody waits for ever, and what the device holds stays. It takes no thread,
 * no memory and no ring of its own, which there may be none of, but the ring of the
 * control commands.
 */
#ifndef CORE_FAIL_H
#define CORE_FAIL_H

struct ublk_device;

struct fail {
	struct ublk_device *device;
	int fd;			/* /dev/ublkcN */
	unsigned int tags;	/* that the driver has not taken back */
};

/*
 * Fetches every tag of the device, which START_USER_RECOVERY has let in; from the
 * next END_USER_RECOVERY on requests are answered whenever device->ctrl looks at its
 * ring, in commands and in ctrl_beside(). @fail->tags is 0 when the driver has taken
 * them all back, as the device was stopped; fail_end() then lets go. Returns 0 or
 * -errno after telling.
 */
int fail_begin(struct fail *fail, struct ublk_device *device);
void fail_end(struct fail *fail);

#endif
