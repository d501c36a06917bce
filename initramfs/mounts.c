// SPDX-License-Identifier: GPL-2.0
/*
 * The mounts of init. It finds a filesystem's type by trying those that the
 * kernel knows, as the kernel itself does for a root.
 */
#include "initramfs/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "initramfs/report.h"

#define OVERLAY_DIR "/run/root"
#define LOWER OVERLAY_DIR "/lower"
#define UPPER OVERLAY_DIR "/upper"
#define TRIED_MAX 128

const char *const kernel_mounts[] = { "/proc", "/sys", "/dev", "/run", NULL };

static int make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return report_fail(errno, "%s: cannot be made", path);
	return 0;
}

/* EBUSY: it is mounted there already. */
static int mount_early(const char *type, const char *path, unsigned long flags,
		       const char *data, const char *option)
{
	int err = make_dir(path);

	if (err)
		return err;
	if (!mount(type, path, type, flags, data) || errno == EBUSY)
		return 0;
	if (errno == ENODEV)
		return report_fail(ENODEV, "%s: %s is not in this kernel (%s)",
				   path, type, option);
	return report_fail(errno, "%s: cannot mount %s", path, type);
}

int mounts_early(void)
{
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	int err;

	err = mount_early("proc", "/proc", safe, NULL, "CONFIG_PROC_FS");
	if (!err)
		err = mount_early("devtmpfs", "/dev", MS_NOSUID, "mode=0755",
				  "CONFIG_DEVTMPFS");
	if (!err)
		err = mount_early("sysfs", "/sys", safe, NULL, "CONFIG_SYSFS");
	if (!err)
		err = mount_early("tmpfs", "/run", MS_NOSUID | MS_NODEV,
				  "mode=0755", "CONFIG_TMPFS");
	return err;
}

/*
 * Tries each type in /proc/filesystems that needs a device. Returns 0 and the
 * type, or the most useful errno: a type that recognizes the filesystem but
 * cannot mount it says more than those that do not recognize it.
 */
static int try_types(const char *node, const char *dir, unsigned long flags,
		     char *fstype, char *tried)
{
	char line[FSTYPE_MAX];
	size_t used = 0;
	FILE *types;
	int err = EINVAL;

	*tried = '\0';
	types = fopen("/proc/filesystems", "re");
	if (!types)
		return errno;
	while (fgets(line, sizeof(line), types)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line != '\t')
			continue;
		if (!mount(node, dir, line + 1, flags, NULL)) {
			snprintf(fstype, FSTYPE_MAX, "%s", line + 1);
			err = 0;
			break;
		}
		if (err == EINVAL && errno != EINVAL) {
			err = errno;
			snprintf(fstype, FSTYPE_MAX, "%s", line + 1);
		}
		used += snprintf(tried + used, TRIED_MAX - used, " %s",
				 line + 1);
		if (used >= TRIED_MAX)
			used = TRIED_MAX - 1;
	}
	fclose(types);
	return err;
}

/*
 * Reports @err, which is why @node cannot be mounted as @fstype. Returns -@err.
 */
static int mount_failed(int err, const char *node, const char *fstype)
{
	if (err == EROFS)
		return report_fail(err, "%s: %s has a journal to replay, and "
				   "the disk is read-only; ublk.cow=32M boots "
				   "it, with what is replayed and written kept "
				   "in memory; or run e2fsck before `ublk pack`",
				   node, fstype);
	return report_fail(err, "%s: cannot mount as %s", node, fstype);
}

/*
 * Mounts as the requested type, or as any. Returns 0 or an errno. In the latter
 * case @tried lists the types.
 */
static int mount_as(const struct boot *boot, const char *node, const char *dir,
		    unsigned long flags, char *fstype, char *tried)
{
	if (!boot->rootfstype)
		return try_types(node, dir, flags, fstype, tried);
	snprintf(fstype, FSTYPE_MAX, "%s", boot->rootfstype);
	return mount(node, dir, fstype, flags, NULL) ? errno : 0;
}

static int mount_device(const struct boot *boot, const char *node,
			const char *dir, unsigned long flags, char *fstype)
{
	char tried[TRIED_MAX];
	int err = mount_as(boot, node, dir, flags, fstype, tried);

	if (!err)
		return 0;
	if (boot->rootfstype && err == ENODEV)
		return report_fail(err, "ublk.rootfstype=%s: this kernel does "
				   "not support it", fstype);
	if (err != EINVAL)
		return mount_failed(err, node, fstype);
	if (boot->rootfstype)
		report(REPORT_ERROR, "%s: holds no %s; without ublk.rootfstype= "
		       "the type is detected", node, fstype);
	else
		report(REPORT_ERROR, "%s: no filesystem known to this kernel "
		       "(tried%s)", node, *tried ? tried : " none");
	return -EINVAL;
}

bool mounts_knows(const struct boot *boot, const char *node, char *fstype)
{
	char tried[TRIED_MAX];
	int before = 0, read_only = 1;
	int fd, err;

	if (make_dir(NEW_ROOT))
		return false;
	fd = open(node, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	/*
	 * A read-only device prevents the replay of a journal, because this may
	 * not be the root.
	 */
	ioctl(fd, BLKROGET, &before);
	ioctl(fd, BLKROSET, &read_only);
	err = mount_as(boot, node, NEW_ROOT, MS_RDONLY | MS_SILENT, fstype,
		       tried);
	if (!err)
		umount(NEW_ROOT);
	ioctl(fd, BLKROSET, &before);
	close(fd);
	/* EIO: the partition is too small for a superblock. */
	return err != EINVAL && err != EIO;
}

/* Read-only if the device is. Otherwise the filesystem itself is writable. */
static unsigned long device_flags(const char *node)
{
	int fd = open(node, O_RDONLY | O_CLOEXEC);
	int read_only = 1;

	if (fd < 0)
		return MS_RDONLY;
	if (ioctl(fd, BLKROGET, &read_only) < 0)
		read_only = 1;
	close(fd);
	return read_only ? MS_RDONLY : 0;
}

static int mount_overlay(const struct boot *boot)
{
	char data[64] = "mode=0755";
	int err;

	err = make_dir(UPPER);
	if (err)
		return err;
	if (boot->overlay_size)
		snprintf(data, sizeof(data), "mode=0755,size=%" PRIu64,
			 boot->overlay_size);
	if (mount("tmpfs", UPPER, "tmpfs", 0, data) < 0)
		return report_fail(errno, "%s: cannot mount tmpfs (%s)", UPPER,
				   data);
	err = make_dir(UPPER "/data");
	if (!err)
		err = make_dir(UPPER "/work");
	if (err)
		return err;
	if (!mount("overlay", NEW_ROOT, "overlay", 0, "lowerdir=" LOWER
		   ",upperdir=" UPPER "/data,workdir=" UPPER "/work"))
		return 0;
	if (errno == ENODEV)
		return report_fail(errno, "overlay is not in this kernel "
				   "(CONFIG_OVERLAY_FS); use ublk.overlay=none");
	return report_fail(errno, "cannot mount the overlay over the root");
}

int mounts_root(const struct boot *boot, const char *node, char *fstype)
{
	const unsigned long quiet = MS_SILENT;
	int err;

	err = make_dir(NEW_ROOT);
	if (err)
		return err;
	if (!boot->overlay)
		return mount_device(boot, node, NEW_ROOT,
				    quiet | device_flags(node), fstype);
	err = make_dir(OVERLAY_DIR);
	if (!err)
		err = make_dir(LOWER);
	if (!err)
		err = mount_device(boot, node, LOWER, quiet | MS_RDONLY,
				   fstype);
	return err ? err : mount_overlay(boot);
}
