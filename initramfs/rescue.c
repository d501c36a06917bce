// SPDX-License-Identifier: GPL-2.0
/*
 * Handles a boot that failed: starts a shell on the console, reboots, or hangs.
 */
#include "initramfs/rescue.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "initramfs/mounts.h"
#include "initramfs/program.h"
#include "initramfs/report.h"

#define SHELL "/bin/sh"
#define REBOOT_SECONDS 5

static _Noreturn void rescue_hang(void)
{
	/* The kernel then reaps all children. */
	signal(SIGCHLD, SIG_IGN);
	for (;;)
		pause();
}

static _Noreturn void reboot_later(void)
{
	report(REPORT_ERROR, "rebooting in %d s (ublk.rescue=reboot)",
	       REBOOT_SECONDS);
	sleep(REBOOT_SECONDS);
	reboot(RB_AUTOBOOT);
	report_fail(errno, "cannot reboot");
	rescue_hang();
}

/*
 * /dev/console cannot be a controlling terminal, which Ctrl-C needs. So this
 * opens the device behind it, the last of the active consoles.
 */
static void open_terminal(void)
{
	char active[64] = "";
	char path[80];
	char *name;
	int fd;

	fd = open("/sys/class/tty/console/active", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, active, sizeof(active) - 1) > 0)
		active[strcspn(active, "\n")] = '\0';
	close(fd);
	name = strrchr(active, ' ');
	snprintf(path, sizeof(path), "/dev/%s", name ? name + 1 : active);
	fd = open(path, O_RDWR | O_NOCTTY);
	if (fd < 0)
		return;
	ioctl(fd, TIOCSCTTY, 1);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static _Noreturn void shell_exec(const char *root)
{
	char target[sizeof(NEW_ROOT) + 8];
	const char *const *path;

	setsid();
	open_terminal();
	/* A shell in the root also needs the kernel's filesystems. */
	for (path = kernel_mounts; *root && *path; path++) {
		snprintf(target, sizeof(target), "%s%s", root, *path);
		mount(*path, target, NULL, MS_BIND | MS_REC, NULL);
	}
	if (*root && chroot(root) < 0)
		_exit(127);
	if (chdir("/") < 0)
		_exit(127);
	execl(SHELL, "sh", (char *)NULL);
	report_fail(errno, "%s", SHELL);
	_exit(127);
}

/* Reaps children until @pid has ended. */
static void rescue_wait_for(pid_t pid)
{
	pid_t ended;

	do
		ended = wait(NULL);
	while (ended != pid && (ended > 0 || errno == EINTR));
}

static void rescue_shells(void)
{
	const char *root;
	pid_t pid;

	if (root_has_program("/", SHELL)) {
		root = "";
	} else if (root_has_program(NEW_ROOT, SHELL)) {
		root = NEW_ROOT;
	} else {
		report(REPORT_ERROR, "no %s in the initramfs or the root for a "
		       "rescue: nothing more happens here", SHELL);
		return;
	}
	for (;;) {
		report(REPORT_ERROR, "here is a shell in %s; `reboot -f` "
		       "starts again", *root ? "the root" : "/");
		pid = fork();
		if (pid < 0) {
			report_fail(errno, "fork");
			return;
		}
		if (!pid)
			shell_exec(root);
		rescue_wait_for(pid);
		sleep(1);
	}
}

_Noreturn void rescue(enum boot_rescue action)
{
	switch (action) {
	case RESCUE_REBOOT:
		reboot_later();
	case RESCUE_SHELL:
		rescue_shells();
		break;
	case RESCUE_HANG:
		report(REPORT_ERROR, "nothing more happens here "
		       "(ublk.rescue=hang)");
		break;
	}
	rescue_hang();
}
