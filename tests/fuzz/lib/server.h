/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the fuzzers of sources: a server that sends any bytes. It replaces
 * net_connect(), net_send(), net_receive() and the pauses between them.
 */
#ifndef TESTS_FUZZ_SERVER_H
#define TESTS_FUZZ_SERVER_H

#include "sources/remote.h"

/*
 * Opens a source of this kind, from a server that sends the @size bytes at
 * @data, over as many connections as it takes, and reads it here and there.
 * Reads are as large as was asked for, or fail with exactly one message; no
 * memory stays taken.
 */
void server_try(const struct remote_kind *kind, const char *uri,
		const uint8_t *data, size_t size);

#endif
