/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INITRAMFS_PROGRAM_H
#define INITRAMFS_PROGRAM_H

#include <stdbool.h>

/* Whether @path is an executable program in the system below @root. */
bool root_has_program(const char *root, const char *path);

#endif
