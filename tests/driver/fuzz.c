// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzzer of the ublk driver: the program, and the start and end of its
 * processes. fuzz.h describes what it does and what is in the other files.
 */
#include "tests/driver/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES	6	/* at a time, without those that do not die */
#define CROWD		48	/* including those */

struct shared *shared;

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void wait_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Processes that run() started and that have not been reaped, or 0. */
static pid_t born[CROWD];
static int alive;

/* Reaps zombies. Returns whether @pid is among them. */
static bool collect(pid_t pid, int *status)
{
	bool found = false;
	pid_t dead;
	int how, i;

	while ((dead = waitpid(-1, &how, WNOHANG)) > 0) {
		if (dead == pid) {
			found = true;
			*status = how;
		}
		/* Others are orphans: children of processes that died. */
		for (i = 0; i < CROWD; i++) {
			if (born[i] != dead)
				continue;
			born[i] = 0;
			alive--;
		}
	}
	return found;
}

/* Starts a process. Returns its pid, or 0 if there are too many. */
static pid_t bear(uint64_t seed)
{
	pid_t pid;
	int i;

	for (i = 0; i < CROWD && born[i]; i++)
		;
	if (i == CROWD)
		return 0;
	pid = fork();
	if (!pid)
		life(seed);
	if (pid < 0)
		return 0;
	born[i] = pid;
	alive++;
	return pid;
}

bool in_time(const char *what, void (*function)(void))
{
	int64_t end = now_ms() + PATIENCE_MS;
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		function();
	while (!collect(pid, &status)) {
		if (now_ms() > end) {
			printf("%s: no end after %d ms\n", what, PATIENCE_MS);
			kill(pid, SIGKILL);
			return false;
		}
		wait_ms(10);
	}
	if (status)
		printf("%s: status %#x\n", what, status);
	return !status;
}

/* Reads state and parent of a process. Returns false if it is gone. */
static bool process(int pid, char *state, int *parent, char name[64])
{
	char path[32], line[512], *at;
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	good = fgets(line, sizeof(line), file) && (at = strrchr(line, ')'));
	fclose(file);
	if (!good)
		return false;
	*at = 0;
	snprintf(name, 64, "%s", strchr(line, '(') + 1);
	return sscanf(at + 1, " %c %d", state, parent) == 2;
}

void each_process(void (*each)(int pid, char state, int parent,
			       const char *name))
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char state, name[64];
	int pid, parent;

	while (dir && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid && process(pid, &state, &parent, name))
			each(pid, state, parent, name);
	}
	if (dir)
		closedir(dir);
}

/* Orphans are ours, too; see PR_SET_CHILD_SUBREAPER in main(). */
static void kill_child(int pid, char state, int parent, const char *name)
{
	(void)state;
	(void)name;
	if (parent == getpid())
		kill(pid, SIGKILL);
}

bool kill_all(int64_t end)
{
	int status;

	for (;;) {
		each_process(kill_child);
		collect(0, &status);
		if (waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD)
			return true;
		if (now_ms() > end)
			return false;
		wait_ms(10);
	}
}

/* Starts and kills processes until @commands commands were sent. */
static bool run(uint64_t seed, unsigned long commands, int seconds)
{
	struct random random = seeded(seed);
	int64_t end = now_ms() + seconds * 1000LL, last = now_ms();
	pid_t pids[PROCESSES] = { 0 };
	int64_t until[PROCESSES];
	uint64_t lives = 0;
	int status, i;

	while (shared->sent < commands && now_ms() < end) {
		for (i = 0; i < PROCESSES; i++) {
			if (pids[i] && now_ms() < until[i] &&
			    !kill(pids[i], 0))
				continue;
			/*
			 * Sometimes it leaves children that have its files
			 * open.
			 */
			if (pids[i])
				kill(chance(&random, 50) ? pids[i] : -pids[i],
				     SIGKILL);
			pids[i] = 0;
			if (alive == CROWD)
				continue;
			until[i] = now_ms() + 5 + below(&random, 1500);
			pids[i] = bear(seed << 32 ^ ++lives);
		}
		wait_ms(2);
		collect(0, &status);
		if (alive < CROWD)
			last = now_ms();
		/* Clients wait for a disk without a server; free them. */
		if (now_ms() - last > 500) {
			if (!in_time("removing devices on the way",
				     remove_all))
				return false;
			if (now_ms() - last > PATIENCE_MS) {
				printf("%d processes do not die\n", alive);
				return false;
			}
		}
	}
	shared->over = true;
	printf("%lu commands of %lu processes\n", (unsigned long)shared->sent,
	       (unsigned long)lives);
	return true;
}

static unsigned long value(const char *text)
{
	char *end;
	unsigned long number = strtoul(text ? text : "", &end, 0);

	if (!text || end == text || *end) {
		fputs("fuzz: a number, please (--help)\n", stderr);
		exit(2);
	}
	return number;
}

int main(int argc, char **argv)
{
	unsigned long seed = 1, commands = 1000000, seconds = 3600;
	bool good;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed")) {
			seed = value(argv[++i]);
		} else if (!strcmp(argv[i], "--commands")) {
			commands = value(argv[++i]);
		} else if (!strcmp(argv[i], "--seconds")) {
			seconds = value(argv[++i]);
		} else if (!strcmp(argv[i], "--sleep")) {
			wait_ms(value(argv[++i]));
			return 0;
		} else {
			puts("Usage: fuzz [--seed N] [--commands N] "
			     "[--seconds N]\n"
			     "Ends after so many commands (1000000) or "
			     "seconds (3600), whichever is first.\n"
			     "Exit status: 0 when the driver is well "
			     "afterwards, 1 when not.");
			return strcmp(argv[i], "--help") ? 2 : 0;
		}
	}
	if (each_node("ublkc", NULL, NULL)) {
		fputs("fuzz: there is a device that is not mine\n", stderr);
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1)) {
		perror("fuzz");
		return 2;
	}
	printf("seed %lu\n", seed);
	good = run(seed, commands, seconds);
	good &= well();
	print_counts();
	puts(good ? "the driver is well" : "the driver is not well");
	return !good;
}
