// SPDX-License-Identifier: GPL-2.0
/* A file that is created completely or not at all. */
#include "lib/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/message.h"
#include "lib/whole-io.h"

#define COPY_SIZE (128U << 10)

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

/*
 * The file that a signal must remove. Changed only while the signals are
 * blocked.
 */
static const char *volatile doomed;

static void remove_and_die(int number)
{
	if (doomed)
		unlink(doomed);
	/* SA_RESETHAND has restored the default action. */
	raise(number);
}

static void output_block_signals(sigset_t *before)
{
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&block, signals[i]);
	pthread_sigmask(SIG_BLOCK, &block, before);
}

static void output_unblock_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void nothing_doomed(void)
{
	sigset_t before;

	output_block_signals(&before);
	doomed = NULL;
	output_unblock_signals(&before);
}

/* Signals that are ignored (nohup) stay ignored. */
static void catch_signals(void)
{
	struct sigaction action = {
		.sa_handler = remove_and_die,
		.sa_flags = SA_RESETHAND | SA_NODEFER,
	};
	struct sigaction before;

	for (size_t i = 0; i < SIGNALS; i++)
		if (!sigaction(signals[i], NULL, &before) &&
		    before.sa_handler == SIG_DFL)
			sigaction(signals[i], &action, NULL);
}

/*
 * Checks what exists at @path, and sets the new file's mode and owner in
 * @wanted. Returns 0, or -errno after printing why.
 */
static int output_check_target(const char *path, bool replace,
			       struct stat *wanted)
{
	mode_t mask = umask(0);

	umask(mask);
	if (stat(path, wanted)) {
		*wanted = (struct stat){
			.st_mode = 0666 & ~mask,
			.st_uid = geteuid(),
			.st_gid = -1,	/* the directory decides */
		};
		return errno == ENOENT ? 0 : message_fail(errno, "%s", path);
	}
	if (S_ISDIR(wanted->st_mode))
		return message_fail(EISDIR, "%s", path);
	if (!S_ISREG(wanted->st_mode)) {
		message("%s: not a regular file; write to a file and copy it "
			"there", path);
		return -EINVAL;
	}
	if (wanted->st_size && !replace) {
		message("%s: exists; --force replaces it", path);
		return -EEXIST;
	}
	return 0;
}

/*
 * Gives the file the wanted owner, group and mode. Often only root may change the
 * owner; if that fails, the file stays ours. A file whose owner or group differs
 * from the old one's must not keep set-user-ID or set-group-ID.
 */
static int output_take_owner(int fd, const struct stat *wanted)
{
	mode_t mode = wanted->st_mode & 07777;
	struct stat st;

	if (fchown(fd, wanted->st_uid, wanted->st_gid))
		(void)!fchown(fd, -1, wanted->st_gid);
	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != wanted->st_uid || (wanted->st_gid != (gid_t)-1 &&
					    st.st_gid != wanted->st_gid))
		mode &= 0777;
	return fchmod(fd, mode) ? -errno : 0;
}

static int create_temporary(struct output *output, const struct stat *wanted)
{
	int err;

	sigset_t before;

	if (asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0) {
		output->temporary = NULL;
		return message_fail(ENOMEM, "%s", output->name);
	}
	/* A signal must know the file from the moment that it exists. */
	output_block_signals(&before);
	output->fd = mkostemp(output->temporary, O_CLOEXEC);
	if (output->fd >= 0)
		doomed = output->temporary;
	output_unblock_signals(&before);
	if (output->fd < 0) {
		free(output->temporary);
		output->temporary = NULL;
		return message_fail(errno, "%s", output->name);
	}
	err = output_take_owner(output->fd, wanted);
	return err ? message_fail(err, "%s", output->name) : 0;
}

int output_unnamed(const struct output *output)
{
	const char *directory = getenv("TMPDIR");
	sigset_t before;
	char *path;
	int fd, err;

	if (!directory || !*directory)
		directory = "/tmp";
	if ((output->path ? asprintf(&path, "%s.XXXXXX", output->path) :
	     asprintf(&path, "%s/ublk.XXXXXX", directory)) < 0)
		return message_fail(ENOMEM, "%s", output->name);
	output_block_signals(&before);
	fd = mkostemp(path, O_CLOEXEC);
	err = errno;
	if (fd >= 0)
		unlink(path);
	output_unblock_signals(&before);
	free(path);
	if (fd >= 0)
		return fd;
	if (output->path)
		return message_fail(err, "a temporary file beside %s",
				    output->name);
	return message_fail(err, "a temporary file in %s", directory);
}

/*
 * Data for standard output is collected in an unnamed file first, because it is
 * not written in order.
 */
static int create_stream(struct output *output)
{
	output->name = "standard output";
	output->stream = true;
	if (isatty(STDOUT_FILENO)) {
		message("standard output is a terminal; send it into a file or "
			"pipe");
		return -EINVAL;
	}
	output->fd = output_unnamed(output);
	return output->fd < 0 ? output->fd : 0;
}

int output_create(struct output *output, const char *path, bool replace)
{
	struct stat wanted;
	int ret;

	*output = (struct output){ .fd = -1, .name = path };
	if (!strcmp(path, "-"))
		return create_stream(output);
	ret = output_check_target(path, replace, &wanted);
	if (ret)
		return ret;
	/* If @path is a symbolic link, replace the file that it points to. */
	output->path = realpath(path, NULL);
	if (!output->path)
		output->path = strdup(path);
	if (!output->path)
		return message_fail(ENOMEM, "%s", path);
	catch_signals();
	ret = create_temporary(output, &wanted);
	if (ret)
		output_abandon(output);
	return ret;
}

/* Opens the directory of @path. Returns the descriptor or -errno. */
static int open_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, slash - path + 1) : strdup(".");
	int fd = -ENOMEM;

	if (!directory)
		return fd;
	do {
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		fd = -errno;
	free(directory);
	return fd;
}

/*
 * Whether the result of open_directory() lets us commit: without permission to
 * read the directory, the filesystem can be synced instead.
 */
static bool may_sync(int directory)
{
	return directory >= 0 || directory == -EACCES;
}

/* Syncs @directory and closes it. Returns 0 or -errno. */
static int sync_directory(int directory, int file)
{
	int ret;

	if (directory < 0)
		return syncfs(file) ? -errno : 0;
	ret = whole_sync(directory);
	close(directory);
	/* EINVAL: the filesystem cannot sync a directory. */
	return ret == -EINVAL ? 0 : ret;
}

int output_sync_directory(const char *path, int file)
{
	int directory = open_directory(path);

	return may_sync(directory) ? sync_directory(directory, file) :
				     directory;
}

/*
 * Renames the file and syncs its directory, which makes the rename durable. The
 * directory is opened first, so that little can fail after the rename. Returns
 * 0 or -errno.
 */
static int rename_synced(struct output *output, int file)
{
	int directory = open_directory(output->path);
	int ret;

	if (!may_sync(directory))
		return directory;
	if (rename(output->temporary, output->path)) {
		ret = -errno;
		if (directory >= 0)
			close(directory);
		return ret;
	}
	nothing_doomed();
	free(output->temporary);
	output->temporary = NULL;
	return sync_directory(directory, file);
}

/*
 * On some filesystems, such as NFS, only close() reports an error. So the
 * descriptor is closed before the rename; a duplicate stays open to sync the
 * filesystem.
 */
static int commit_file(struct output *output)
{
	int fd = output->fd;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int ret = copy < 0 ? -errno : whole_sync(fd);

	output->fd = copy;
	/* Even after EINTR the descriptor is closed. */
	if (close(fd) && errno != EINTR && !ret)
		ret = -errno;
	return ret ? ret : rename_synced(output, copy);
}

/* Copies the file to standard output. */
static int commit_stream(struct output *output)
{
	char *data = malloc(COPY_SIZE);
	off_t offset = 0;
	ssize_t n = -1;
	int ret = 0;

	if (!data)
		return -ENOMEM;
	while (!ret && n) {
		n = pread(output->fd, data, COPY_SIZE, offset);
		if (n < 0 && errno == EINTR)
			continue;
		ret = n < 0 ? -errno : whole_write(STDOUT_FILENO, data, n);
		offset += n;
	}
	free(data);
	if (!ret)
		ret = whole_sync(STDOUT_FILENO);
	/* EINVAL, EROFS: a pipe cannot be synced. */
	return ret == -EINVAL || ret == -EROFS ? 0 : ret;
}

int output_commit(struct output *output)
{
	int ret = output->stream ? commit_stream(output) : commit_file(output);

	if (ret)
		message_fail(ret, "%s", output->name);
	output_abandon(output);
	return ret;
}

void output_abandon(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
	if (output->temporary) {
		unlink(output->temporary);
		nothing_doomed();
	}
	free(output->temporary);
	free(output->path);
	output->temporary = NULL;
	output->path = NULL;
}
