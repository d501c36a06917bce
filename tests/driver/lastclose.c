// SPDX-License-Identifier: GPL-2.0
/*
 * Last references that are dropped while I/O is in flight: rounds of one kind
 * on a disk, in their own process. Another process watches them, and reports
 * when and where they hang. The kinds are in lastclose-kinds.c.
 */
#include "tests/driver/lastclose.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
"Usage: lastclose [--any-data] KIND ROUNDS NODE FOLDER [PID...]\n"
"\n"
"Makes pages of a disk dirty, reads from it, and lets the last reference go\n"
"meanwhile; so many rounds. What was written last is on the disk after them.\n"
"PIDs are those of the disk's server. Kinds:\n"
"  aio, threads   close after io_submit; two at once\n"
"  uring          close, and the end of the ring\n"
"  splice         splice, sendfile\n"
"  exit           end of a process, by itself or killed\n"
"  mmap           munmap\n"
"  scan           while partitions are scanned, or somebody opens\n"
"  loop           a loop device over the disk frees itself\n"
"on a disk with an ext4 filesystem, which is mounted at FOLDER:\n"
"  file           close of an unlinked file\n"
"  umount         umount -l\n"
"  loop-file      as loop, over a file\n"
"  --any-data     the disk keeps nothing\n"
"\n"
"Exit status: 0; 1 a call failed or data is wrong; 2 wrong usage; 3 it hangs:\n"
"the process that hangs is left behind.\n";

/*
 * How many checks without progress, LOOK_MS apart, count as a hang. If this
 * process itself was late, that is still one check: a busy board gets time. A
 * server may be in uninterruptible sleep only for a moment.
 */
#define LOOK_MS		50
#define LOOKS_SERVER	80
#define LOOKS_ALL	1200

struct progress *progress;
const char *node;
const char *folder;

void step(const char *what)
{
	progress->doing = what;
	atomic_fetch_add(&progress->steps, 1);
}

void die(int err, const char *what)
{
	fprintf(stderr, "round %lu: %s: %s\n",
		atomic_load(&progress->round), what,
		err ? strerror(err) : "wrong");
	_exit(1);
}

long must(long result, const char *what)
{
	if (result < 0)
		die(result == -1 ? errno : -result, what);
	return result;
}

static void rounds(const struct kind *kind, unsigned long count, bool any_data)
{
	char path[4096];
	unsigned long i;

	snprintf(path, sizeof(path), "%s/%s", folder,
		 kind->kept ? kind->kept : "");
	if (kind->mounted)
		must(mount(node, folder, "ext4", 0, ""), "mount");
	for (i = 0; i < count; i++) {
		progress->round = i;
		kind->round(i);
	}
	if (kind->kept && !kind->mounted)
		must(mount(node, folder, "ext4", 0, ""), "mount");
	if (!any_data)
		check(kind->kept ? path : node, count - 1);
	step("umount");
	if (kind->kept)
		must(umount(folder), "umount");
}

/*
 * Threads of the server in uninterruptible sleep, and how often they switched.
 */
struct sleepers {
	unsigned int count;
	unsigned long switches;
	char name[640];		/* name of the first */
};

static void look_at_thread(struct sleepers *sleepers, const char *status)
{
	char line[128], name[32] = "", state = 0;
	unsigned long switches = 0;
	FILE *file = fopen(status, "re");

	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "Name: %31s", name);
		sscanf(line, "State: %c", &state);
		sscanf(line, "voluntary_ctxt_switches: %lu", &switches);
	}
	if (file)
		fclose(file);
	if (state != 'D')
		return;
	sleepers->count++;
	sleepers->switches += switches;
	if (sleepers->count == 1)
		snprintf(sleepers->name, sizeof(sleepers->name), " %s (%s)",
			 status, name);
}

static void look_at_server(struct sleepers *sleepers, char **pids)
{
	struct dirent *entry;
	char path[512];
	DIR *tasks;

	*sleepers = (struct sleepers){};
	for (; *pids; pids++) {
		snprintf(path, sizeof(path), "/proc/%s/task", *pids);
		tasks = opendir(path);
		while (tasks && (entry = readdir(tasks))) {
			if (!isdigit(entry->d_name[0]))
				continue;
			snprintf(path, sizeof(path), "/proc/%s/task/%s/status",
				 *pids, entry->d_name);
			look_at_thread(sleepers, path);
		}
		if (tasks)
			closedir(tasks);
	}
}

/* Reads the counters of the disk. */
static void look_at_disk(char *stat, size_t size)
{
	const char *name = strrchr(node, '/');
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/%s/stat",
		 name ? name + 1 : node);
	file = fopen(path, "re");
	if (!file || !fgets(stat, size, file))
		*stat = '\0';
	if (file)
		fclose(file);
}

/* The number of finished requests, and of those in flight. */
static void disk_counts(const char *stat, unsigned long counts[3])
{
	memset(counts, 0, 3 * sizeof(*counts));
	sscanf(stat, "%lu %*u %*u %*u %lu %*u %*u %*u %lu", &counts[0],
	       &counts[1], &counts[2]);
}

static void tell(const char *kind, const char *why, const char *names,
		 const unsigned long counts[3])
{
	printf("stuck: %s, round %lu, at: %s; %s%s; %lu requests under way\n",
	       kind, atomic_load(&progress->round),
	       atomic_load(&progress->doing), why, names, counts[2]);
	fflush(stdout);
	_exit(3);
}

/* The C library that programs get prints no floating point. */
static unsigned long clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000UL + now.tv_nsec / 1000000;
}

/* Watches until the rounds have ended. Returns their exit status. */
static int watch(pid_t pid, const char *kind, char **pids,
		 unsigned long *longest)
{
	unsigned long counts[3], counts_before[3] = {}, steps = 0, switches = 0;
	unsigned int still = 0, asleep = 0;
	unsigned long since = clock_ms();
	struct sleepers sleepers;
	char stat[256];
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(LOOK_MS * 1000);
		look_at_disk(stat, sizeof(stat));
		disk_counts(stat, counts);
		look_at_server(&sleepers, pids);
		if (steps != progress->steps ||
		    memcmp(counts, counts_before, sizeof(counts))) {
			if (clock_ms() - since > *longest)
				*longest = clock_ms() - since;
			since = clock_ms();
			steps = progress->steps;
			memcpy(counts_before, counts, sizeof(counts));
			still = 0;
			asleep = 0;
			continue;
		}
		still++;
		asleep = sleepers.count && sleepers.switches == switches ?
			 asleep + 1 : 0;
		switches = sleepers.switches;
		if (asleep > LOOKS_SERVER)
			tell(kind, "its server sleeps for ever:",
			     sleepers.name, counts);
		if (still > LOOKS_ALL)
			tell(kind, "nothing moves", "", counts);
	}
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "signal %d\n", WTERMSIG(status));
		return 1;
	}
	return WEXITSTATUS(status);
}

int main(int argc, char *argv[])
{
	bool any_data = argc > 1 && !strcmp(argv[1], "--any-data");
	const struct kind *kind;
	unsigned long count, start, longest = 0;
	int status;
	pid_t pid;

	argv += any_data;
	argc -= any_data;
	for (kind = kinds; argc >= 5 && kind->name; kind++)
		if (!strcmp(kind->name, argv[1]))
			break;
	if (argc < 5 || !kind->name || atol(argv[2]) < 1) {
		fputs(usage, stderr);
		return 2;
	}
	count = atol(argv[2]);
	node = argv[3];
	folder = argv[4];
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	step("start");
	start = clock_ms();
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return 1;
	}
	if (!pid) {
		rounds(kind, count, any_data);
		_exit(0);
	}
	status = watch(pid, kind->name, argv + 5, &longest);
	start = clock_ms() - start;
	printf("%lu rounds of %s, %lu ended before their I/O, %lu.%lu s, "
	       "longest wait %lu ms\n", atomic_load(&progress->round) + !status,
	       kind->name, atomic_load(&progress->in_flight), start / 1000,
	       start / 100 % 10, longest);
	return status;
}
