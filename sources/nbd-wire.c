// SPDX-License-Identifier: GPL-2.0
#include "sources/nbd-wire.h"

#include <errno.h>
#include <string.h>

#include "lib/big-endian.h"

#define OPTION_MAGIC UINT64_C(0x49484156454f5054)	/* IHAVEOPT */
#define OLD_MAGIC UINT64_C(0x00420281861253)
#define OPTION_REPLY_MAGIC UINT64_C(0x3e889045565a9)
#define REQUEST_MAGIC 0x25609513U
#define SIMPLE_MAGIC 0x67446698U
#define CHUNK_MAGIC 0x668e33efU

#define CHUNK_DONE 1U
#define INFO_EXPORT 0
#define INFO_BLOCK_SIZE 3
#define BLOCK_LEAST_MAX (64U << 10)

const char *nbd_get_hello(const uint8_t from[NBD_HELLO], uint16_t *flags)
{
	uint64_t magic = get_be64(from + 8);

	if (memcmp(from, "NBDMAGIC", 8))
		return "not a server of NBD";
	if (magic == OLD_MAGIC)
		return "the server knows only the old handshake of NBD, without "
		       "names of exports";
	if (magic != OPTION_MAGIC)
		return "not a handshake of NBD";
	*flags = get_be16(from + 16);
	if (!(*flags & NBD_FIXED_NEWSTYLE))
		return "the server does not know the fixed newstyle handshake of "
		       "NBD";
	return NULL;
}

void nbd_put_option(uint8_t to[NBD_OPTION], enum nbd_option option,
		    uint32_t length)
{
	put_be64(to, OPTION_MAGIC);
	put_be32(to + 8, option);
	put_be32(to + 12, length);
}

const char *nbd_get_option_reply(const uint8_t from[NBD_OPTION_REPLY],
				 enum nbd_option option,
				 struct nbd_option_reply *reply)
{
	if (get_be64(from) != OPTION_REPLY_MAGIC)
		return "garbage instead of a reply to an option";
	if (get_be32(from + 8) != option)
		return "a reply to another option";
	reply->type = get_be32(from + 12);
	reply->length = get_be32(from + 16);
	if (reply->length > NBD_OPTION_REPLY_MAX)
		return "a reply to an option of an impossible length";
	return NULL;
}

const char *nbd_option_error(uint32_t type)
{
	switch (type) {
	case NBD_REP_ERR_UNSUP: return "it does not know the option";
	case NBD_REP_ERR_POLICY: return "it is not allowed";
	case NBD_REP_ERR_INVALID: return "it calls the option invalid";
	case NBD_REP_ERR_PLATFORM: return "it cannot do that on its platform";
	case NBD_REP_ERR_TLS_REQD:
		return "it wants TLS; let a proxy on this machine do that, such "
		       "as stunnel";
	case NBD_REP_ERR_UNKNOWN: return "it has no such export";
	case NBD_REP_ERR_SHUTDOWN: return "it is shutting down";
	case NBD_REP_ERR_BLOCK_SIZE_REQD: return "it wants another block size";
	case NBD_REP_ERR_TOO_BIG: return "the option is too long for it";
	}
	return "an error that is not known";
}

const char *nbd_get_info(const uint8_t *from, uint32_t length,
			 struct nbd_export *export)
{
	uint16_t type;

	if (length < 2)
		return "a reply to an option that is too short";
	type = get_be16(from);
	if (type == INFO_EXPORT) {
		if (length != 2 + NBD_EXPORT)
			return "an export's size in a reply of a wrong length";
		nbd_get_export(from + 2, export);
	} else if (type == INFO_BLOCK_SIZE) {
		if (length != 14)
			return "block sizes in a reply of a wrong length";
		export->block = get_be32(from + 2);
		export->preferred = get_be32(from + 6);
		export->most = get_be32(from + 10);
		if (!export->block || !export->preferred || !export->most)
			return "a block size of 0";
	}
	return NULL;
}

void nbd_get_export(const uint8_t from[NBD_EXPORT], struct nbd_export *export)
{
	export->known = true;
	export->size = get_be64(from);
	export->flags = get_be16(from + 8);
}

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

const char *nbd_check_export(struct nbd_export *export)
{
	if (!export->known)
		return "the server does not say how large the export is";
	if (!export->block) {
		export->block = 1;
		export->preferred = 4096;
		export->most = NBD_MOST;
	}
	if (export->size > INT64_MAX)
		return "the server says an impossible size of the export";
	if (!is_power_of_two(export->block) ||
	    export->block > BLOCK_LEAST_MAX ||
	    !is_power_of_two(export->preferred) ||
	    export->preferred < export->block ||
	    export->most < export->block)
		return "the server says block sizes that make no sense";
	if (export->most != UINT32_MAX && export->most % export->block)
		return "the server says a largest request that is not of whole "
		       "blocks";
	if (export->size % export->block)
		return "the server says a size of the export that is not of whole "
		       "blocks";
	return NULL;
}

void nbd_put_request(uint8_t to[NBD_REQUEST], uint16_t flags,
		     enum nbd_command command, uint64_t cookie, uint64_t offset,
		     uint32_t length)
{
	put_be32(to, REQUEST_MAGIC);
	put_be16(to + 4, flags);
	put_be16(to + 6, command);
	put_be64(to + 8, cookie);
	put_be64(to + 16, offset);
	put_be32(to + 24, length);
}

const char *nbd_get_reply(const uint8_t from[NBD_REPLY],
			  struct nbd_reply *reply)
{
	uint32_t magic = get_be32(from);

	*reply = (struct nbd_reply){ .structured = magic == CHUNK_MAGIC };
	if (magic != SIMPLE_MAGIC && magic != CHUNK_MAGIC)
		return "garbage instead of a reply";
	reply->cookie = get_be64(from + 8);
	if (!reply->structured) {
		reply->done = true;
		reply->error = nbd_errno(get_be32(from + 4));
	}
	return NULL;
}

void nbd_get_chunk(const uint8_t from[NBD_CHUNK], struct nbd_reply *reply)
{
	reply->done = get_be16(from + 4) & CHUNK_DONE;
	reply->type = get_be16(from + 6);
	reply->length = get_be32(from + 16);
}

int nbd_errno(uint32_t error)
{
	switch (error) {
	case 0: return 0;
	case 1: return -EPERM;
	case 12: return -ENOMEM;
	case 22: return -EINVAL;
	case 28: return -ENOSPC;
	case 75: return -EOVERFLOW;
	case 95: return -EOPNOTSUPP;
	case 108: return -ESHUTDOWN;
	}
	return -EIO;
}
