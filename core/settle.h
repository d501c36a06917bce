/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a device without a server has not yet put in its place.
 */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

/*
 * For device @id, whose disk is gone and whose processes have ended: does what the
 * last of them would have done, from the record and from what outlived it in
 * memory. Returns 0, also where there is nothing to do, or -errno after telling.
 */
int settle_device(int id);

#endif
