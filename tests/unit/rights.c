// SPDX-License-Identifier: GPL-2.0
/*
 * What a thread that has dropped its rights can still do, and what it cannot.
 * Each call is tried in its own process, on the real kernel.
 */
#include "core/rights.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int number, failures;

static void check(int good, const char *what)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
}

static const int calls[RIGHTS_CALLS] = { SYS_pread64 };
static bool others;	/* has the rights of a process beside those that serve */

/* As many as there may be. */
static int drop(void)
{
	static int most[RIGHTS_MOST] = {
		[RIGHTS_MOST - 2] = SYS_mprotect, [RIGHTS_MOST - 1] = SYS_pwrite64,
	};

	return others ? rights_drop_others(most, RIGHTS_MOST) :
			rights_drop(calls);
}

/* Ends without the sanitizer's checks, which are not allowed then. */
static void end(int status)
{
	syscall(SYS_exit_group, status);
}

/* Makes a call without rights. Returns 0 or the error. */
static int outcome(long call, long a, long b, long c, long d, long e)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		/* Root of a container may lack what root needs for this. */
		if ((!geteuid() && setuid(65534)) || drop())
			end(255);
		end(syscall(call, a, b, c, d, e, 0) < 0 ? errno : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child ||
	    !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int map(int protection)
{
	return outcome(SYS_mmap, 0, 4096, protection,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

int main(void)
{
	static char page[2 * 4096];
	long address = ((long)page + 4095) & -4096L;
	int fd = fileno(tmpfile());

	check(outcome(SYS_sched_yield, 0, 0, 0, 0, 0) == 0, "a call of the loop");
	check(outcome(SYS_pread64, fd, (long)page, 1, 0, 0) == 0,
	      "a call of the target");
	check(outcome(SYS_pwrite64, fd, (long)page, 1, 0, 0) == EPERM,
	      "another target's is refused");
	check(outcome(SYS_openat, -1, (long)"/", 0, 0, 0) == EPERM,
	      "a file is not opened");
	check(outcome(SYS_execve, (long)"/", 0, 0, 0, 0) == EPERM,
	      "nor a program executed");
	check(map(PROT_READ | PROT_WRITE) == 0, "memory to be written");
	check(map(PROT_READ | PROT_EXEC) == EPERM, "none to be executed");
	check(map(PROT_READ | PROT_WRITE | PROT_EXEC) == EPERM,
	      "and none for both");
	check(outcome(SYS_mprotect, address, 4096, PROT_READ | PROT_EXEC, 0, 0) ==
	      EPERM, "nor does any become so");
	others = true;
	check(outcome(SYS_pwrite64, fd, (long)page, 1, 0, 0) == 0,
	      "a process beside has more calls");
	check(outcome(SYS_pread64, fd, (long)page, 1, 0, 0) == EPERM,
	      "and not those of a target");
	check(outcome(SYS_mprotect, address, 4096, PROT_READ | PROT_WRITE, 0, 0) ==
	      0, "it may protect memory");
	check(outcome(SYS_mprotect, address, 4096, PROT_READ | PROT_EXEC, 0, 0) ==
	      EPERM, "and make none of it executable");
	check(map(PROT_READ | PROT_EXEC) == EPERM, "nor get any that is");
	printf("1..%d\n", number);
	return failures > 0;
}
