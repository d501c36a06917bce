/* SPDX-License-Identifier: GPL-2.0 */
/* A client of NBD, the network block device: an export of a server. */
#ifndef SOURCES_NBD_H
#define SOURCES_NBD_H

#include "sources/nbd-wire.h"
#include "sources/remote.h"

extern const struct remote_kind nbd_kind;

/* Of a remote of that kind, since it was first connected. */
const struct nbd_export *nbd_export(const struct remote *remote);

/* Whether replies on the connection that is there are structured. */
bool nbd_replies_structured(const struct remote *remote);

#endif
