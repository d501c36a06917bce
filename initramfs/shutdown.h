/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a system that runs from a disk of ours: the last program that
 * systemd executes, /run/initramfs/shutdown. It runs from the initramfs, so
 * that the root can be unmounted and its disk stopped before the board goes
 * off.
 */
#ifndef INITRAMFS_SHUTDOWN_H
#define INITRAMFS_SHUTDOWN_H

/* The folder of the initramfs that stays, to be seen at /run/initramfs. */
#define SHUTDOWN_DIR "/shutdown"

/*
 * Puts this program there, where the root at NEW_ROOT has a systemd to call it.
 * It takes no memory: the server has the program open anyway. What fails is
 * told, and no reason not to boot.
 */
void shutdown_leave(void);

/*
 * What it does then, as PID 1: @argv[1] is poweroff, reboot, halt or kexec.
 * Returns only where it is called by somebody else.
 */
int shutdown_run(int argc, char **argv);

#endif
