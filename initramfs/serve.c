// SPDX-License-Identifier: GPL-2.0
/* Runs `@ublk zimg` or `@ublk file`, and reports its messages. */
#include "initramfs/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/record.h"
#include "initramfs/report.h"
#include "initramfs/root.h"
#include "lib/key-value.h"

#define PROGRAM "/proc/self/exe"
#define NAME "@ublk"	/* init systems spare names that begin with '@' */
#define SAID_MAX 512

/*
 * Debian's initscripts spare the processes that files in this directory name.
 */
#define SPARED_DIR "/run/sendsigs.omit.d"
#define SPARED SPARED_DIR "/ublk"

/*
 * The server of a root should be small rather than fast: its requests lock 16
 * times 64 KiB.
 */
#define MODEST "--depth=16", "--max-io=64K"
#define ARGS_MAX 16

static void serve_exec(const struct boot *boot, const char *path,
		       const char *cow, bool gzip)
{
	const char *args[ARGS_MAX] = { NAME, gzip ? "zimg" : "file", path,
				       "--rootfs", MODEST };
	unsigned int n = 0;
	char cache[32], block[32];

	while (args[n])
		n++;
	snprintf(cache, sizeof(cache), "--cache=%" PRIu64, boot->cache);
	if (gzip && boot->cache)
		args[n++] = cache;
	snprintf(block, sizeof(block), "--block-size=%" PRIu64,
		 boot->block_size);
	if (boot->block_size)
		args[n++] = block;
	if (!gzip && (boot->overlay || boot->verity) && !*cow)
		args[n++] = "--read-only";
	if (*cow) {
		args[n++] = "--cow";
		args[n++] = cow;
	}
	execv(PROGRAM, (char **)args);
	report_fail(errno, "%s", PROGRAM);
}

/* Reads until the other side is closed, and keeps what fits, as a string. */
static void read_all(int fd, char *text, size_t size)
{
	char rest[64];
	size_t used = 0;
	ssize_t got;

	for (;;) {
		if (used < size - 1)
			got = read(fd, text + used, size - 1 - used);
		else
			got = read(fd, rest, sizeof(rest));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (used < size - 1)
			used += got;
	}
	text[used] = '\0';
}

/*
 * Reports each line of @said without the prefix "ublk: ", which report() adds
 * itself.
 */
static void serve_report_said(int level, char *said)
{
	char *line, *rest = said;

	while ((line = strtok_r(rest, "\n", &rest))) {
		if (!strncmp(line, "ublk: ", 6))
			line += 6;
		report(level, "%s", line);
	}
}

/*
 * Names the server and its worker for initscripts. A worker that replaces this
 * one later is killed at shutdown, and replaced again. Other init systems
 * ignore the file, so errors do not matter.
 */
static void spare_server(const char *node)
{
	char *record, pid[24], worker[24];
	bool known;
	int fd;

	if (record_read(atoi(node + strcspn(node, "0123456789")), &record) < 0)
		return;
	known = key_value_get(record, "pid", pid, sizeof(pid));
	key_value_get(record, "worker", worker, sizeof(worker));
	free(record);
	if (!known)
		return;
	mkdir(SPARED_DIR, 0755);
	fd = open(SPARED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	dprintf(fd, "%s %s\n", pid, worker);
	close(fd);
}

int serve_root(const struct boot *boot, const char *path, const char *cow,
	       char *node, size_t size)
{
	char said[SAID_MAX];
	int out[2], err[2];
	int status = 0;
	bool gzip;
	pid_t pid;
	int ret;

	ret = root_is_gzip(path, &gzip);
	if (ret)
		return ret;
	report(REPORT_INFO, "serving %s", path);
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return report_fail(errno, "pipe");
	pid = fork();
	if (pid < 0)
		return report_fail(errno, "fork");
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		serve_exec(boot, path, cow, gzip);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	read_all(err[0], said, sizeof(said));
	read_all(out[0], node, size);
	close(out[0]);
	close(err[0]);
	/* This is the only child, but PID 1 also gets the orphans of others. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	serve_report_said(status ? REPORT_ERROR : REPORT_WARNING, said);
	node[strcspn(node, "\n")] = '\0';
	if (!status && !strncmp(node, "/dev/", 5)) {
		spare_server(node);
		return 0;
	}
	if (WIFSIGNALED(status))
		report(REPORT_ERROR, "%s: the server was killed by signal %d",
		       path, WTERMSIG(status));
	else
		report(REPORT_ERROR, "%s: cannot be served (status %d)", path,
		       WEXITSTATUS(status));
	return -EIO;
}
