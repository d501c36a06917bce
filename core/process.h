/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server as a process: how it goes to the background and still tells its
 * caller whether it started, and how it is protected from waiting for its own
 * disk.
 */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Runs body(@arg) in a child with a session of its own and none of the caller's
 * descriptors but the standard ones. Waits until the child calls
 * process_ready() or process_detach(), or ends. Returns EXIT_DONE, or the
 * child's exit status if it ended first. SIGINT, SIGTERM and SIGHUP to the
 * caller first end the child, so that nothing is left behind, and then the
 * caller.
 */
int process_background(int (*body)(void *arg), void *arg);

/*
 * The server is ready: prints @text and a newline on standard output. A
 * background process then lets go of the terminal, sends later messages to the
 * kernel log, and ends its caller's wait. Returns 0, or -errno after printing
 * why.
 */
int process_ready(const char *text);

/*
 * As process_ready(), for a server that carries on even if the caller is gone:
 * prints nothing, and ends the caller's wait with success.
 */
void process_detach(void);

/* As process_detach(), but ends the caller's wait with failure. */
void process_detach_failed(void);

/*
 * In a background process: lets go of the terminal and of the caller's
 * directory, and sends later messages to the kernel log. In the foreground it
 * does nothing. Returns 0, or -errno after printing why.
 */
int process_leave_caller(void);

/*
 * For a child of a background process: the caller does not wait for this child.
 */
void process_forked(void);

/*
 * For a program that replaced a server by exec: it is in the background, and no
 * caller waits for it.
 */
void process_continued(void);

/* Makes descriptor @fd a duplicate of @by, which is open. */
void process_replace(int fd, int by);

/*
 * Write a byte to a pipe, and read one from it; signals do not interrupt them.
 * process_send_byte() returns 0 or -errno, and process_receive_byte() whether
 * it read a byte.
 */
int process_send_byte(int fd, char byte);
bool process_receive_byte(int fd, char *byte);

/*
 * Returns a descriptor that becomes readable when process @pid ends, -ESRCH if
 * it has ended, or another -errno.
 */
int process_watch(pid_t pid);

/*
 * As process_watch(), but only if process @pid is the one that started at
 * @started, by process_started(). Returns -ESRCH if another process has this
 * number by now.
 */
int process_open(pid_t pid, unsigned long long started);

/*
 * Sends signal @number, with @value as sigqueue() does, to the process of a
 * descriptor from process_open(). Returns 0 or -errno: -ESRCH if it has ended.
 */
int process_signal(int fd, int number, int value);

/*
 * Tells the processes that a worker has started that nobody waits for their work
 * any more: sends PROCESS_OVER_SIGNAL to the children of @parent.
 */
#define PROCESS_OVER_SIGNAL SIGUSR1
void process_over_children(pid_t parent);

/*
 * For such a process: gives it a name that says whether it waits for a server on
 * the network. process_child_waits() finds out by the name whether a child of
 * @parent does.
 */
void process_say_waiting(bool waits);
bool process_child_waits(pid_t parent);

/*
 * Protects a server from waiting for its own disk. The program is loaded and
 * locked in memory; its data is locked when it is first touched or, with
 * @whole, all mappings, now and later, are populated and locked at once. The
 * OOM killer spares the process, and memory reclaim never waits for I/O in it.
 * Returns 0, or -errno after printing which step failed: then the process must
 * not serve. An ordinary user may do none of this, and goes without.
 */
int process_protect(bool whole);

/*
 * Gives this thread, and all threads and processes that it starts from now on,
 * real-time priority: the kernel keeps a reserve of memory for such threads,
 * and a disk without a server may be what keeps the machine from freeing
 * memory. Does nothing if it is not allowed.
 */
void process_hurry(void);

/* Returns the calling thread to its normal priority. */
void process_calm(void);

/*
 * For the server of the root filesystem. Gives the process a mount namespace of
 * its own, so that it pins no mount of the system, and an argv[0] that begins
 * with '@', which asks init systems to spare the process at shutdown. Sets its
 * name to ublk, however it was executed. Returns 0, or -errno after printing
 * why.
 */
int process_serve_root(void);

/*
 * When process @pid started, in clock ticks since boot: the pid and this time
 * identify a process for good. 0 if there is no such process, or if it has
 * ended.
 */
unsigned long long process_started(pid_t pid);

/* Whether process @pid is still the one that started at @started. */
bool process_runs(pid_t pid, unsigned long long started);

/* Whether process @pid has been killed, or is exiting, but still exists. */
bool process_dying(pid_t pid);

/* CPU time of process @pid in clock ticks; 0 if unknown. */
uint64_t process_worked(pid_t pid);

#endif
