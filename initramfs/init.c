// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk init`: PID 1 of an initramfs. It reads top to bottom, as the boot goes.
 * Each step has a file of its own, and reports its own errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/verb.h"
#include "initramfs/choose.h"
#include "initramfs/cmdline.h"
#include "initramfs/mounts.h"
#include "initramfs/report.h"
#include "initramfs/rescue.h"
#include "initramfs/root.h"
#include "initramfs/serve.h"
#include "initramfs/switch.h"
#include "initramfs/verity.h"
#include "lib/build.h"
#include "lib/clock.h"
#include "lib/message.h"
#include "lib/size.h"
#include "lib/storage.h"

#define CMDLINE_MAX 8192
#define NODE_MAX 64

static const char init_manual[] =
"As /init of an initramfs, ublk serves the root's disk, mounts the root\n"
"filesystem, frees the initramfs and executes the init of the root. The server\n"
"keeps running. These words on the kernel command line tell it what to do:\n"
"\n"
"  ublk.root=        file or device that holds the root: /root.img.gz (the\n"
"                    default), /dev/vda2, PARTUUID=..., PARTLABEL=..., in\n"
"                    flash mtd:NAME, or on a server nbd://HOST/EXPORT or\n"
"                    http://HOST/PATH, with an address from the kernel's ip=;\n"
"                    a gzip file is served by zimg, anything else by file. To\n"
"                    choose a partition of the served disk, append ,part=2,\n"
"                    ,part=PARTUUID=... or ,part=PARTLABEL=...; the default is\n"
"                    the whole disk, or its only partition with a filesystem\n"
"  ublk.rootfstype=  type of the root filesystem, such as squashfs or ext4; by\n"
"                    default it is detected\n"
"  ublk.overlay=     tmpfs, tmpfs,size=32M or none: with tmpfs, the default,\n"
"                    changes to the root are kept in memory\n"
"  ublk.cow=         32M, /dev/vda3, PARTUUID=... or PARTLABEL=...: the root's\n"
"                    disk itself can be written, and writes are kept in memory\n"
"                    up to that size, or on that device; there is then no\n"
"                    overlay unless ublk.overlay= asks for one\n"
"  ublk.roothash=    root hash that `ublk pack` --verity has printed: dm-verity\n"
"                    verifies what is read, and nothing else is mounted; append\n"
"                    ,offset=BYTES if the hash tree does not end with the disk\n"
"                    or partition\n"
"  ublk.init=        init of the root; by default the first of /sbin/init,\n"
"                    /etc/init, /bin/init and /bin/sh that exists\n"
"  ublk.cache=       memory for expanded chunks, as --cache of zimg\n"
"  ublk.block-size=  logical block size of the root's disk; by default that of\n"
"                    its GPT, or of the device it is on\n"
"  ublk.wait=        seconds to wait for the root's device or server (10)\n"
"  ublk.rescue=      shell, reboot or hang: what to do if the boot fails (shell)\n";

/*
 * If the kernel finds no /dev/console, it starts init without open descriptors.
 */
static void open_console(void)
{
	int fd;

	if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
		return;
	do {
		fd = open("/dev/console", O_RDWR | O_NOCTTY);
		if (fd < 0)
			fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < STDERR_FILENO);
}

static void init_complain(int err, const char *word, const char *reason)
{
	report(err ? REPORT_ERROR : REPORT_WARNING, "%s: %s", word, reason);
}

/*
 * When blocks of movable and unmovable pages get mixed, the kernel raises its
 * watermarks for some time (Linux 5.0 and later): it keeps 4 MiB more free, and
 * lets processes wait, or kills one. That is much on a small board, and a
 * server of swap that needs memory would wait for ever.
 */
static void no_watermark_boost(void)
{
	int fd = open("/proc/sys/vm/watermark_boost_factor",
		      O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "0", 1) < 0)
		report(REPORT_WARNING, "vm.watermark_boost_factor: %s",
		       strerror(errno));
	close(fd);
}

static int read_cmdline(struct boot *boot)
{
	static char line[CMDLINE_MAX];	/* @boot points into it */
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return report_fail(errno, "/proc/cmdline");
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (length < 0)
		return report_fail(errno, "/proc/cmdline");
	line[length] = '\0';
	return boot_parse(line, boot, init_complain);
}

static uint64_t device_size(const char *node)
{
	int fd = open(node, O_RDONLY | O_CLOEXEC);
	uint64_t size = 0;

	if (fd < 0)
		return 0;
	if (storage_size(fd, &size))
		size = 0;
	close(fd);
	return size;
}

static void report_ready(const char *node, const char *fstype, uint64_t start)
{
	uint64_t took = clock_ms() - start;
	char size[SIZE_TEXT_MAX];

	report(REPORT_INFO, "root %s (%s, %s) ready %" PRIu64 ".%02" PRIu64
	       " s after start of init", node, fstype,
	       size_text(device_size(node), size), took / 1000,
	       took % 1000 / 10);
}

/*
 * Finds the place for writes, as an argument for --cow; empty if there is none.
 */
static int find_cow(const struct boot *boot, char *cow, size_t size)
{
	uint64_t bytes;

	if (boot->cow && size_parse(boot->cow, &bytes))
		return root_find("ublk.cow", boot->cow, boot->wait, cow, size);
	snprintf(cow, size, "%s", boot->cow ? boot->cow : "");
	return 0;
}

/* Returns only on failure, after printing why. */
static void boot_root(struct boot *boot, int argc, char **argv)
{
	uint64_t start = clock_ms();
	char path[PATH_MAX], cow[PATH_MAX], node[NODE_MAX], fstype[FSTYPE_MAX];
	const char *init;
	int err;

	err = mounts_early();
	open_console();
	no_watermark_boost();
	if (err || read_cmdline(boot))
		return;
	if (root_find("ublk.root", boot->root, boot->wait, path, sizeof(path)))
		return;
	if (find_cow(boot, cow, sizeof(cow)))
		return;
	if (serve_root(boot, path, cow, node, sizeof(node)))
		return;
	if (choose_partition(boot, node, sizeof(node)))
		return;
	if (boot->verity && verity_map(boot, node, sizeof(node)))
		return;
	if (mounts_root(boot, node, fstype))
		return;
	init = switch_find_init(boot);
	if (!init)
		return;
	report_ready(node, fstype, start);
	switch_to(init, argc, argv);
}

static int init_run(const void *settings, int argc, char **argv)
{
	struct boot boot = BOOT_DEFAULTS;

	(void)settings;
	if (getpid() != 1) {
		message("init: only the kernel runs this, as the first process "
			"of an initramfs (see `ublk help init`)");
		return EXIT_FAILED;
	}
	boot_root(&boot, argc, argv);
	rescue(boot.rescue);
}

const struct verb verb_init = {
	.name = "init",
	.arguments = "[ARGUMENT...]",
	.summary = "boot a root filesystem from an initramfs, as PID 1",
	.manual = MANUAL(init_manual),
	.min_arguments = 0,
	.max_arguments = -1,
	.run = init_run,
};
