/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INITRAMFS_PROGRAM_H
#define INITRAMFS_PROGRAM_H

#include <stdbool.h>

/* The program @path of the system below @root can be executed. */
bool root_has_program(const char *root, const char *path);

#endif
