/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copy on write: a layer that a target puts over itself, so that a disk which
 * can only be read is written. Blocks that were written are kept in memory or in
 * a file, all others are the target's to read.
 *
 * A target has COW_OPTION among its options, COW_CALLS among its system calls,
 * and calls the functions below from its own of those names. Without the option
 * there is no struct cow, and NULL may be given to all but cow_submit().
 */
#ifndef TARGETS_COW_COW_H
#define TARGETS_COW_COW_H

#include <sys/syscall.h>

#include "core/target.h"
#include "targets/cow/file.h"

struct cow;

#define COW_OPTION(settings) \
	{ "cow", 0, OPTION_PLACE, offsetof(settings, cow), 0, 0, "SIZE|FILE", \
	  "keep what is written in memory up to SIZE, or in FILE" }
#define COW_MANUAL \
	"\nWith --cow the disk can be written, and what is below it is not: " \
	"what was\nwritten is kept in memory, or in a file or block device " \
	"that can be used again\nover the same image or file.\n"
#define COW_CALLS SYS_pread64, SYS_pwrite64, SYS_fallocate

/*
 * From open(): the base is what it was when the device was made, its bytes too, as
 * far as samples tell. As ublk_device_identify().
 */
int cow_identify_base(struct ublk_device *device, const char *path,
		      const struct cow_base *base);

/*
 * From open(), when @disk is filled in for the base and its files are
 * registered: opens @place, the option's value, and changes @disk to what it is
 * now. The base stays the caller's, and open. Sets *cow, to NULL where @place
 * is. Returns 0, or -errno after telling.
 */
int cow_open(struct cow **cow, struct ublk_device *device, const char *place,
	     const struct cow_base *base, struct ublk_disk *disk);

/* From start(). @read is the target's submit() for READs of the base. */
int cow_start(struct cow *cow, struct ublk_device *device,
	      int (*read)(struct ublk_queue *queue,
			  struct ublk_request *request));

/*
 * From finish(): what was written is permanent then, as after a FLUSH. Returns 0 or
 * -errno after telling.
 */
int cow_finish(struct cow *cow);

/* From close(). */
void cow_close(struct cow *cow);

/* From submit(), for every request. */
int cow_submit(struct cow *cow, struct ublk_queue *queue,
	       struct ublk_request *request);

#endif
