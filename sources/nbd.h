/* SPDX-License-Identifier: GPL-2.0 */
/* A client of NBD, the network block device: an export of a server. */
#ifndef SOURCES_NBD_H
#define SOURCES_NBD_H

#include "sources/remote.h"

extern const struct remote_kind nbd_kind;

#endif
