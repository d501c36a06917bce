/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of a device: /run/ublk/ID (for an ordinary user
 * $XDG_RUNTIME_DIR/ublk/ID, or /tmp/ublk-UID/ID if that is not set). It
 * consists of lines `key=value` that a shell script can source: values are
 * quoted where necessary, and have one line only. It has what is needed to serve
 * the device again, most of which the driver does not know: the target, its
 * argument and its options. core/device-record.c says which lines there are. It is
 * written completely or not at all. Only the driver knows whether the device still
 * exists.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/key-value.h"

#define RECORD_DIR "/run/ublk"
#define RECORD_MAX (1 << 20)	/* bytes of one record; a power of two */

/*
 * Creates the directory of the records. Returns false, with errno, if it
 * cannot.
 */
bool record_make_dir(void);

/*
 * Writes the record of device @id. @fill prints the lines, with key_value_put()
 * for values that may contain anything. Replaces an older record of @id.
 * Returns 0, or -errno after printing why.
 */
int record_write(int id, void (*fill)(FILE *out, const void *arg),
		 const void *arg);

/*
 * As record_write(), for a new device: takes the lock, so that record_remove()
 * for an earlier device of that id cannot interfere.
 */
int record_create(int id, void (*fill)(FILE *out, const void *arg),
		  const void *arg);

/*
 * Reads the record of device @id to *@text, which the caller frees. Returns its
 * length, -ENOENT if there is none, or another -errno. Prints nothing.
 */
int record_read(int id, char **text);

/*
 * Opens the record of device @id for record_remove(). Returns the descriptor,
 * or -errno. Prints nothing, since a device need not have a record.
 */
int record_open(int id);

/*
 * Removes the record of device @id, which record_open() opened as @fd. If
 * another record has taken its place since, that one is of a new device, and
 * stays. Closes @fd, which may be negative.
 */
void record_remove(int id, int fd);

/*
 * Locks the records, until the returned descriptor is closed, so that a caller
 * can read and rewrite a record. Returns -errno if there are no records. Prints
 * nothing.
 */
int record_lock(void);

/*
 * Calls @each for the id of every record, in no particular order; not at all if
 * the directory does not exist.
 */
void record_each(void (*each)(int id, void *arg), void *arg);

#endif
