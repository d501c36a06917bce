/* SPDX-License-Identifier: GPL-2.0 */
/* A client of HTTP/1.1: ranges of a file of a server. */
#ifndef SOURCES_HTTP_H
#define SOURCES_HTTP_H

#include "sources/remote.h"

extern const struct remote_kind http_kind;

#endif
