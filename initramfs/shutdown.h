/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The shutdown of a system whose root is on a disk of ours.
 * /run/initramfs/shutdown is the last program that systemd executes. It runs
 * from the initramfs, so that it can unmount the root and stop its disk before
 * the board is switched off.
 */
#ifndef INITRAMFS_SHUTDOWN_H
#define INITRAMFS_SHUTDOWN_H

/* The directory of the initramfs that stays, and appears at /run/initramfs. */
#define SHUTDOWN_DIR "/shutdown"

/*
 * Puts this program there if the root at NEW_ROOT has a systemd to execute it.
 * That needs no memory, because the server has the program open anyway. An
 * error is reported, but does not stop the boot.
 */
void shutdown_leave(void);

/*
 * Runs the shutdown, as PID 1. @argv[1] is poweroff, reboot, halt or kexec.
 * Returns only if the caller is not PID 1.
 */
int shutdown_run(int argc, char **argv);

#endif
