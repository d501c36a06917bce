/* SPDX-License-Identifier: GPL-2.0 */
/* Completes what a dead server left undone. */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

/*
 * For device @id, whose disk is gone and whose processes have ended: runs the
 * target's finish(), from the record and from the memory that outlived the
 * server. Returns 0, also if there is nothing to do, or -errno after printing
 * why.
 */
int settle_device(int id);

#endif
