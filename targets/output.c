// SPDX-License-Identifier: GPL-2.0
/*
 * A file that appears whole or not at all.
 */
#include "targets/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/message.h"

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ };
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

/* What is at @path now? Returns the mode of the new file, or -errno. */
static int check_target(const char *path, bool replace)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (stat(path, &st))
		return errno == ENOENT ? (int)(0666 & ~mask) :
					 message_fail(errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return message_fail(EISDIR, "%s", path);
	if (!S_ISREG(st.st_mode)) {
		message("%s: not a regular file; write to a file and copy it "
			"there", path);
		return -EINVAL;
	}
	if (st.st_size && !replace) {
		message("%s: exists; --force replaces it", path);
		return -EEXIST;
	}
	return st.st_mode & 07777;
}

static int create_temporary(struct output *output, mode_t mode)
{
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
	if (fchmod(output->fd, mode))
		return message_fail(errno, "%s", output->name);
	return 0;
}

int output_create(struct output *output, const char *path, bool replace)
{
	int mode = check_target(path, replace);
	int ret;

	*output = (struct output){ .fd = -1, .name = path };
	if (mode < 0)
		return mode;
	/* What a symbolic link points at is replaced, not the link. */
	output->path = realpath(path, NULL);
	if (!output->path)
		output->path = strdup(path);
	if (!output->path)
		return message_fail(ENOMEM, "%s", path);
	catch_signals();
	ret = create_temporary(output, mode);
	if (ret)
		output_abandon(output);
	return ret;
}

int output_sync_directory(char *path)
{
	char *slash = strrchr(path, '/');
	int fd, ret = 0;

	if (slash)
		slash[slash == path] = '\0';
	fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* A filesystem that cannot sync a directory says EINVAL. */
	if (fsync(fd) && errno != EINVAL)
		ret = -errno;
	close(fd);
	return ret;
}

int output_commit(struct output *output)
{
	int ret = 0;

	if (fsync(output->fd))
		ret = -errno;
	if (close(output->fd) && !ret)
		ret = -errno;
	output->fd = -1;
	if (!ret && rename(output->temporary, output->path))
		ret = -errno;
	if (!ret) {
		nothing_doomed();
		free(output->temporary);
		output->temporary = NULL;
		ret = output_sync_directory(output->path);
	}
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
