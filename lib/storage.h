/* SPDX-License-Identifier: GPL-2.0 */
/* How much a file or block device holds. */
#ifndef LIB_STORAGE_H
#define LIB_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Sets *@size to the bytes of the regular file or block device @fd. Returns 0 or
 * -errno: -EISDIR for a directory, -ESPIPE for anything else without a size.
 */
int storage_size(int fd, uint64_t *size);

/* Whether @fd is a block device. */
bool storage_is_device(int fd);

#endif
