// SPDX-License-Identifier: GPL-2.0
/*
 * A server of NBD that sends any bytes: handshake, options, replies to reads.
 */
#include "sources/nbd.h"
#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	server_try(&nbd_kind, "nbd://server/export", data, size);
	return 0;
}
