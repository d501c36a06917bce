// SPDX-License-Identifier: GPL-2.0
/*
 * A file that appears whole or not at all.
 */
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

/* What a signal has to remove; set while the signals are blocked. */
static const char *volatile doomed;

static void remove_and_die(int number)
{
	if (doomed)
		unlink(doomed);
	/* The handler was reset when it was called. */
	raise(number);
}

static void hold_signals(sigset_t *before)
{
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&block, signals[i]);
	pthread_sigmask(SIG_BLOCK, &block, before);
}

static void release_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void nothing_doomed(void)
{
	sigset_t before;

	hold_signals(&before);
	doomed = NULL;
	release_signals(&before);
}

/* A signal that is ignored (nohup) stays so. */
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
 * What is at @path now? Puts the mode and owner of the new file in @wanted.
 * Returns 0 or -errno after telling.
 */
static int check_target(const char *path, bool replace, struct stat *wanted)
{
	mode_t mask = umask(0);

	umask(mask);
	if (stat(path, wanted)) {
		*wanted = (struct stat){
			.st_mode = 0666 & ~mask,
			.st_uid = geteuid(),
			.st_gid = -1,	/* as the directory gives it */
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
 * Gives the file the owner, group and mode that are wanted. The kernel may
 * allow only root to give a file away; what cannot be given stays ours. Where
 * the owner is another one than before, nothing runs with that one's rights.
 */
static int take_over(int fd, const struct stat *wanted)
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
	/* From the moment that it is there a signal must know it. */
	hold_signals(&before);
	output->fd = mkostemp(output->temporary, O_CLOEXEC);
	if (output->fd >= 0)
		doomed = output->temporary;
	release_signals(&before);
	if (output->fd < 0) {
		free(output->temporary);
		output->temporary = NULL;
		return message_fail(errno, "%s", output->name);
	}
	err = take_over(output->fd, wanted);
	return err ? message_fail(err, "%s", output->name) : 0;
}

/*
 * What is written out of order reaches a pipe by way of a file without a name,
 * of which nothing is left however this ends.
 */
static int create_stream(struct output *output)
{
	const char *directory = getenv("TMPDIR");
	sigset_t before;
	char *path;

	output->name = "standard output";
	output->stream = true;
	if (isatty(STDOUT_FILENO)) {
		message("standard output is a terminal; send it into a file or "
			"pipe");
		return -EINVAL;
	}
	if (!directory || !*directory)
		directory = "/tmp";
	if (asprintf(&path, "%s/ublk.XXXXXX", directory) < 0)
		return message_fail(ENOMEM, "%s", output->name);
	hold_signals(&before);
	output->fd = mkostemp(path, O_CLOEXEC);
	if (output->fd >= 0)
		unlink(path);
	release_signals(&before);
	free(path);
	return output->fd >= 0 ? 0 :
	       message_fail(errno, "a temporary file in %s", directory);
}

int output_create(struct output *output, const char *path, bool replace)
{
	struct stat wanted;
	int ret;

	*output = (struct output){ .fd = -1, .name = path };
	if (!strcmp(path, "-"))
		return create_stream(output);
	ret = check_target(path, replace, &wanted);
	if (ret)
		return ret;
	/* What a symbolic link points at is replaced, not the link. */
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

/* The directory that the file is in, or -errno. */
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

/* What open_directory() returned is no reason not to write there. */
static bool may_sync(int directory)
{
	return directory >= 0 || directory == -EACCES;
}

/* Syncs @directory, and closes it. Returns 0 or -errno. */
static int sync_directory(int directory, int file)
{
	int ret;

	if (directory < 0)
		return syncfs(file) ? -errno : 0;
	ret = whole_sync(directory);
	close(directory);
	/* A filesystem that cannot sync a directory says EINVAL. */
	return ret == -EINVAL ? 0 : ret;
}

int output_sync_directory(const char *path, int file)
{
	int directory = open_directory(path);

	return may_sync(directory) ? sync_directory(directory, file) :
				     directory;
}

/*
 * A rename is safe on the medium once its directory is, which is open before: then
 * little can go wrong behind it. Returns 0 or -errno.
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

/* What is there only after close() is told by close() alone, as on NFS. */
static int commit_file(struct output *output)
{
	int fd = output->fd;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int ret = copy < 0 ? -errno : whole_sync(fd);

	output->fd = copy;
	/* It is closed, whatever a signal did meanwhile. */
	if (close(fd) && errno != EINTR && !ret)
		ret = -errno;
	return ret ? ret : rename_synced(output, copy);
}

/* Sends all of the file to standard output. */
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
	/* A pipe cannot be synced, and says EINVAL. */
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
