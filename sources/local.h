/* SPDX-License-Identifier: GPL-2.0 */
/* Files and block devices of this machine. */
#ifndef SOURCES_LOCAL_H
#define SOURCES_LOCAL_H

#include <stdint.h>

/*
 * Opens one for reading and finds its size in bytes; `-` is standard input,
 * which must also be a file or device. Returns the descriptor, or -errno after
 * printing why.
 */
int local_open(const char *path, uint64_t *size);

#endif
