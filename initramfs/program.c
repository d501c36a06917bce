// SPDX-License-Identifier: GPL-2.0
/* Programs of the system that will be started. */
#include "initramfs/program.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Resolves symbolic links as if @root were /. */
bool root_has_program(const char *root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT,
	};
	struct stat status;
	bool good = false;
	int dir, fd;

	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd >= 0) {
		good = !fstat(fd, &status) && S_ISREG(status.st_mode) &&
		       (status.st_mode & 0111);
		close(fd);
	}
	close(dir);
	return good;
}
