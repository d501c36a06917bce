// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk serve-root`: serves the root from an initramfs whose init is another
 * program, such as that of initramfs-tools. That init deletes the whole
 * initramfs when it has mounted the root, also the directories where /dev, /proc
 * and /run were mounted, and the kernel then takes these mounts away from every
 * mount namespace. So the server gets a root directory of its own, which only
 * has these mounts.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "commands/verb.h"
#include "initramfs/cmdline.h"
#include "initramfs/mounts.h"
#include "initramfs/serve.h"
#include "lib/build.h"
#include "lib/message.h"

/* Where the server's root directory is put together. */
#define SERVER_ROOT "/ublk.root"

#define NODE_MAX 64

struct hosted_settings {
	const char *cow;
	uint64_t cache;		/* bytes; 0: the default */
	uint64_t block_size;	/* bytes; 0: the disk's own */
	bool read_only;
	const char *copy;	/* a folder; NULL: serve */
};

static bool is_initramfs(void)
{
	struct statfs kind;

	return !statfs("/", &kind) &&
	       ((unsigned long)kind.f_type == RAMFS_MAGIC ||
		(unsigned long)kind.f_type == TMPFS_MAGIC);
}

/* Copies all of the file @from to @to. Returns 0 or -errno. */
static int copy_all(int from, int to)
{
	ssize_t copied;

	do {
		copied = sendfile(to, from, NULL, 1 << 20);
	} while (copied > 0 || (copied < 0 && errno == EINTR));
	return copied < 0 ? -errno : 0;
}

/*
 * Copies this program to @folder, which stays when the initramfs is deleted: as
 * ublk, from where the server can be started, and under a second name, shutdown,
 * which systemd executes at the end from /run/initramfs. Both are the same file,
 * so there is one copy in memory. Returns 0, or -errno after printing why.
 */
static int copy_program(const char *folder)
{
	char program[PATH_MAX], shutdown[PATH_MAX];
	int from, to, err;

	snprintf(program, sizeof(program), "%s/ublk", folder);
	snprintf(shutdown, sizeof(shutdown), "%s/shutdown", folder);
	from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return message_fail(errno, "/proc/self/exe");
	to = open(program, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	err = to < 0 ? -errno : copy_all(from, to);
	close(from);
	if (to >= 0 && close(to) && !err)
		err = -errno;
	if (!err && link(program, shutdown))
		err = -errno;
	return err ? message_fail(err, "%s", folder) : 0;
}

/*
 * Gives this process, and the server that it starts, a mount namespace in which
 * / is a directory in memory with the kernel's mounts, and no directory of the
 * initramfs is a mount point. Returns 0, or -errno after printing why.
 */
static int leave_initramfs(void)
{
	char path[sizeof(SERVER_ROOT) + 8];
	const char *const *from;

	if (mkdir(SERVER_ROOT, 0755) && errno != EEXIST)
		return message_fail(errno, SERVER_ROOT);
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", SERVER_ROOT, "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=0755"))
		return message_fail(errno, "a root directory for the server");
	for (from = kernel_mounts; *from; from++) {
		snprintf(path, sizeof(path), SERVER_ROOT "%s", *from);
		if (mkdir(path, 0755) ||
		    mount(*from, path, NULL, MS_MOVE, NULL))
			return message_fail(errno, "%s", path);
	}
	if (chdir(SERVER_ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		return message_fail(errno, "the server's root directory");
	return 0;
}

static int hosted_serve(const struct hosted_settings *settings,
			const char *path)
{
	struct boot boot = BOOT_DEFAULTS;
	char node[NODE_MAX];

	boot.cache = settings->cache;
	boot.block_size = settings->block_size;
	/* serve_root() serves the disk below an overlay read-only. */
	boot.overlay = settings->read_only;
	if (leave_initramfs() ||
	    serve_root(&boot, path, settings->cow ? settings->cow : "", node,
		       sizeof(node)))
		return EXIT_FAILED;
	puts(node);
	return EXIT_DONE;
}

static int hosted_run(const void *values, int argc, char **argv)
{
	const struct hosted_settings *settings = values;

	if (argc != !settings->copy) {
		message("serve-root: give either PATH or --copy");
		return EXIT_USAGE;
	}
	if (!is_initramfs()) {
		message("serve-root: only an initramfs runs this");
		return EXIT_FAILED;
	}
	if (!settings->copy)
		return hosted_serve(settings, argv[0]);
	return copy_program(settings->copy) ? EXIT_FAILED : EXIT_DONE;
}

#define FIELD(name) offsetof(struct hosted_settings, name)

static const struct option_spec hosted_options[] = {
	{ "cow", 0, OPTION_PLACE, FIELD(cow), 0, 0, "SIZE|DEVICE",
	  "where writes go, as --cow of a device" },
	{ "cache", 0, OPTION_SIZE, FIELD(cache), 0, 0, "SIZE",
	  "memory for expanded chunks, as --cache of zimg" },
	{ "block-size", 0, OPTION_SIZE, FIELD(block_size), 512, 4096, "SIZE",
	  "logical block, as --block-size of a device" },
	{ "read-only", 0, OPTION_FLAG, FIELD(read_only), 0, 0, NULL,
	  "serve a disk that is no image read-only" },
	{ "copy", 0, OPTION_PATH, FIELD(copy), 0, 0, "FOLDER",
	  "only copy this program to FOLDER, as ublk and as shutdown" },
	{ 0 }
};

static const struct hosted_settings hosted_defaults = { .cow = NULL };

const struct verb verb_serve_root = {
	.name = "serve-root",
	.arguments = "[PATH]",
	.manual = MANUAL("Internal: the initramfs of a distribution runs this. "
		  "Serves the root from PATH, a\ngzip file or a disk, so that "
		  "init may delete the initramfs, and prints its node.\n"),
	.options = hosted_options,
	.defaults = &hosted_defaults,
	.settings_size = sizeof(struct hosted_settings),
	.min_arguments = 0,
	.max_arguments = 1,
	.run = hosted_run,
};
