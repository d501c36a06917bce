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
 * capability, gain none by executing programs, can make no system call but
 * those of a queue's loop, those that end a thread or process, and @calls
 * (numbers, 0 for none), and get no memory that can be executed. Others fail with
 * EPERM. Returns 0, or -errno after telling which step failed: then it still has
 * rights, and must not serve.
 */
int rights_drop(const int calls[RIGHTS_CALLS]);

#endif
