/* SPDX-License-Identifier: GPL-2.0 */
/* Drops the rights that a thread does not need to serve requests. */
#ifndef CORE_RIGHTS_H
#define CORE_RIGHTS_H

/* How many system calls a target may allow besides those of the queue loop. */
#define RIGHTS_CALLS 5

/*
 * For the calling thread and threads that it creates later. They lose every
 * capability, gain none when they execute a program, and cannot get executable
 * memory. Of the system calls they keep those of the queue loop, those that end
 * a thread or process, and @calls (numbers; 0 for none). Others fail with
 * EPERM. Returns 0, or -errno after printing which step failed: then the thread
 * still has rights, and must not serve.
 */
int rights_drop(const int calls[RIGHTS_CALLS]);

/*
 * The same for a process beside those that serve, which needs more: @calls has
 * @count of them, RIGHTS_MOST at most. mprotect() among them makes nothing
 * executable.
 */
#define RIGHTS_MOST 48
int rights_drop_others(const int *calls, unsigned int count);

#endif
