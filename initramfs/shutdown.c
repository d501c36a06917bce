// SPDX-License-Identifier: GPL-2.0
/*
 * Shuts the system down from the initramfs. systemd has stopped its services,
 * unmounted what it could, and made the initramfs /, with the old root at
 * /oldroot.
 */
#include "initramfs/shutdown.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "initramfs/mounts.h"
#include "initramfs/program.h"
#include "initramfs/report.h"
#include "initramfs/verity.h"
#include "lib/clock.h"
#include "lib/message.h"

#define PROGRAM SHUTDOWN_DIR "/shutdown"
#define SEEN "/run/initramfs"
#define MOUNTS_MAX 256
#define ROUNDS 50
#define ROUND_MS 100
#define KEXEC 0x45584543	/* LINUX_REBOOT_CMD_KEXEC */

static bool has_systemd(void)
{
	return root_has_program(NEW_ROOT, "/usr/lib/systemd/systemd-shutdown") ||
	       root_has_program(NEW_ROOT, "/lib/systemd/systemd-shutdown");
}

void shutdown_leave(void)
{
	char program[256];
	ssize_t length;

	if (!has_systemd())
		return;
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	program[length > 0 ? length : 0] = '\0';
	if (mkdir(SHUTDOWN_DIR, 0755) || link(program, PROGRAM) ||
	    mkdir(SEEN, 0755) || mount(SHUTDOWN_DIR, SEEN, NULL, MS_BIND, NULL))
		report(REPORT_WARNING, SEEN "/shutdown: %s; at shutdown the "
		       "root will not be unmounted", strerror(errno));
}

/* Whether process @pid stays alive: servers and kernel threads do. */
static bool shutdown_spares(const char *pid)
{
	char path[64], name[256] = "";
	const char *slash;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	length = read(fd, name, sizeof(name) - 1);
	close(fd);
	name[length > 0 ? length : 0] = '\0';
	slash = strrchr(name, '/');
	return !*name || *name == '@' ||
	       !strcmp(slash ? slash + 1 : name, "ublk");
}

/* Kills all processes that could have a file of the old root open. */
static void kill_others(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	while (dir && (entry = readdir(dir))) {
		int pid = atoi(entry->d_name);

		if (isdigit((unsigned char)*entry->d_name) && pid > 1 &&
		    !shutdown_spares(entry->d_name))
			kill(pid, SIGKILL);
	}
	if (dir)
		closedir(dir);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Whether a mount is needed to the end. */
static bool is_kept(const char *path)
{
	const char *const *kept;

	for (kept = kernel_mounts; *kept; kept++)
		if (!strcmp(path, *kept))
			return true;
	return !strcmp(path, "/");
}

struct mounted {
	char *path;
	bool on_device;		/* written data must reach a device */
};

/* Replaces escapes such as \040, a space, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '\\' && strspn(text + 1, "01234567") >= 3) {
			char octal[4] = { text[1], text[2], text[3] };

			*to++ = strtoul(octal, NULL, 8);
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/*
 * Parses a line of mountinfo: the fifth field, and the second one after the
 * dash.
 */
static bool read_mount(char *line, struct mounted *mounted)
{
	char *dash = strstr(line, " - "), *path = line;
	unsigned int i;

	for (i = 0; i < 4 && path; i++) {
		path = strchr(path, ' ');
		path += !!path;
	}
	if (!path || !dash)
		return false;
	dash = strchr(dash + 3, ' ');
	mounted->on_device = dash && !strncmp(dash + 1, "/dev/", 5);
	path[strcspn(path, " ")] = '\0';
	unescape(path);
	mounted->path = is_kept(path) ? NULL : strdup(path);
	return mounted->path;
}

/*
 * Lists the remaining mounts in their order. Returns their number; the caller
 * frees the paths.
 */
static unsigned int list_mounts(struct mounted list[MOUNTS_MAX])
{
	unsigned int count = 0;
	char *line = NULL;
	size_t room = 0;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && count < MOUNTS_MAX && getline(&line, &room, file) > 0)
		count += read_mount(line, &list[count]);
	free(line);
	if (file)
		fclose(file);
	return count;
}

/*
 * Unmounts one filesystem. Those without a device may be in use to the end,
 * such as that of the console, or the one that holds our servers' memory. They
 * are only detached, so that the mount below them can go.
 */
static bool shutdown_unmount(const struct mounted *mounted, bool last)
{
	if (!umount2(mounted->path, UMOUNT_NOFOLLOW) ||
	    (!mounted->on_device &&
	     !umount2(mounted->path, UMOUNT_NOFOLLOW | MNT_DETACH)))
		return true;
	if (!last)
		return false;
	report_fail(errno, "shutdown: %s stays mounted", mounted->path);
	/* At least, written data is safe then. */
	mount(NULL, mounted->path, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	return false;
}

/*
 * Unmounts filesystems, the last one first. Returns how many are left. @last:
 * reports them.
 */
static unsigned int unmount_all(bool last)
{
	struct mounted list[MOUNTS_MAX];
	unsigned int i, left = 0;

	for (i = list_mounts(list); i; i--) {
		left += !shutdown_unmount(&list[i - 1], last);
		free(list[i - 1].path);
	}
	return left;
}

/* Runs `ublk stop --all`. Returns whether all our disks have ended. */
static bool stop_disks(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execl("/proc/self/exe", "ublk", "stop", "--all", (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && !status;
}

static _Noreturn void shutdown_end(const char *verb)
{
	sync();
	if (!strcmp(verb, "reboot"))
		reboot(RB_AUTOBOOT);
	else if (!strcmp(verb, "halt"))
		reboot(RB_HALT_SYSTEM);
	else if (!strcmp(verb, "kexec"))
		reboot(KEXEC);
	/* Reached if no new kernel is loaded, or for poweroff. */
	reboot(!strcmp(verb, "kexec") ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

int shutdown_run(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "poweroff";
	unsigned int i;

	if (getpid() != 1) {
		message("shutdown: only systemd runs this, at the end of a "
			"shutdown");
		return EXIT_FAILURE;
	}
	kill_others();
	for (i = 0; unmount_all(i + 1 == ROUNDS) && i + 1 < ROUNDS; i++)
		clock_sleep_ms(ROUND_MS);
	verity_unmap();
	if (stop_disks())
		report(REPORT_INFO, "shutdown: the root is unmounted and its "
		       "disk stopped");
	else
		report(REPORT_ERROR, "shutdown: not every disk could be "
		       "stopped; what was synced is safe");
	shutdown_end(verb);
}
