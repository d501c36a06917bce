// SPDX-License-Identifier: GPL-2.0
/* Records of devices under /run/ublk. It asks the driver nothing. */
#include "core/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/message.h"

#define PATH_BYTES 128

/* Where records are. An ordinary user has a directory of his own. */
static const char *record_dir(void)
{
	static char dir[PATH_BYTES - 16];
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (!geteuid())
		return RECORD_DIR;
	if (runtime && *runtime == '/' && strlen(runtime) < sizeof(dir) - 8)
		snprintf(dir, sizeof(dir), "%s/ublk", runtime);
	else
		snprintf(dir, sizeof(dir), "/tmp/ublk-%u",
			 (unsigned int)geteuid());
	return dir;
}

/*
 * Whether the directory is ours, so that nobody else can have put records
 * there. Returns false, with errno, also if it does not exist.
 */
static bool record_dir_ours(const char *dir)
{
	struct stat st;

	/* Root's directory is where only root can create one. */
	if (!geteuid())
		return true;
	if (lstat(dir, &st))
		return false;
	errno = EPERM;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

bool record_make_dir(void)
{
	const mode_t mode = geteuid() ? 0700 : 0755;
	const char *dir = record_dir();

	/*
	 * The mode must not depend on the umask, because others read the
	 * records later.
	 */
	if (!mkdir(dir, mode))
		return !chmod(dir, mode);
	return errno == EEXIST && record_dir_ours(dir);
}

static void record_path(char path[PATH_BYTES], int id)
{
	snprintf(path, PATH_BYTES, "%s/%d", record_dir(), id);
}

/* Creates the file anew. Everybody may read it, whatever the umask is. */
static FILE *record_make_file(const char *path)
{
	FILE *out = NULL;
	int fd, err;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	if (!fchmod(fd, 0644))
		out = fdopen(fd, "w");
	if (out)
		return out;
	err = errno;
	close(fd);
	errno = err;
	return NULL;
}

/*
 * Writes the file and checks for errors: a full /run must not leave half a
 * record.
 */
static int record_write_file(const char *path,
			     void (*fill)(FILE *out, const void *arg),
			     const void *arg)
{
	FILE *out = record_make_file(path);
	int err = 0;

	if (!out)
		return -errno;
	errno = 0;
	fill(out, arg);
	if (fflush(out) || ferror(out))
		err = errno ? -errno : -EIO;
	if (fclose(out) && !err)
		err = -errno;
	return err;
}

int record_write(int id, void (*fill)(FILE *out, const void *arg),
		 const void *arg)
{
	char path[PATH_BYTES], temporary[PATH_BYTES];
	int err;

	if (!record_make_dir())
		return message_fail(errno, "%s", record_dir());
	record_path(path, id);
	/* The dot in front keeps record_each() from taking it for a record. */
	snprintf(temporary, sizeof(temporary), "%s/.%d", record_dir(), id);
	err = record_write_file(temporary, fill, arg);
	if (!err && rename(temporary, path))
		err = -errno;
	if (err) {
		unlink(temporary);
		return message_fail(err, "%s", path);
	}
	return 0;
}

int record_create(int id, void (*fill)(FILE *out, const void *arg),
		  const void *arg)
{
	int lock, err;

	if (!record_make_dir())
		return message_fail(errno, "%s", record_dir());
	lock = record_lock();
	if (lock < 0)
		return message_fail(lock, "%s", record_dir());
	err = record_write(id, fill, arg);
	close(lock);
	return err;
}

/*
 * Reads all of @fd to memory that the caller frees. Returns the length or
 * -errno.
 */
static ssize_t read_whole(int fd, char **text)
{
	size_t length = 0, room = 4096;
	char *data = NULL, *more;
	ssize_t got = -ENOMEM;

	while ((more = realloc(data, room))) {
		data = more;
		got = read(fd, data + length, room - length - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			got = -errno;
		if (got <= 0)
			break;
		length += got;
		if (length + 1 < room)
			continue;
		got = -EFBIG;
		if (room == RECORD_MAX)
			break;
		got = -ENOMEM;
		room *= 2;
	}
	if (got < 0) {
		free(data);
		return got;
	}
	data[length] = '\0';
	*text = data;
	return length;
}

int record_read(int id, char **text)
{
	char path[PATH_BYTES];
	ssize_t length;
	int fd;

	*text = NULL;
	if (!record_dir_ours(record_dir()))
		return -errno;
	record_path(path, id);
	/* O_NONBLOCK: does not wait if somebody has put a pipe there. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	length = read_whole(fd, text);
	close(fd);
	return length;
}

int record_open(int id)
{
	char path[PATH_BYTES];
	int fd;

	record_path(path, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whether @path is still the file that is open as @fd. */
static bool is_same_file(int fd, const char *path)
{
	struct stat opened, there;

	return !fstat(fd, &opened) && !lstat(path, &there) &&
	       opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

void record_remove(int id, int fd)
{
	char path[PATH_BYTES];
	int lock;

	if (fd < 0)
		return;
	record_path(path, id);
	/*
	 * The id is free again: a new device may be about to write its record.
	 */
	lock = record_lock();
	if (is_same_file(fd, path) && unlink(path))
		message_fail(errno, "%s", path);
	if (lock >= 0)
		close(lock);
	close(fd);
}

int record_lock(void)
{
	int fd = open(record_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

void record_each(void (*each)(int id, void *arg), void *arg)
{
	struct dirent *entry;
	DIR *dir;

	if (!record_dir_ours(record_dir()))
		return;
	dir = opendir(record_dir());
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		char *end;
		long id = strtol(entry->d_name, &end, 10);

		if (*end || end == entry->d_name || id < 0 || id > INT_MAX)
			continue;
		each(id, arg);
	}
	closedir(dir);
}
