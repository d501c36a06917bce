// SPDX-License-Identifier: GPL-2.0
/*
 * Lets a system call of a process fail as long as a command runs, however often it
 * is made. Speaks ptrace, nothing of ublk.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
"Usage: refuse CALL ERROR SKIP [-p PID] COMMAND [ARGUMENT]...\n"
"\n"
"Runs COMMAND, and lets each CALL (such as io_uring_enter) that it or what it forks\n"
"makes fail with ERROR (such as ENOMEM), but for the first SKIP ones. With -p those\n"
"of process PID from then on, until COMMAND has ended.\n"
"\n"
"Exit status: that of COMMAND, 3 when no call failed, or 2 for wrong usage.\n";

struct name {
	const char *name;
	int number;
};

static const struct name calls[] = {
	{ "io_uring_enter", SYS_io_uring_enter },
	{ "io_uring_setup", SYS_io_uring_setup },
	{ "poll", SYS_poll },
	{ "kill", SYS_kill },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo },
	{ NULL },
};

static const struct name errors[] = {
	{ "ENOMEM", ENOMEM }, { "EAGAIN", EAGAIN }, { "EINTR", EINTR },
	{ "EIO", EIO }, { "EPERM", EPERM },
	{ NULL },
};

static int refused_call, with_error;
static long skip;
static bool failed;		/* at least one */

static void die(const char *what)
{
	fprintf(stderr, "refuse: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* The number of a name in one of the lists above. */
static int find(const struct name *list, const char *name)
{
	for (; list->name; list++)
		if (!strcmp(list->name, name))
			return list->number;
	fputs(usage, stderr);
	exit(2);
}

/* At the entry of a call: it is not made, and returns the error. */
static void refuse(pid_t task)
{
#ifdef __x86_64__
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, task, NULL, &registers))
		return;
	registers.orig_rax = -1;
	registers.rax = -with_error;
	if (ptrace(PTRACE_SETREGS, task, NULL, &registers))
		die("registers");
	failed = true;
#else
	(void)task;
	errno = ENOSYS;
	die("on this processor");
#endif
}

static void go_on(pid_t task, int status)
{
	struct __ptrace_syscall_info info;
	int signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80)) {
		signal = 0;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, task, sizeof(info),
			   &info) > 0 &&
		    info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		    info.entry.nr == (uint64_t)refused_call && skip-- <= 0)
			refuse(task);
	} else if (status >> 16) {
		signal = 0;
	}
	ptrace(PTRACE_SYSCALL, task, NULL, (long)signal);
}

int main(int argc, char **argv)
{
	const long follow = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			    PTRACE_O_TRACECLONE;
	pid_t command, victim = 0, task;
	int status, gate[2];
	char byte;

	if (argc < 5) {
		fputs(usage, stderr);
		return 2;
	}
	refused_call = find(calls, argv[1]);
	with_error = find(errors, argv[2]);
	skip = strtol(argv[3], NULL, 10);
	argv += 4;
	if (argc > 6 && !strcmp(*argv, "-p")) {
		victim = strtol(argv[1], NULL, 10);
		argv += 2;
	}
	if (pipe(gate))
		die("pipe");
	command = fork();
	if (!command) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(2);
		close(gate[0]);
		execvp(*argv, argv);
		die(*argv);
	}
	close(gate[0]);
	task = victim ? victim : command;
	if (ptrace(PTRACE_SEIZE, task, NULL,
		   PTRACE_O_TRACESYSGOOD | (victim ? 0 : follow)) ||
	    ptrace(PTRACE_INTERRUPT, task, NULL, NULL))
		die("cannot trace it");
	if (write(gate[1], "", 1) != 1)
		die("write");
	for (;;) {
		task = waitpid(-1, &status, __WALL);
		if (task < 0)
			die("wait");
		if (WIFSTOPPED(status))
			go_on(task, status);
		else if (task == command)
			break;
	}
	if (!failed)
		return 3;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
