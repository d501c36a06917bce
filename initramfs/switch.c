// SPDX-License-Identifier: GPL-2.0
/*
 * Switches to the root. The server keeps the initramfs as its root directory,
 * in a mount namespace of its own, and has the files that are deleted here
 * open.
 */
#include "initramfs/switch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "initramfs/mounts.h"
#include "initramfs/program.h"
#include "initramfs/report.h"
#include "initramfs/shutdown.h"

/* The places where the kernel looks, in its order. */
static const char *const usual_inits[] = {
	"/sbin/init", "/etc/init", "/bin/init", "/bin/sh", NULL
};

const char *switch_find_init(const struct boot *boot)
{
	const char *const *path;

	if (boot->init) {
		if (root_has_program(NEW_ROOT, boot->init))
			return boot->init;
		report(REPORT_ERROR, "ublk.init=%s: the root has no such "
		       "program", boot->init);
		return NULL;
	}
	for (path = usual_inits; *path; path++) {
		if (root_has_program(NEW_ROOT, *path))
			return *path;
	}
	report(REPORT_ERROR, "the root has no init (/sbin/init, /etc/init, "
	       "/bin/init, /bin/sh); say ublk.init=");
	return NULL;
}

/*
 * If the root is read-only and lacks the mount point, the filesystem is
 * unmounted.
 */
static void carry_mount(const char *path)
{
	char target[sizeof(NEW_ROOT) + 8] = NEW_ROOT;

	strncat(target, path, 8);
	mkdir(target, 0755);
	if (!mount(path, target, NULL, MS_MOVE, NULL))
		return;
	report(REPORT_WARNING, "the root has no usable directory %s: left "
	       "unmounted (%s)", path, strerror(errno));
	umount2(path, MNT_DETACH);
}

static bool is_kernel_mount(const char *name)
{
	const char *const *path;

	for (path = kernel_mounts; *path; path++) {
		if (!strcmp(*path + 1, name))
			return true;
	}
	return false;
}

/*
 * Deletes the contents of the directory @fd, and closes it. Other filesystems
 * are not touched. At the @top of the initramfs, neither are the mount points,
 * which the server uses, nor the program for shutdown.
 */
static void delete_all(int fd, dev_t device, bool top)
{
	struct dirent *entry;
	struct stat status;
	int sub;
	DIR *dir;

	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (top && !strcmp(entry->d_name, SHUTDOWN_DIR + 1))
			continue;
		if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) ||
		    status.st_dev != device)
			continue;
		if (!S_ISDIR(status.st_mode)) {
			unlinkat(fd, entry->d_name, 0);
			continue;
		}
		sub = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY |
			     O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			delete_all(sub, device, false);
		if (!top || !is_kernel_mount(entry->d_name))
			unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

/* Frees the memory of the initramfs, if / is one. */
static void free_initramfs(int root)
{
	struct statfs kind;
	struct stat status;

	if (fstatfs(root, &kind) || fstat(root, &status) ||
	    ((unsigned long)kind.f_type != RAMFS_MAGIC &&
	     (unsigned long)kind.f_type != TMPFS_MAGIC)) {
		report(REPORT_WARNING, "/ is no initramfs: its files stay");
		close(root);
		return;
	}
	delete_all(root, status.st_dev, true);
}

/* The current console is a node of the initramfs, which has been deleted. */
static void reopen_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

int switch_to(const char *init, int argc, char **argv)
{
	const char *const *path;
	char **arguments;
	int old;

	arguments = calloc(argc + 2, sizeof(*arguments));
	old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!arguments || old < 0 || chdir(NEW_ROOT) < 0)
		return report_fail(errno, NEW_ROOT);
	arguments[0] = strdup(init);
	memcpy(arguments + 1, argv, argc * sizeof(*arguments));

	shutdown_leave();
	for (path = kernel_mounts; *path; path++)
		carry_mount(*path);
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return report_fail(errno, "cannot make the root /");
	free_initramfs(old);
	reopen_console();
	execv(init, arguments);
	return report_fail(errno, "%s: cannot be executed", init);
}
