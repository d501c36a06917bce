// SPDX-License-Identifier: GPL-2.0
/*
 * Files in memory for each value of vm.memfd_noexec, which each PID namespace
 * has for itself. A program can be executed, or is refused. Data can always be
 * stored, and never executed.
 */
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int number, failures;

static void check(bool good, const char *what, char level)
{
	failures += !good;
	printf("%sok %d - %s where vm.memfd_noexec is %c\n", good ? "" : "not ",
	       ++number, what, level);
}

static bool set_level(char level)
{
	int fd = open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
	bool set = fd >= 0 && write(fd, &level, 1) == 1;

	close(fd);
	return set;
}

/* Whether @fd, filled with a program, can be executed. */
static bool runs(int fd)
{
	char *const args[] = { (char *)"true", NULL };
	int from = open("/bin/true", O_RDONLY | O_CLOEXEC);
	int status = -1;
	pid_t child;

	if (sendfile(fd, from, NULL, 1 << 24) <= 0)
		return false;
	fchmod(fd, 0700);
	close(from);
	child = fork();
	if (!child) {
		syscall(SYS_execveat, fd, "", args, args + 1, AT_EMPTY_PATH);
		_exit(1);
	}
	waitpid(child, &status, 0);
	return !status;
}

static void check_level(char level)
{
	int program = memory_program("program");
	bool denied = program < 0 && errno == EACCES;
	int data = memory_unnamed("data");

	if (level == '2')
		check(denied, "a program is refused", level);
	else
		check(program >= 0 && runs(program), "a program runs", level);
	check(data >= 0, "there is memory for data", level);
	/* Before Linux 6.3 there was no difference between the two. */
	check(level == '-' || !runs(data), "which is no program", level);
	close(program);
	close(data);
}

/* Runs in its own namespace. Returns the exit status. */
static int levels(void)
{
	char level;

	if (access("/proc/sys/vm/memfd_noexec", W_OK)) {
		check_level('-');
	} else {
		for (level = '0'; level <= '2'; level++)
			if (set_level(level))
				check_level(level);
	}
	printf("1..%d\n", number);
	return failures > 0 || !number;
}

/* Ends the process without the sanitizer's checks. */
static void end(int status)
{
	fflush(stdout);
	_exit(status);
}

static int own_namespace(void)
{
	int status = 1;

	if (unshare(CLONE_NEWPID)) {
		printf("1..0 # SKIP no namespace of processes\n");
		return 0;
	}
	if (!fork())
		end(levels());
	wait(&status);
	return status != 0;
}

int main(void)
{
	int status = 1;

	if (!fork())
		end(own_namespace());
	wait(&status);
	return status != 0;
}
