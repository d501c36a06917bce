// SPDX-License-Identifier: GPL-2.0
/* A server of HTTP that sends any bytes: heads, redirects, ranges. */
#include "sources/http.h"
#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	server_try(&http_kind, "http://server/path", data, size);
	return 0;
}
