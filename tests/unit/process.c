// SPDX-License-Identifier: GPL-2.0
/*
 * A process is identified by its pid and its start time. A signal goes to
 * exactly that process, and not to a later one with the same pid. The signal
 * that asks for an upgrade has the same number in every C library.
 */
#include "core/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/handover.h"

static int number, failures;

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/* A child that waits for the signal, and exits with 7 if it is correct. */
static pid_t start_child(int value)
{
	struct signalfd_siginfo info;
	pid_t parent = getpid(), child = fork();
	sigset_t set;

	if (child)
		return child;
	sigemptyset(&set);
	sigaddset(&set, HANDOVER_SIGNAL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (read(signalfd(-1, &set, 0), &info, sizeof(info)) != sizeof(info))
		_exit(1);
	_exit(info.ssi_code == SI_QUEUE && info.ssi_int == value &&
	      info.ssi_pid == (uint32_t)parent ? 7 : 2);
}

static void test_signal(void)
{
	const int value = 0x12345678;
	sigset_t set;
	int status = 0, fd;
	pid_t child;

	/* A signal that comes before the child waits stays pending. */
	sigemptyset(&set);
	sigaddset(&set, HANDOVER_SIGNAL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = start_child(value);
	check(process_open(child, process_started(child) + 1) == -ESRCH,
	      "another process of that number is not opened");
	check(process_open(child, 0) == -ESRCH,
	      "nor one of which nobody knows when it started");
	fd = process_open(child, process_started(child));
	check(fd >= 0, "the one that is meant is");
	check(!process_signal(fd, HANDOVER_SIGNAL, value), "it gets a signal");
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	      "with its value, and who sent it");
	check(process_signal(fd, SIGTERM, 0) == -ESRCH,
	      "one that has ended gets none, whoever has its number");
	close(fd);
}

static void test_started(void)
{
	unsigned long long started;
	siginfo_t info;
	pid_t child;

	started = process_started(getpid());
	check(started > 0, "this process started");
	check(process_runs(getpid(), started), "and runs");
	check(!process_runs(getpid(), started + 1),
	      "another of the same pid does not");
	check(!process_runs(getpid(), 0), "nor one without a start");
	check(!process_runs(0, started), "nor no process");
	check(!process_runs(-1, started), "nor -1");

	/* The name is in parentheses, and may contain them. */
	prctl(PR_SET_NAME, ") S 1 ( x) 5");
	check(process_started(getpid()) == started,
	      "a name made to confuse does not");

	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	started = process_started(child);
	check(process_runs(child, started), "a child runs");
	check(!process_dying(child), "and is not about to end");
	kill(child, SIGKILL);
	waitid(P_PID, child, &info, WEXITED | WNOWAIT);
	check(process_dying(child), "until it is killed");
	waitpid(child, NULL, 0);
	check(!process_runs(child, started), "then it is gone");
	check(!process_dying(child), "for good");
}

int main(void)
{
	test_started();
	test_signal();
	check(HANDOVER_SIGNAL == 35, "the signal of an upgrade is number 35");
	printf("1..%d\n", number);
	return failures != 0;
}
