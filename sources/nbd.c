// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed newstyle handshake, with NBD_OPT_GO where the server has it and with
 * NBD_OPT_EXPORT_NAME elsewhere; structured and simple replies. One request at
 * a time.
 */
#include "sources/nbd.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/big-endian.h"

/*
 * Messages of a server before it comes to the point, and errors in one reply.
 */
#define REPLIES_MAX 64

struct nbd {
	struct nbd_export export;
	uint64_t cookie;	/* of the last request */
	bool zeroes;		/* the server sends some after EXPORT_NAME */
	bool structured;	/* and structured replies */
	uint8_t text[NBD_OPTION_REPLY_MAX];	/* a reply's payload */
};

static int nbd_hello(struct remote *remote)
{
	struct nbd *nbd = remote->state;
	uint8_t hello[NBD_HELLO], answer[4];
	uint16_t flags = 0;
	const char *why;
	int ret = remote_receive(remote, hello, sizeof(hello));

	if (ret)
		return ret;
	why = nbd_get_hello(hello, &flags);
	if (why)
		return remote_refuse(remote, "%s", why);
	nbd->zeroes = !(flags & NBD_NO_ZEROES);
	put_be32(answer, NBD_FIXED_NEWSTYLE | (flags & NBD_NO_ZEROES));
	return remote_send(remote, answer, sizeof(answer));
}

static int nbd_send_option(struct remote *remote, enum nbd_option option,
			   const void *data, uint32_t length)
{
	uint8_t head[NBD_OPTION];
	int ret;

	nbd_put_option(head, option, length);
	ret = remote_send(remote, head, sizeof(head));
	return ret ? ret : remote_send(remote, data, length);
}

/* Receives a reply to @option; its payload is in nbd->text. */
static int nbd_receive_option(struct remote *remote, enum nbd_option option,
			      struct nbd_option_reply *reply)
{
	struct nbd *nbd = remote->state;
	uint8_t head[NBD_OPTION_REPLY];
	const char *why;
	int ret = remote_receive(remote, head, sizeof(head));

	if (ret)
		return ret;
	why = nbd_get_option_reply(head, option, reply);
	if (why)
		return remote_refuse(remote, "%s", why);
	return remote_receive(remote, nbd->text, reply->length);
}

/* What the server replied to an option instead of an answer. */
static int nbd_option_fails(struct remote *remote,
			    const struct nbd_option_reply *reply)
{
	struct nbd *nbd = remote->state;
	char text[100];

	if (!(reply->type & NBD_REP_ERROR))
		return remote_refuse(remote, "the server replies to an "
				     "option with what cannot be one");
	remote_text(text, sizeof(text), nbd->text, reply->length);
	if (reply->type == NBD_REP_ERR_SHUTDOWN)
		return remote_lose(remote, "the server is shutting down");
	return remote_refuse(remote, "the server refuses: %s%s%s",
			     nbd_option_error(reply->type), *text ? ": " : "",
			     text);
}

static int nbd_ask_structured(struct remote *remote)
{
	struct nbd *nbd = remote->state;
	struct nbd_option_reply reply;
	int ret = nbd_send_option(remote, NBD_OPT_STRUCTURED_REPLY, NULL, 0);

	if (!ret)
		ret = nbd_receive_option(remote, NBD_OPT_STRUCTURED_REPLY,
					 &reply);
	if (ret)
		return ret;
	nbd->structured = reply.type == NBD_REP_ACK;
	/* It need not be able to: then it has said so. */
	if (nbd->structured || reply.type & NBD_REP_ERROR)
		return 0;
	return nbd_option_fails(remote, &reply);
}

/* An old server answers with the export or not at all. */
static int nbd_ask_name(struct remote *remote, struct nbd_export *export)
{
	struct nbd *nbd = remote->state;
	const char *name = remote->uri.path;
	uint8_t answer[NBD_EXPORT + NBD_EXPORT_ZEROES];
	int ret = nbd_send_option(remote, NBD_OPT_EXPORT_NAME, name,
				  strlen(name));

	if (!ret)
		ret = remote_receive(remote, answer, NBD_EXPORT +
				     (nbd->zeroes ? NBD_EXPORT_ZEROES : 0));
	if (ret)
		return ret;
	nbd_get_export(answer, export);
	return 0;
}

static int nbd_send_go(struct remote *remote)
{
	const char *name = remote->uri.path;
	uint32_t length = strlen(name);
	uint8_t data[4 + URI_EXPORT_MAX + 4];

	put_be32(data, length);
	memcpy(data + 4, name, length);
	put_be16(data + 4 + length, 1);		/* We ask for one information, */
	put_be16(data + 6 + length, 3);		/* its block sizes. */
	return nbd_send_option(remote, NBD_OPT_GO, data, length + 8);
}

static int nbd_ask_export(struct remote *remote, struct nbd_export *export)
{
	struct nbd *nbd = remote->state;
	struct nbd_option_reply reply;
	const char *why;
	int ret = nbd_send_go(remote);

	for (unsigned int i = 0; !ret && i < REPLIES_MAX; i++) {
		ret = nbd_receive_option(remote, NBD_OPT_GO, &reply);
		if (ret)
			return ret;
		if (reply.type == NBD_REP_ACK)
			return 0;
		if (reply.type == NBD_REP_ERR_UNSUP)
			return nbd_ask_name(remote, export);
		if (reply.type != NBD_REP_INFO)
			return nbd_option_fails(remote, &reply);
		why = nbd_get_info(nbd->text, reply.length, export);
		if (why)
			return remote_refuse(remote, "%s", why);
	}
	return ret ? ret : remote_refuse(remote, "the server tells and "
					 "tells, and does not come to "
					 "an end");
}

const struct nbd_export *nbd_export(const struct remote *remote)
{
	const struct nbd *nbd = remote->state;

	return &nbd->export;
}

bool nbd_replies_structured(const struct remote *remote)
{
	const struct nbd *nbd = remote->state;

	return nbd->structured;
}

/* A server must be what it was, or what was read does not fit what will be. */
static int nbd_compare(struct remote *remote, const struct nbd_export *export)
{
	const struct nbd *nbd = remote->state;

	if (export->size != nbd->export.size)
		return remote_refuse(remote, "the export has another size, %"
				     PRIu64 " bytes instead of %" PRIu64,
				     export->size, nbd->export.size);
	if (export->block > nbd->export.block || export->most < remote->most)
		return remote_refuse(remote, "the export has other block sizes");
	/* All that the disk has promised must still be there. */
	if (nbd->export.flags & ~NBD_FLAG_READ_ONLY & ~export->flags ||
	    (export->flags & ~nbd->export.flags & NBD_FLAG_READ_ONLY))
		return remote_refuse(remote, "the export can do less than "
				     "before");
	return 0;
}

static int nbd_connect(struct remote *remote)
{
	struct nbd *nbd = remote->state;
	struct nbd_export export = { };
	const char *why;
	int ret = remote_connect_to(remote, &remote->uri);

	if (!ret)
		ret = nbd_hello(remote);
	if (!ret)
		ret = nbd_ask_structured(remote);
	if (!ret)
		ret = nbd_ask_export(remote, &export);
	if (ret)
		return ret;
	why = nbd_check_export(&export);
	if (why)
		return remote_refuse(remote, "%s", why);
	if (remote->opened)
		return nbd_compare(remote, &export);
	nbd->export = export;
	remote->disk = true;
	remote->size = export.size;
	remote->block = export.block;
	remote->most = export.most < REMOTE_MOST ? export.most : REMOTE_MOST;
	remote->most &= ~(export.block - 1);
	return 0;
}

/* The data of a chunk, of a read of @length bytes at @offset to @data. */
static int nbd_receive_data(struct remote *remote, const struct nbd_reply *reply,
			    uint8_t *data, uint32_t length, uint64_t offset,
			    uint32_t *count)
{
	bool hole = reply->type == NBD_CHUNK_HOLE;
	uint8_t head[12];
	uint32_t head_length = hole ? 12 : 8, n;
	uint64_t at;
	int ret;

	if (hole ? reply->length != 12 : reply->length <= 8)
		return remote_refuse(remote, "a reply of a wrong length");
	ret = remote_receive(remote, head, head_length);
	if (ret)
		return ret;
	n = hole ? get_be32(head + 8) : reply->length - 8;
	at = get_be64(head) - offset;
	if (at > length || n > length - at || !n || n > length - *count)
		return remote_refuse(remote, "a reply with data that was "
				     "not asked for");
	*count += n;
	if (!hole)
		return remote_receive(remote, data + at, n);
	memset(data + at, 0, n);
	return 0;
}

/*
 * An error of a request. It is not the end of the connection, unless the server
 * says that it is.
 */
static int nbd_fails(struct remote *remote, int err)
{
	if (err == -ESHUTDOWN)
		return remote_lose(remote, "the server is shutting down");
	return err;
}

/* Receives the payload of an error, and sets *@err to what it means. */
static int nbd_receive_error(struct remote *remote, const struct nbd_reply *reply,
			     int *err)
{
	struct nbd *nbd = remote->state;
	int ret;

	if (reply->length < 6 || reply->length > sizeof(nbd->text))
		return remote_refuse(remote, "an error of an impossible length");
	ret = remote_receive(remote, nbd->text, reply->length);
	if (ret)
		return ret;
	*err = nbd_errno(get_be32(nbd->text));
	if (!*err)
		*err = -EIO;
	return 0;
}

/*
 * Receives all chunks of a structured reply. The head of the first is in @head.
 */
static int nbd_receive_chunks(struct remote *remote, uint8_t head[NBD_CHUNK],
			      uint8_t *data, uint32_t length, uint64_t offset)
{
	struct nbd *nbd = remote->state;
	struct nbd_reply reply;
	uint32_t count = 0, errors = 0;
	int err = 0, ret = 0;
	const char *why;

	for (;;) {
		why = nbd_get_reply(head, &reply);
		if (why)
			return remote_refuse(remote, "%s", why);
		if (!reply.structured || reply.cookie != nbd->cookie)
			return remote_refuse(remote, "a reply to another request");
		ret = remote_receive(remote, head + NBD_REPLY,
				     NBD_CHUNK - NBD_REPLY);
		if (ret)
			return ret;
		nbd_get_chunk(head, &reply);
		if (reply.type == NBD_CHUNK_DATA || reply.type == NBD_CHUNK_HOLE)
			ret = nbd_receive_data(remote, &reply, data, length,
					       offset, &count);
		else if (reply.type & NBD_CHUNK_ERROR && errors++ < REPLIES_MAX)
			ret = nbd_receive_error(remote, &reply, &err);
		else if (reply.type != NBD_CHUNK_NONE || reply.length ||
			 !reply.done)
			ret = remote_refuse(remote, "a reply of a kind that "
					    "is not known");
		if (ret)
			return ret;
		if (reply.done)
			break;
		ret = remote_receive(remote, head, NBD_REPLY);
		if (ret)
			return ret;
	}
	if (err)
		return nbd_fails(remote, err);
	/* Each byte must be there once; no chunk may cover another. */
	return count == length ? 0 :
	       remote_refuse(remote, "a reply with less than was asked for");
}

static int nbd_read(struct remote *remote, void *data, size_t length,
		    uint64_t offset)
{
	struct nbd *nbd = remote->state;
	uint8_t request[NBD_REQUEST], head[NBD_CHUNK];
	struct nbd_reply reply;
	const char *why;
	int ret;

	nbd_put_request(request, 0, NBD_CMD_READ, ++nbd->cookie, offset, length);
	ret = remote_send(remote, request, sizeof(request));
	if (!ret)
		ret = remote_receive(remote, head, NBD_REPLY);
	if (ret)
		return ret;
	why = nbd_get_reply(head, &reply);
	if (!why && reply.structured && !nbd->structured)
		why = "a structured reply that was not agreed on";
	if (!why && !reply.structured && nbd->structured)
		why = "a simple reply, though structured ones were agreed on";
	if (!why && reply.cookie != nbd->cookie)
		why = "a reply to another request";
	if (why)
		return remote_refuse(remote, "%s", why);
	if (reply.structured)
		return nbd_receive_chunks(remote, head, data, length, offset);
	if (reply.error)
		return nbd_fails(remote, reply.error);
	return remote_receive(remote, data, length);
}

static void nbd_leave(struct remote *remote)
{
	struct nbd *nbd = remote->state;
	uint8_t request[NBD_REQUEST];

	nbd_put_request(request, 0, NBD_CMD_DISC, ++nbd->cookie, 0, 0);
	remote_send(remote, request, sizeof(request));
}

const struct remote_kind nbd_kind = {
	.connect = nbd_connect,
	.read = nbd_read,
	.leave = nbd_leave,
	.state_size = sizeof(struct nbd),
};
