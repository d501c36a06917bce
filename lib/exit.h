/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exit status of the command.
 */
#ifndef LIB_EXIT_H
#define LIB_EXIT_H

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

#endif
