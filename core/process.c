// SPDX-License-Identifier: GPL-2.0
/*
 * The server as a process: background, readiness, protection. It knows nothing
 * about devices.
 */
#include "core/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/message.h"

/* The name of a process that waits for a server. */
#define NAME_WAITING "ublk waits"

/* Fields of /proc/PID/stat, numbered as in proc(5). */
enum stat_field {
	STAT_STATE = 3,		/* a letter */
	STAT_PARENT = 4,
	STAT_FLAGS = 9,
	STAT_USER = 14,
	STAT_SYSTEM = 15,
	STAT_STARTED = 22,
	STAT_PENDING = 31	/* signals of the first thread */
};

#define STAT_FLAG_EXITING 0x4	/* the kernel's PF_EXITING */
#define STAT_TRIES 100
#define STAT_TICK_MS 10

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static const int ending_signals[] = { SIGINT, SIGTERM, SIGHUP };
#define ENDING_SIGNALS (sizeof(ending_signals) / sizeof(ending_signals[0]))

/*
 * In the background process: the write end of a pipe whose closing ends the
 * caller's wait, or -1. The exit status for the caller is in shared memory,
 * because a write to the pipe may fail.
 */
static int ready_fd = -1;
static volatile int *caller_status;
#define STATUS_UNKNOWN (-1)
#define STATUS_TICK_MS 10
static bool background;

/*
 * In the caller: the child that it waits for, and the signal that came
 * meanwhile.
 */
static volatile pid_t body_pid;
static volatile sig_atomic_t ended_by;

static void process_pass_signal(int signal)
{
	ended_by = signal;
	kill(body_pid, SIGTERM);
}

static void handle_ending_signals(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };
	size_t i;

	for (i = 0; i < ENDING_SIGNALS; i++)
		sigaction(ending_signals[i], &action, NULL);
}

/* Closes all descriptors but 0, 1, 2 and @keep, which becomes 3. */
static void close_inherited(int keep)
{
	if (keep != 3) {
		while (dup3(keep, 3, O_CLOEXEC) < 0 &&
		       (errno == EINTR || errno == EBUSY))
			;
		close(keep);
	}
	syscall(SYS_close_range, 4, ~0U, 0);
	ready_fd = 3;
	background = true;
}

void process_replace(int fd, int by)
{
	while (dup2(by, fd) < 0 && (errno == EINTR || errno == EBUSY))
		;
}

int process_send_byte(int fd, char byte)
{
	ssize_t n;

	do {
		n = write(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

bool process_receive_byte(int fd, char *byte)
{
	ssize_t n;

	do {
		n = read(fd, byte, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1;
}

static int process_wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED;
	if (!ended_by)
		message("the server was killed by signal %d",
			WTERMSIG(status));
	return EXIT_FAILED;
}

static void forget_caller(void)
{
	if (ready_fd >= 0)
		close(ready_fd);
	ready_fd = -1;
	if (caller_status)
		munmap((void *)caller_status, sizeof(*caller_status));
	caller_status = NULL;
}

/*
 * Creates both. @fds gets the pipe's two ends. Returns 0, or -errno after
 * printing why.
 */
static int open_wait(int fds[2])
{
	void *shared = mmap(NULL, sizeof(*caller_status),
			    PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared != MAP_FAILED && !pipe2(fds, O_CLOEXEC)) {
		caller_status = shared;
		*caller_status = STATUS_UNKNOWN;
		return 0;
	}
	message_fail(errno, "cannot go to the background");
	if (shared != MAP_FAILED)
		munmap(shared, sizeof(*caller_status));
	return -EAGAIN;
}

/* In the caller: waits until the child sets the status, or ends. */
static int wait_for_status(int fd)
{
	siginfo_t ended = { 0 };
	char byte;

	/* If the pipe cannot be read, polls the shared memory. */
	while (read(fd, &byte, 1) < 0 && *caller_status == STATUS_UNKNOWN &&
	       !ended.si_pid)
		if (errno != EINTR) {
			waitid(P_PID, body_pid, &ended,
			       WEXITED | WNOHANG | WNOWAIT);
			clock_sleep_ms(STATUS_TICK_MS);
		}
	return *caller_status;
}

int process_background(int (*body)(void *arg), void *arg)
{
	sigset_t block, before;
	int fds[2];
	int status;
	size_t i;

	if (open_wait(fds))
		return EXIT_FAILED;

	/*
	 * The handler needs the child's pid, so signals wait until it is known.
	 */
	sigemptyset(&block);
	for (i = 0; i < ENDING_SIGNALS; i++)
		sigaddset(&block, ending_signals[i]);
	sigprocmask(SIG_BLOCK, &block, &before);
	ended_by = 0;
	body_pid = fork();
	if (body_pid < 0) {
		message_fail(errno, "cannot go to the background");
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(fds[0]);
		close(fds[1]);
		forget_caller();
		return EXIT_FAILED;
	}
	if (!body_pid) {
		setsid();
		close_inherited(fds[1]);
		sigprocmask(SIG_SETMASK, &before, NULL);
		exit(body(arg));
	}

	close(fds[1]);
	handle_ending_signals(process_pass_signal);
	sigprocmask(SIG_SETMASK, &before, NULL);
	status = wait_for_status(fds[0]);
	close(fds[0]);
	forget_caller();
	handle_ending_signals(SIG_DFL);
	if (status != STATUS_UNKNOWN && !ended_by)
		return status;
	status = process_wait_for(body_pid);
	if (ended_by)
		raise(ended_by);
	return status;
}

static int print_line(const char *text)
{
	int length = strlen(text) + 1;

	if (dprintf(STDOUT_FILENO, "%s\n", text) == length)
		return 0;
	return message_fail(errno, "standard output");
}

/*
 * Does the steps of leaving the terminal that can fail. Returns a descriptor of
 * /dev/null, or -errno after printing why.
 */
static int prepare_leaving(void)
{
	int fd, null;

	if (chdir("/"))
		return message_fail(errno, "/");
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return message_fail(errno, "/dev/null");
	/*
	 * Above 2, so that a standard output that the caller closed stays
	 * closed.
	 */
	null = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (null < 0)
		null = message_fail(errno, "/dev/null");
	close(fd);
	return null;
}

static void process_leave(int null)
{
	int fd;

	background = false;
	message_to_kernel_log();
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		process_replace(fd, null);
	close(null);
}

int process_leave_caller(void)
{
	int null;

	if (!background)
		return 0;
	null = prepare_leaving();
	if (null < 0)
		return null;
	process_leave(null);
	return 0;
}

/* Ends the caller's wait with this exit status. It cannot fail. */
static void release_caller(int status)
{
	if (caller_status)
		*caller_status = status;
	forget_caller();
}

static bool caller_gone(void)
{
	struct pollfd caller = { .fd = ready_fd };

	return ready_fd >= 0 && poll(&caller, 1, 0) > 0;
}

int process_ready(const char *text)
{
	int null = background ? prepare_leaving() : -1;
	int err;

	/*
	 * Once the node is printed the caller uses the disk, so do first what
	 * can fail.
	 */
	if (background && null < 0)
		return null;
	err = caller_gone() ? message_fail(EPIPE, "the caller") :
			      print_line(text);
	if (err) {
		if (null >= 0)
			close(null);
		return err;
	}
	if (null >= 0)
		process_leave(null);
	release_caller(EXIT_DONE);
	return 0;
}

void process_detach(void)
{
	process_leave_caller();
	release_caller(EXIT_DONE);
}

void process_detach_failed(void)
{
	process_leave_caller();
	release_caller(EXIT_FAILED);
}

void process_forked(void)
{
	forget_caller();
}

void process_continued(void)
{
	background = true;
}

int process_watch(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	/* EINVAL: the process has ended, but its pid is still in use. */
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	return fd;
}

int process_open(pid_t pid, unsigned long long started)
{
	int fd = process_watch(pid);

	/*
	 * Checked after the open: from here on the descriptor stays with this
	 * process.
	 */
	if (fd < 0 || process_runs(pid, started))
		return fd;
	close(fd);
	return -ESRCH;
}

int process_signal(int fd, int number, int value)
{
	siginfo_t info = { .si_signo = number, .si_code = SI_QUEUE };

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	return syscall(SYS_pidfd_send_signal, fd, number, &info, 0) ? -errno :
								      0;
}

/* For dl_iterate_phdr(), whose first call is for the program itself. */
static int lock_segments(struct dl_phdr_info *program, size_t size, void *arg)
{
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	int i;

	(void)size;
	(void)arg;
	for (i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
		uintptr_t start = program->dlpi_addr + segment->p_vaddr;
		uintptr_t end = start + segment->p_memsz;

		start &= -page;
		if (segment->p_type == PT_LOAD &&
		    mlock((const void *)start, end - start))
			return -errno;
	}
	return 1;
}

/*
 * With MCL_ONFAULT, pages of the program that were never touched stay unlocked,
 * and would be read from a filesystem that we may be serving. So the program is
 * locked completely, which also reads it. Each segment is locked by itself, as
 * there may be unmapped gaps between them. Returns 0 or -errno.
 */
static int lock_program(void)
{
	int ret = dl_iterate_phdr(lock_segments, NULL);

	return ret < 0 ? ret : 0;
}

/*
 * The kernel maps more stack for the first thread than it uses, and MCL_CURRENT
 * would lock all of it. What is unmapped here grows back when it is needed.
 */
static void shrink_stack(void)
{
	enum { MAPPED = 256 << 10, KEPT = 16 << 10 };
	uintptr_t end = (uintptr_t)__builtin_frame_address(0) - KEPT;

	end &= -(uintptr_t)sysconf(_SC_PAGESIZE);
	munmap((void *)(end - MAPPED), MAPPED);
}

/* If the OOM killer killed a server, users of the disk would hang. */
static int out_of_reach(void)
{
	static const char path[] = "/proc/self/oom_score_adj";
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return message_fail(errno, "%s", path);
	if (write(fd, "-1000", 5) != 5)
		err = message_fail(errno, "%s", path);
	close(fd);
	return err;
}

int process_protect(bool whole)
{
	int err;

	/*
	 * An ordinary user may do none of this, and goes without: with his low
	 * limit, MCL_FUTURE would make later mappings fail.
	 */
	if (geteuid())
		return 0;
	err = out_of_reach();
	if (err)
		return err;
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		return message_fail(errno, "cannot serve the writeback of memory "
				    "(PR_SET_IO_FLUSHER)");
	err = lock_program();
	if (err)
		return message_fail(err, "cannot lock the program in memory");
	if (whole)
		shrink_stack();
	if (mlockall(MCL_CURRENT | MCL_FUTURE | (whole ? 0 : MCL_ONFAULT)))
		return message_fail(errno, "cannot lock memory");
	return 0;
}

/* The policy before process_hurry(); -1 if it changed nothing. */
static int calm_policy = -1;
static struct sched_param calm_param;

/*
 * Where it is not allowed (in a container), the thread keeps its priority, and
 * gets less memory than it might. System calls, because musl's functions of
 * these names always fail, by its reading of POSIX.
 */
void process_hurry(void)
{
	const struct sched_param first = { .sched_priority = 1 };
	int policy = syscall(SYS_sched_getscheduler, 0);

	if (policy >= 0 && !syscall(SYS_sched_getparam, 0, &calm_param) &&
	    !syscall(SYS_sched_setscheduler, 0, SCHED_RR, &first))
		calm_policy = policy;
}

void process_calm(void)
{
	if (calm_policy >= 0)
		syscall(SYS_sched_setscheduler, 0, calm_policy, &calm_param);
}

int process_serve_root(void)
{
	program_invocation_name[0] = '@';
	prctl(PR_SET_NAME, "ublk", 0, 0, 0);
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return message_fail(errno, "a mount namespace for the server");
	return 0;
}

/* Reads /proc/PID/stat to @text. Returns its length or -errno. */
static ssize_t read_stat(pid_t pid, char *text, size_t size)
{
	char path[32];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, size);
	if (length < 0)
		length = -errno;
	close(fd);
	return length;
}

/*
 * Reads a field of /proc/PID/stat; a letter becomes its character code. Returns
 * false if there is no such process.
 */
static bool process_stat(pid_t pid, unsigned int field,
			 unsigned long long *value)
{
	unsigned int tries = 0;
	char text[1024];
	ssize_t length;
	char *at;

	/*
	 * A read that fails for another reason does not mean that the process
	 * is gone.
	 */
	while ((length = read_stat(pid, text, sizeof(text) - 1)) < 0 &&
	       length != -ENOENT && length != -ESRCH && tries++ < STAT_TRIES)
		clock_sleep_ms(STAT_TICK_MS);
	text[length > 0 ? length : 0] = '\0';

	/*
	 * The second field, the name, is in brackets and may contain spaces and
	 * brackets.
	 */
	at = strrchr(text, ')');
	for (; at && field > STAT_STATE - 1; field--)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*value = at[1] >= 'A' ? (unsigned char)at[1] : strtoull(at, NULL, 10);
	return true;
}

/* Calls @use for each child of @parent until it returns true, and returns that. */
static bool process_any_child(pid_t parent, bool (*use)(pid_t child))
{
	DIR *proc = opendir("/proc");
	unsigned long long its_parent;
	const struct dirent *entry;
	bool used = false;

	while (!used && proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		used = pid > 0 && process_stat(pid, STAT_PARENT, &its_parent) &&
		       its_parent == (unsigned long long)parent && use(pid);
	}
	if (proc)
		closedir(proc);
	return used;
}

static bool process_over(pid_t pid)
{
	kill(pid, PROCESS_OVER_SIGNAL);
	return false;
}

void process_over_children(pid_t parent)
{
	process_any_child(parent, process_over);
}

void process_say_waiting(bool waits)
{
	prctl(PR_SET_NAME, waits ? NAME_WAITING : "ublk", 0, 0, 0);
}

static bool process_waits(pid_t pid)
{
	static const char name[] = "(" NAME_WAITING ")";
	char stat[1024];
	ssize_t length = read_stat(pid, stat, sizeof(stat) - 1);
	const char *text;

	/* The pid, and a space, stand before the name. */
	stat[length > 0 ? length : 0] = '\0';
	text = strchr(stat, '(');
	return text && !strncmp(text, name, sizeof(name) - 1);
}

bool process_child_waits(pid_t parent)
{
	return process_any_child(parent, process_waits);
}

unsigned long long process_started(pid_t pid)
{
	unsigned long long started, state;

	/* A zombie has ended, but still has an entry. */
	if (!process_stat(pid, STAT_STARTED, &started) ||
	    !process_stat(pid, STAT_STATE, &state) || state == 'Z' ||
	    state == 'X')
		return 0;
	return started;
}

bool process_runs(pid_t pid, unsigned long long started)
{
	return pid > 0 && started && process_started(pid) == started;
}

bool process_dying(pid_t pid)
{
	unsigned long long flags, pending;

	return process_stat(pid, STAT_FLAGS, &flags) &&
	       process_stat(pid, STAT_PENDING, &pending) &&
	       (flags & STAT_FLAG_EXITING || pending & 1 << (SIGKILL - 1));
}

uint64_t process_worked(pid_t pid)
{
	unsigned long long user, system;

	if (!process_stat(pid, STAT_USER, &user) ||
	    !process_stat(pid, STAT_SYSTEM, &system))
		return 0;
	return user + system;
}
