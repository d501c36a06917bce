// SPDX-License-Identifier: GPL-2.0
/*
 * Records of running devices under /run/ublk. Nothing here asks the driver.
 */
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

#include "core/message.h"

#define PATH_BYTES 128

/* Where records are. An ordinary user has a place of his own. */
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
 * Whether records there are ours: nobody else can have put them there. False,
 * with errno, also where it is not there.
 */
static bool record_dir_ours(const char *dir)
{
	struct stat st;

	/* Root's is in a place that is nobody else's anyway. */
	if (!geteuid())
		return true;
	if (lstat(dir, &st))
		return false;
	errno = EPERM;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

static bool record_make_dir(const char *dir)
{
	if (mkdir(dir, geteuid() ? 0700 : 0755) && errno != EEXIST)
		return false;
	return record_dir_ours(dir);
}

static void record_path(char path[PATH_BYTES], int id)
{
	snprintf(path, PATH_BYTES, "%s/%d", record_dir(), id);
}

/* Writes and checks all of it: a full /run must not leave half a record. */
static int record_write_file(const char *path,
			     void (*fill)(FILE *out, const void *arg),
			     const void *arg)
{
	FILE *out = fopen(path, "we");
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

	if (!record_make_dir(record_dir()))
		return message_fail(errno, "%s", record_dir());
	record_path(path, id);
	/* A dot in front: record_each() must not take it for a record. */
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

int record_read(int id, char text[RECORD_MAX])
{
	char path[PATH_BYTES];
	ssize_t length;
	int fd;

	if (!record_dir_ours(record_dir()))
		return -errno;
	record_path(path, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, RECORD_MAX - 1);
	if (length < 0)
		length = -errno;
	else
		text[length] = '\0';
	close(fd);
	return length;
}

bool record_get(const char *text, const char *key, char *value, size_t size)
{
	size_t key_length = strlen(key);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t length;

		if (strncmp(text, key, key_length) || text[key_length] != '=')
			continue;
		text += key_length + 1;
		length = strcspn(text, "\n");
		if (length >= size)
			length = size - 1;
		memcpy(value, text, length);
		value[length] = '\0';
		return true;
	}
	*value = '\0';
	return false;
}

int record_open(int id)
{
	char path[PATH_BYTES];
	int fd;

	record_path(path, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void record_remove(int id, int fd)
{
	char path[PATH_BYTES];
	struct stat st;

	if (fd < 0)
		return;
	record_path(path, id);
	if (!fstat(fd, &st) && st.st_nlink && unlink(path))
		message_fail(errno, "%s", path);
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

unsigned long long record_process_started(pid_t pid)
{
	char path[PATH_BYTES], text[1024];
	char *field;
	ssize_t length;
	int fd, i;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';

	/*
	 * Field 22; the second, the name in brackets, may hold spaces. The third
	 * is the state: one that has ended may still wait to be collected.
	 */
	field = strrchr(text, ')');
	if (field && (!strncmp(field, ") Z", 3) || !strncmp(field, ") X", 3)))
		return 0;
	for (i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	return field ? strtoull(field, NULL, 10) : 0;
}

bool record_process_runs(pid_t pid, unsigned long long started)
{
	return pid > 0 && started && record_process_started(pid) == started;
}
