/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server as a process: how it goes to the background and still tells its
 * caller how the start ended, and how it is kept from ever waiting for the
 * disk it serves.
 */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Runs body(@arg) in a process of its own, in a session of its own and with
 * none of the caller's descriptors but the standard ones, and waits until it
 * says that it is ready, or ends. Returns EXIT_DONE; or, when it ended first,
 * its exit status. A signal that would end the caller meanwhile (SIGINT,
 * SIGTERM, SIGHUP) ends the body first, so that nothing is left behind, and
 * then the caller.
 */
int process_background(int (*body)(void *arg), void *arg);

/*
 * The server is ready: prints @text as a line on standard output. In the
 * background it then lets go of the terminal and of the caller, and sends later
 * messages to the kernel log. Returns 0 or -errno after telling.
 */
int process_ready(const char *text);

/*
 * The same for one that goes on whether its caller hears of it or not: prints
 * nothing, and ends the caller's wait with success.
 */
void process_detach(void);

/* The same, but the caller's wait ends with failure. */
void process_detach_failed(void);

/*
 * In the background: lets go of the terminal and of the caller's directory, and
 * sends later messages to the kernel log. Nothing happens in the foreground.
 * Returns 0 or -errno after telling.
 */
int process_leave_caller(void);

/*
 * For a process that was forked from one in the background and is not what its
 * caller waits for.
 */
void process_forked(void);

/*
 * For a program that a server executes in its place: it is in the background,
 * and nobody waits for it.
 */
void process_continued(void);

/* From now on descriptor @fd is what @by is, which is open. */
void process_replace(int fd, int by);

/*
 * A byte for another process through a pipe, or one from it; signals do not get in
 * between. Return 0 or -errno, and whether there was one.
 */
int process_tell(int fd, char byte);
bool process_hear(int fd, char *byte);

/*
 * A descriptor that becomes readable when process @pid ends. Returns it, -ESRCH
 * when that has ended, or another -errno.
 */
int process_watch(pid_t pid);

/*
 * A descriptor of process @pid, as of process_watch(), which is the one that
 * started at @started (record.h): -ESRCH when the number is another one's by now.
 */
int process_open(pid_t pid, unsigned long long started);

/*
 * Sends signal @number to the process of a descriptor, with @value as sigqueue()
 * does. Returns 0 or -errno: -ESRCH when it has ended.
 */
int process_signal(int fd, int number, int value);

/*
 * The program is in memory and locked there, and its data is locked as it is
 * touched; with @whole all that is mapped, now or later, is taken and locked at
 * once, so that nothing is left to wait for. The OOM killer looks elsewhere,
 * and memory reclaim never waits for I/O on our behalf. Returns 0, or -errno after
 * telling which of these cannot be had: then it must not serve. An ordinary user
 * may have none of them; his devices go without.
 */
int process_protect(bool whole);

/*
 * What this thread, and those and the processes that it starts, does is urgent:
 * somebody may be waiting for memory that only a disk without a server could
 * free. A real-time thread gets memory that the kernel keeps back from others.
 * Silent where it is not allowed.
 */
void process_hurry(void);

/* Ends that, in each thread and process for itself. */
void process_calm(void);

/*
 * The root filesystem hangs on this server: a mount namespace of its own (so
 * that it pins no mount of the system), and argv[0] begins with '@', which
 * asks init systems to spare the process at shutdown. It is called ublk however
 * it was executed. Returns 0 or -errno after telling.
 */
int process_serve_root(void);

/*
 * When a process started, in clock ticks since boot: with the pid it names a
 * process for good. 0 where there is none, or one that has ended.
 */
unsigned long long process_started(pid_t pid);

/* The process @pid still is the one that started at @started. */
bool process_runs(pid_t pid, unsigned long long started);

/* Process @pid was killed or ends of itself, and is still there. */
bool process_dying(pid_t pid);

/* How long process @pid has worked, in clock ticks; 0 where nobody knows. */
uint64_t process_worked(pid_t pid);

#endif
