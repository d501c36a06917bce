/* SPDX-License-Identifier: GPL-2.0 */
/* What strike knows about system calls: their names and how each can fail. */
#ifndef TESTS_STRIKE_H
#define TESTS_STRIKE_H

#include <stdbool.h>
#include <sys/types.h>

/* Returns the number of an error name such as "ENOMEM", or 0 if unknown. */
int error_of_name(const char *name);

/*
 * Whether the manual page of the call allows @error. @second: its second
 * argument.
 */
bool call_can_fail(long long number, unsigned long long second, int error);

/* Returns the name of a call, or its number if the name is unknown. */
const char *call_name(long long number);

/* Returns the number of a call, or -1 if the name is unknown. */
long long call_of_name(const char *name);

/*
 * Calls that do their work even if they fail: close() closes the descriptor
 * whatever it returns.
 */
bool call_works_anyway(long long number);

/*
 * Before @task enters io_uring_enter(): how many control commands of ublk its
 * ring will submit.
 */
int ring_commands(pid_t task);

/*
 * Turns the command at @index among these (0: the first) into a NOP that fails
 * with @error. Returns false if the kernel cannot do that (before 6.10).
 */
bool ring_spoil(pid_t task, int index, int error);

#endif
