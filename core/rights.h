/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The least rights: what a thread that serves requests may still do.
 */
#ifndef CORE_RIGHTS_H
#define CORE_RIGHTS_H

/* How many system calls a target may need beyond those of a queue's loop. */
#define RIGHTS_CALLS 4

/*
 * The calling thread, and threads that it makes from now on, lose every
 * capability, gain none by executing programs, and can make no system call but
 * those of a queue's loop, those that end a thread or process, and @calls
 * (numbers, 0 for none). Others fail with EPERM. A kernel that has no seccomp
 * goes without that part.
 */
void rights_drop(const int calls[RIGHTS_CALLS]);

#endif
