// SPDX-License-Identifier: GPL-2.0
#include "sources/source.h"

#include <errno.h>
#include <unistd.h>

#include "lib/message.h"
#include "sources/http.h"
#include "sources/local.h"
#include "sources/nbd.h"
#include "sources/remote.h"
#include "sources/uri.h"

bool source_is_remote(const char *name)
{
	return uri_is_one(name);
}

static int source_open_remote(struct source *source, const char *name,
			      enum remote_use use, uint64_t *size)
{
	struct uri uri;
	const char *why = WITH_NETWORK ? uri_parse(&uri, name) :
			  "this program was built without sources on a network";
	int err;

	/* The processes that serve have another folder than their caller. */
	if (!why && use != REMOTE_READS && uri.kind == URI_NBD_UNIX &&
	    *uri.socket != '/')
		why = "the path of the socket has to begin with /";
	if (why) {
		message("%s: %s", name, why);
		return -EINVAL;
	}
	source->fd = -1;
	source->remote = remote_open(uri.kind == URI_HTTP ? &http_kind :
				     &nbd_kind, &uri, name, use, &err);
	if (!source->remote)
		return err;
	*size = source->remote->size;
	return 0;
}

int source_open(struct source *source, const char *name, uint64_t *size)
{
	if (uri_is_one(name))
		return source_open_remote(source, name, REMOTE_READS, size);
	*source = source_of(local_open(name, size));
	return source->fd < 0 ? source->fd : 0;
}

int source_open_served(struct source *source, const char *name, uint64_t *size)
{
	return source_open_remote(source, name, REMOTE_READS_SERVED, size);
}

int source_refuse_remote(const char *name)
{
	if (!uri_is_one(name))
		return 0;
	message("%s: this has to be a file or device of this machine", name);
	return -EOPNOTSUPP;
}

int source_open_local(const char *path, uint64_t *size)
{
	int ret = source_refuse_remote(path);

	return ret ? ret : local_open(path, size);
}

void source_close(struct source *source)
{
	if (WITH_NETWORK && source->remote)
		remote_close(source->remote);
	else
		close(source->fd);
}

int source_read_remote(const struct source *source, void *data, size_t length,
		       uint64_t offset)
{
	return remote_read(source->remote, data, length, offset);
}

bool source_is_lost(const struct source *source)
{
	return WITH_NETWORK && source->remote &&
	       remote_is_lost(source->remote);
}

bool source_is_device(const struct source *source)
{
	if (WITH_NETWORK && source->remote)
		return source->remote->disk && !source_is_lost(source);
	return storage_is_device(source->fd);
}
