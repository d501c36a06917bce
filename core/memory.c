// SPDX-License-Identifier: GPL-2.0
/*
 * Named files in memory, on a tmpfs of our own: /run is often too small for a
 * disk, and is not ours to fill.
 */
#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "core/record.h"
#include "lib/message.h"

#define MEMORY_DIR RECORD_DIR ".memory"
#define PATH_BYTES 64
#define TRIES 4

/* The file of memory_create() that memory_keep() has to name. */
static int created = -1;

/* Missing in older headers. Kernels before 6.3 refuse these flags. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 16u
#endif

static int create_unnamed(const char *name, unsigned int flag)
{
	int fd = memfd_create(name, MFD_CLOEXEC | flag);

	return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC) : fd;
}

int memory_unnamed(const char *name)
{
	return create_unnamed(name, MFD_NOEXEC_SEAL);
}

int memory_program(const char *name)
{
	return create_unnamed(name, MFD_EXEC);
}

static void memory_path(char path[PATH_BYTES], int id)
{
	snprintf(path, PATH_BYTES, MEMORY_DIR "/%d", id);
}

/* Whether the tmpfs is mounted on our directory. */
static bool is_mounted(void)
{
	struct stat outer, inner;

	return !stat(RECORD_DIR, &outer) && !stat(MEMORY_DIR, &inner) &&
	       outer.st_dev != inner.st_dev;
}

static bool memory_mount(void)
{
	if (is_mounted())
		return true;
	record_make_dir();
	mkdir(MEMORY_DIR, 0700);
	return !mount("ublk", MEMORY_DIR, "tmpfs",
		      MS_NOSUID | MS_NODEV | MS_NOEXEC,
		      "size=0,nr_inodes=0,mode=700");
}

/*
 * Another process may unmount the tmpfs while it is still empty; then this
 * tries again. Returns the descriptor or -errno.
 */
static int create_named(void)
{
	struct stat outer, st;
	int try, fd = -1;

	for (try = 0; try < TRIES; try++) {
		if (!memory_mount()) {
			if (errno == ENOENT)
				continue;
			return -errno;
		}
		fd = open(MEMORY_DIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0 && !fstat(fd, &st) && !stat(RECORD_DIR, &outer) &&
		    st.st_dev != outer.st_dev)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return fd < 0 ? -errno : -EBUSY;
}

int memory_create(uint64_t size, bool outlives)
{
	const bool named = outlives && !geteuid();
	int fd = named ? create_named() : memory_unnamed("ublk-ram");
	int err;

	if (fd < 0)
		return named ? fd : -errno;
	created = named ? fd : -1;
	if (ftruncate(fd, size)) {
		err = -errno;
		close(fd);
		created = -1;
		return err;
	}
	return fd;
}

int memory_keep(int id)
{
	char path[PATH_BYTES], self[PATH_BYTES];

	if (created < 0)
		return 0;
	memory_path(path, id);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", created);
	/*
	 * A file that has this name belonged to a device that no longer exists.
	 */
	unlink(path);
	if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		return message_fail(errno, "%s", path);
	return 0;
}

int memory_reopen(int id, uint64_t size)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd;

	memory_path(path, id);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || (uint64_t)st.st_size != size) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

bool memory_is_kept(int id)
{
	char path[PATH_BYTES];

	memory_path(path, id);
	return !access(path, F_OK);
}

static bool is_empty(void)
{
	DIR *dir = opendir(MEMORY_DIR);
	struct dirent *entry;
	bool empty = true;

	if (!dir)
		return false;
	while (empty && (entry = readdir(dir)))
		empty = entry->d_name[0] == '.';
	closedir(dir);
	return empty;
}

void memory_forget(int id)
{
	char path[PATH_BYTES];

	memory_path(path, id);
	if (!unlink(path))
		memory_release();
}

void memory_release(void)
{
	/* The unmount fails while somebody has a file open there. */
	if (is_mounted() && is_empty() && !umount2(MEMORY_DIR, UMOUNT_NOFOLLOW))
		rmdir(MEMORY_DIR);
}

/*
 * Such a kernel maps shared memory only at addresses that the cache does not
 * tell apart. Two neighbouring pages never are both.
 */
bool memory_has_aliases(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	bool refused = false;
	char *pages;
	int i;

	pages = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	if (pages == MAP_FAILED)
		return false;
	for (i = 0; i < 2; i++)
		refused |= mmap(pages + i * page, page, PROT_READ,
				MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
				0) == MAP_FAILED && errno == EINVAL;
	munmap(pages, 2 * page);
	return refused;
}

uint64_t memory_of_machine(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? UINT64_MAX :
	       (uint64_t)info.totalram * info.mem_unit;
}
