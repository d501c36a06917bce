// SPDX-License-Identifier: GPL-2.0
/*
 * Kills processes right before a system call that is given by its number, so that
 * a test can let them die between any two. Speaks ptrace, nothing of ublk.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_MS 400		/* without a system call: nothing more will come */
#define TASKS_MAX 256

static const char usage[] =
"Usage: strike N [-p PID] COMMAND [ARGUMENT]...\n"
"\n"
"Runs COMMAND and kills it, or what it has forked, right before the Nth system call\n"
"of them all together: the process whose call that is. With -p not COMMAND's calls\n"
"count but those of process PID from then on. Prints the call's number.\n"
"\n"
"Exit status: 0 killed; 1 there were no N calls; 2 wrong usage.\n";

static long calls_left;

/* Entry and exit of a system call stop a task alike; this knows which is next. */
static pid_t inside[TASKS_MAX];

/* Returns true for the entry. */
static bool enters(pid_t task)
{
	int i, unused = -1;

	for (i = 0; i < TASKS_MAX; i++) {
		if (inside[i] == task) {
			inside[i] = 0;
			return false;
		}
		if (!inside[i])
			unused = i;
	}
	if (unused >= 0)
		inside[unused] = task;
	return true;
}

static void die(const char *what)
{
	fprintf(stderr, "strike: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* All threads of a process. */
static void watch(pid_t process)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
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

static long long call_number(pid_t task)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task, sizeof(info), &info) < 0)
		return -1;
	return info.entry.nr;
}

/* Lets a task that has stopped go on, or ends it: returns true then. */
static bool go_on(pid_t task, int status)
{
	int signal = WSTOPSIG(status);
	bool event = status >> 16;

	if (signal == (SIGTRAP | 0x80)) {
		signal = 0;
		if (enters(task) && --calls_left == 0) {
			printf("%lld\n", call_number(task));
			kill(task, SIGKILL);
			return true;
		}
	} else if (event) {
		signal = 0;
	}
	ptrace(PTRACE_SYSCALL, task, NULL, (long)signal);
	return false;
}

/* Starts @argv and lets it wait until @go is written to. */
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

int main(int argc, char **argv)
{
	bool killed = false, command_runs = true;
	pid_t command, victim = 0, task;
	int go, idle = 0, status;

	argv++;
	calls_left = argc > 2 ? strtol(*argv++, NULL, 10) : 0;
	if (argc > 4 && !strcmp(*argv, "-p")) {
		victim = strtol(argv[1], NULL, 10);
		argv += 2;
	}
	if (calls_left <= 0) {
		fputs(usage, stderr);
		return 2;
	}
	command = start(argv, &go);
	watch(victim ? victim : command);
	if (write(go, "", 1) != 1)
		die("write");
	close(go);

	while (command_runs || (!killed && idle < IDLE_MS)) {
		task = waitpid(-1, &status, __WALL | WNOHANG);
		if (task < 0)
			break;
		if (!task) {
			usleep(1000);
			idle++;
			continue;
		}
		idle = 0;
		if (WIFSTOPPED(status))
			killed |= go_on(task, status);
		else if (task == command)
			command_runs = false;
	}
	return killed ? 0 : 1;
}
