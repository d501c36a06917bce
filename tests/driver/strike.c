// SPDX-License-Identifier: GPL-2.0
/*
 * Kills processes just before a system call that is given by its number, so
 * that a test can make them die between any two calls; or makes that call fail,
 * once or from then on. Uses ptrace.
 */
#include "tests/driver/strike.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PTRACE_SET_SYSCALL
#define PTRACE_SET_SYSCALL 23	/* of ARM only */
#endif
#define NT_ARM_SYSTEM_CALL 0x404	/* not in every C library */

#define IDLE_MS 400		/* without a system call: the program is idle */
#define TASKS_MAX 256

static const char usage[] =
"Usage: strike N [OPTION]... COMMAND [ARGUMENT]...\n"
"\n"
"Runs COMMAND and kills it, or what it has forked, right before the Nth system call\n"
"of them all together: the process whose call that is. Prints the call's number.\n"
"\n"
"  -p PID    not COMMAND's calls count but those of process PID from then on\n"
"  -e ERROR  the call fails with ERROR instead, ENOMEM, EAGAIN, EIO, ENOSPC or\n"
"            EINTR; calls that can not, by their manual pages, do not count\n"
"  -c CALL   only such calls count, and may fail with any ERROR; `command' stands\n"
"            for a control command of ublk, from Linux 6.10 on\n"
"  -a        with -e and -c CALL: all such calls fail from the Nth on, until COMMAND\n"
"            has ended. With -p calls of processes that PID forks do not\n"
"  -s        calls of processes that COMMAND, or PID with -p, forks do not count\n"
"  -o FILE   write the name of the call there and not to standard output\n"
"\n"
"Exit status: 0 killed; 1 there were no N calls; 2 wrong usage. With -e that of\n"
"COMMAND, or 3 when there were no N calls.\n";

static long calls_left;
static int error;		/* 0: kill */
static const char *only;	/* the system call to count; NULL: all */
static bool all;		/* fail all calls from that one on */
static bool single;		/* only calls of the first process */
static FILE *names;		/* where to print the name of the call */

static bool struck;		/* at least once */
static pid_t failing[TASKS_MAX];	/* their current call shall fail */
static unsigned int failing_count;
static bool counting;		/* set when COMMAND itself is executed */

static void die(const char *what)
{
	fprintf(stderr, "strike: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Watches all threads of a process and, with @forked, its children. */
static void watch(pid_t process, bool forked)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
			     (forked ? PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
				       PTRACE_O_TRACECLONE : 0);
	struct dirent *entry;
	char path[32];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	threads = opendir(path);
	while (threads && (entry = readdir(threads))) {
		pid_t task = strtol(entry->d_name, NULL, 10);

		if (task && (ptrace(PTRACE_SEIZE, task, NULL, options) ||
			     ptrace(PTRACE_INTERRUPT, task, NULL, NULL)))
			die("cannot trace it");
	}
	if (!threads)
		die(path);
	closedir(threads);
}

/*
 * Where the kernel has them in the set of a task's registers: a call's result, its
 * number, and on MIPS whether it failed.
 */
#ifdef __x86_64__
#define RESULT_AT 10
#define NUMBER_AT 15
#elif defined(__aarch64__) || defined(__arm__)
#define RESULT_AT 0
#elif defined(__riscv)
#define RESULT_AT 10
#define NUMBER_AT 17
#elif defined(__mips__) && _MIPS_SIM == _ABIO32
#define RESULT_AT 8
#define NUMBER_AT 8
#define FAILED_AT 13
#else
#error "strike does not know the registers of this processor"
#endif

/* Returns false if the task has just been killed. */
static bool registers(int request, pid_t task, long type, void *data, size_t size)
{
	struct iovec values = { .iov_base = data, .iov_len = size };

	if (!ptrace(request, task, (void *)type, &values))
		return true;
	if (errno != ESRCH)
		die("registers");
	return false;
}

/* The call that @task has just entered is not executed. */
static void skip_call(pid_t task)
{
#ifdef __aarch64__
	int number = -1;

	registers(PTRACE_SETREGSET, task, NT_ARM_SYSTEM_CALL, &number,
		  sizeof(number));
#elif defined(__arm__)
	ptrace(PTRACE_SET_SYSCALL, task, NULL, (void *)-1L);
#else
	unsigned long values[64];

	if (!registers(PTRACE_GETREGSET, task, NT_PRSTATUS, values,
		       sizeof(values)))
		return;
	values[NUMBER_AT] = -1;
	registers(PTRACE_SETREGSET, task, NT_PRSTATUS, values, sizeof(values));
#endif
}

/* Sets the result of the call from which @task returns: -errno. */
static void set_result(pid_t task, long result)
{
	unsigned long values[64];

	if (!registers(PTRACE_GETREGSET, task, NT_PRSTATUS, values,
		       sizeof(values)))
		return;
#ifdef FAILED_AT
	values[FAILED_AT] = 1;
	result = -result;
#endif
	values[RESULT_AT] = result;
	registers(PTRACE_SETREGSET, task, NT_PRSTATUS, values, sizeof(values));
}

/* How many counted events are in this call. */
static long counts(pid_t task, long long call, unsigned long long second)
{
	if (!only)
		return !error || call_can_fail(call, second, error);
	if (strcmp(only, "command"))
		return call == call_of_name(only);
	return call == SYS_io_uring_enter ? ring_commands(task) : 0;
}

/* Whether no further call will be struck. */
static bool is_done(void)
{
	return struck && !all;
}

static void print_name(long long call)
{
	if (error)
		fprintf(names, "%s\n", call_name(call));
	else
		fprintf(names, "%lld\n", call);
	fflush(names);
}

static void failing_add(pid_t task)
{
	if (failing_count == TASKS_MAX) {
		errno = E2BIG;
		die("tasks in calls that fail");
	}
	failing[failing_count++] = task;
}

/* Returns false if the task is not in the list. */
static bool failing_remove(pid_t task)
{
	unsigned int i;

	for (i = 0; i < failing_count; i++)
		if (failing[i] == task) {
			failing[i] = failing[--failing_count];
			return true;
		}
	return false;
}

static void strike(pid_t task, long long call)
{
	if (!struck)
		print_name(call);
	struck = true;
	if (!error) {
		kill(task, SIGKILL);
	} else if (only && !strcmp(only, "command")) {
		/*
		 * calls_left is 0 or less: the wanted command is that many
		 * before the last.
		 */
		if (!ring_spoil(task, ring_commands(task) - 1 + calls_left,
				error))
			die("the command");
	} else {
		if (!call_works_anyway(call))
			skip_call(task);
		failing_add(task);
	}
}

/* @task enters a system call, or returns from one. */
static void system_call(pid_t task)
{
	struct __ptrace_syscall_info info;
	long count;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task, sizeof(info), &info) < 0)
		return;
	/* A seccomp filter may have set another error. */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && failing_remove(task))
		set_result(task, -error);
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY || is_done() || !counting)
		return;
	count = counts(task, info.entry.nr, info.entry.args[1]);
	calls_left -= count;
	if (count && calls_left <= 0)
		strike(task, info.entry.nr);
}

/* Continues a stopped task, or ends it. */
static void go_on(pid_t task, int status)
{
	int signal = WSTOPSIG(status);
	int event = status >> 16;

	if (signal == (SIGTRAP | 0x80)) {
		signal = 0;
		system_call(task);
	} else if (event) {
		signal = 0;
		counting |= event == PTRACE_EVENT_EXEC;
	}
	/* When done, there is no need to stop at further system calls. */
	ptrace(is_done() && !failing_count ? PTRACE_CONT : PTRACE_SYSCALL, task,
	       NULL, (long)signal);
}

/* Starts @argv, which waits until @go is written to. */
static pid_t start(char **argv, int *go)
{
	int gate[2];
	pid_t pid;
	char byte;

	if (pipe(gate))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(2);
		close(gate[0]);
		execvp(*argv, argv);
		die(*argv);
	}
	close(gate[0]);
	*go = gate[1];
	return pid;
}

/*
 * Waits for a task that stops or ends. Returns 0 if there was none for a while.
 */
static pid_t next_task(int *status)
{
	const struct timespec idle = { .tv_nsec = IDLE_MS * 1000000L };
	sigset_t child;
	pid_t task;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	do {
		task = waitpid(-1, status, __WALL | WNOHANG);
	} while (!task && sigtimedwait(&child, NULL, &idle) > 0);
	return task;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

/* Returns the exit status of @command. */
static int follow(pid_t command)
{
	bool runs = true;
	int result = 0, status;
	pid_t task;

	while ((task = next_task(&status)) >= 0) {
		if (!task) {
			if (!runs)
				break;
			continue;
		}
		if (WIFSTOPPED(status)) {
			go_on(task, status);
		} else {
			failing_remove(task);
			if (task == command) {
				runs = false;
				result = exit_status(status);
			}
		}
		if (!runs && (all || (struck && !failing_count)))
			break;
	}
	return result;
}

static void wrong(void)
{
	fputs(usage, stderr);
	exit(2);
}

/* Returns the command. */
static char **parse(int argc, char **argv, pid_t *victim)
{
	int option;

	names = stdout;
	if (argc < 3)
		wrong();
	calls_left = strtol(*++argv, NULL, 10);
	while ((option = getopt(argc - 1, argv, "+p:e:c:aso:")) >= 0) {
		switch (option) {
		case 'p':
			*victim = strtol(optarg, NULL, 10);
			break;
		case 'e':
			error = error_of_name(optarg);
			if (!error)
				wrong();
			break;
		case 'c':
			only = optarg;
			if (strcmp(only, "command") && call_of_name(only) < 0)
				wrong();
			break;
		case 's':
			single = true;
			break;
		case 'a':
			all = true;
			break;
		case 'o':
			names = fopen(optarg, "we");
			if (!names)
				die(optarg);
			break;
		default:
			wrong();
		}
	}
	argv += optind;
	if (calls_left <= 0 || !*argv ||
	    (all && !(error && only && call_of_name(only) >= 0)))
		wrong();
	return argv;
}

int main(int argc, char **argv)
{
	pid_t victim = 0, command;
	sigset_t child;
	int go, status;

	argv = parse(argc, argv, &victim);
	command = start(argv, &go);
	/* The command itself must start without blocked signals. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	counting = victim;
	watch(victim ? victim : command, !single && !(victim && all));
	if (write(go, "", 1) != 1)
		die("write");
	close(go);
	status = follow(command);
	if (error)
		return struck ? status : 3;
	return struck ? 0 : 1;
}
