/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What strike knows of system calls: their names, and how each can fail.
 */
#ifndef TESTS_STRIKE_H
#define TESTS_STRIKE_H

#include <stdbool.h>
#include <sys/types.h>

/* The number of an error by its name, "ENOMEM"; 0 of one that is not known. */
int error_of_name(const char *name);

/* Whether the call may end with @error, as its manual page says; @second: argument. */
bool call_can_fail(long long number, unsigned long long second, int error);

/* The name of a call, or its number where it is not in the table. */
const char *call_name(long long number);

/* The number of a call by its name; -1 of one that is not known. */
long long call_of_name(const char *name);

/*
 * Calls that do their work though they fail: a descriptor is closed whatever close()
 * returns.
 */
bool call_works_anyway(long long number);

/*
 * Before @task enters io_uring_enter(): how many control commands of ublk its ring
 * is about to submit.
 */
int ring_commands(pid_t task);

/*
 * Turns the command at @index among these (0: the first) into an operation that does
 * nothing and fails with @error. False where the kernel cannot do that, before 6.10.
 */
bool ring_spoil(pid_t task, int index, int error);

#endif
