/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that holds a disk and outlives the process that serves it: a file on
 * our own tmpfs, RECORD_DIR.memory/ID. The tmpfs is mounted when it is first
 * needed and unmounted when it is empty. A process can create one such file.
 * Also: memfds.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Creates an empty file of @size bytes in memory. If @outlives is set and the
 * caller is root, memory_keep() can name it. Otherwise the file is gone when
 * the last process closes it: an ordinary user cannot mount the tmpfs. Returns
 * the descriptor, or -errno and prints nothing.
 */
int memory_create(uint64_t size, bool outlives);

/*
 * Names the file of memory_create() after device @id. Returns 0, or -errno
 * after printing why.
 */
int memory_keep(int id);

/*
 * Opens the file that an earlier server of device @id left. It must be of @size
 * bytes. Returns the descriptor, or -errno and prints nothing.
 */
int memory_reopen(int id, uint64_t size);

/* Whether an earlier server of device @id left such a file. */
bool memory_is_kept(int id);

/* Removes the name: the memory is freed when its last user closes it. */
void memory_forget(int id);

/* Unmounts the tmpfs if it is empty. */
void memory_release(void);

/*
 * Create a memfd, called @name in /proc. That of memory_program() can be
 * executed; vm.memfd_noexec may forbid this (EACCES). That of memory_unnamed()
 * can never be. Both return the descriptor, or -1 with errno.
 */
int memory_unnamed(const char *name);
int memory_program(const char *name);

/*
 * Whether the data cache keeps the same memory at two addresses twice, on a
 * kernel whose pages are smaller than a way of it, as MIPS processors may have.
 * Rings and descriptors, which kernel and server both map, then go wrong.
 */
bool memory_has_aliases(void);

/* Total memory of the machine in bytes; UINT64_MAX if unknown. */
uint64_t memory_of_machine(void);

#endif
