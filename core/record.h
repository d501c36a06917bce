/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of a running device: /run/ublk/ID (an ordinary user's:
 * $XDG_RUNTIME_DIR/ublk/ID, or /tmp/ublk-UID/ID where that is not set), lines of
 * `key=value` that a script can source: what a shell would not take literally is
 * quoted, and no value has more than one line. It holds what the driver does not
 * know: the target, its argument and options. It is written whole or not at all,
 * and whether the device still runs is for the driver to say, not for the record.
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

/* Makes the directory of the records. False, with errno, where there is none. */
bool record_make_dir(void);

/*
 * Writes the record of device @id: @fill prints the lines, with key_value_put()
 * where a value may be anything. An older record of the id is replaced. Returns
 * 0 or -errno after telling.
 */
int record_write(int id, void (*fill)(FILE *out, const void *arg),
		 const void *arg);

/*
 * The same for a device that is new. record_remove() of an earlier one of that
 * number does not come between.
 */
int record_create(int id, void (*fill)(FILE *out, const void *arg),
		  const void *arg);

/*
 * Reads the record of @id to *@text, which the caller frees. Returns its
 * length; or, without telling, -ENOENT where there is none, -errno otherwise.
 */
int record_read(int id, char **text);

/*
 * Opens the record of @id for record_remove(). Returns the descriptor, or -errno
 * without telling: there need not be one.
 */
int record_open(int id);

/*
 * Removes the record of @id that record_open() has opened as @fd, unless another
 * one has taken its place since: that is of a new device. Closes @fd, which may
 * be negative.
 */
void record_remove(int id, int fd);

/*
 * Keeps others from record_lock() until the descriptor that it returns is closed:
 * between looking at a record and writing it nobody else does. Returns -errno
 * without telling where there are no records.
 */
int record_lock(void);

/*
 * Calls @each for the id of every record, in no order. Without the directory
 * there are none.
 */
void record_each(void (*each)(int id, void *arg), void *arg);

#endif
