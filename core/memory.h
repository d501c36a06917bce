/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that holds a disk and outlives whoever serves it: a file on a tmpfs of
 * our own, RECORD_DIR.memory/ID. The tmpfs is mounted when it is first needed
 * and unmounted when it is empty. One such file a process. And files in memory
 * without a name.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A file of @size bytes in memory, empty. With @outlives, and as root, it gets a name
 * by memory_keep(). Otherwise it is gone with the last process that has it open: an
 * ordinary user cannot mount the tmpfs. Returns the descriptor, or -errno without
 * telling.
 */
int memory_create(uint64_t size, bool outlives);

/* Names the file after device @id. Returns 0 or -errno after telling. */
int memory_keep(int id);

/*
 * Opens what an earlier server of @id has left; it must have @size bytes.
 * Returns the descriptor, or -errno without telling.
 */
int memory_reopen(int id, uint64_t size);

/* Whether one has left something. */
bool memory_is_kept(int id);

/* The memory of @id goes back when its last user closes it. */
void memory_forget(int id);

/* Unmounts the tmpfs if nothing is on it. */
void memory_release(void);

/*
 * Files in memory without a name; /proc calls them @name. memory_program() makes one
 * that can be executed, which vm.memfd_noexec may forbid (EACCES). One of
 * memory_unnamed() never can be. Both return the descriptor, or -1 with errno.
 */
int memory_unnamed(const char *name);
int memory_program(const char *name);

/* Bytes of memory that the machine has, used or not; UINT64_MAX: nobody knows. */
uint64_t memory_of_machine(void);

#endif
