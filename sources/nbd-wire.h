/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The messages of NBD, as bytes: makes what a client sends, and takes apart
 * what a server sends. Trusts no server. Knows no connection.
 */
#ifndef SOURCES_NBD_WIRE_H
#define SOURCES_NBD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The server's greeting, and what the client answers. */
#define NBD_HELLO 18
#define NBD_FIXED_NEWSTYLE 1U	/* of both flags */
#define NBD_NO_ZEROES 2U

/* Options, and a server's replies to them. */
#define NBD_OPTION 16
#define NBD_OPTION_REPLY 20
/* Bytes of its payload that we take. */
#define NBD_OPTION_REPLY_MAX (64U << 10)

enum nbd_option {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT = 2,
	NBD_OPT_GO = 7,
	NBD_OPT_STRUCTURED_REPLY = 8,
};

enum nbd_option_reply_type {
	NBD_REP_ACK = 1,
	NBD_REP_INFO = 3,
	NBD_REP_ERROR = 1U << 31,
	NBD_REP_ERR_UNSUP,
	NBD_REP_ERR_POLICY,
	NBD_REP_ERR_INVALID,
	NBD_REP_ERR_PLATFORM,
	NBD_REP_ERR_TLS_REQD,
	NBD_REP_ERR_UNKNOWN,
	NBD_REP_ERR_SHUTDOWN,
	NBD_REP_ERR_BLOCK_SIZE_REQD,
	NBD_REP_ERR_TOO_BIG,
};

struct nbd_option_reply {
	uint32_t type;
	uint32_t length;	/* bytes of the payload that follows */
};

/* What a server says of an export. */
struct nbd_export {
	bool known;		/* size and flags are there */
	uint64_t size;
	uint16_t flags;		/* NBD_FLAG_* */
	uint32_t block;		/* least size of a request, a power of two */
	uint32_t preferred;
	uint32_t most;		/* greatest size of a request with data */
};

#define NBD_FLAG_HAS_FLAGS (1U << 0)
#define NBD_FLAG_READ_ONLY (1U << 1)
#define NBD_FLAG_SEND_FLUSH (1U << 2)
#define NBD_FLAG_SEND_FUA (1U << 3)
#define NBD_FLAG_SEND_TRIM (1U << 5)
#define NBD_FLAG_SEND_WRITE_ZEROES (1U << 6)
#define NBD_FLAG_CAN_MULTI_CONN (1U << 8)
#define NBD_FLAG_SEND_FAST_ZERO (1U << 11)

/*
 * What EXPORT_NAME is answered with: this, and 124 zeroes without
 * NBD_NO_ZEROES.
 */
#define NBD_EXPORT 10
#define NBD_EXPORT_ZEROES 124U

/* What is said of a size if the server says nothing. */
#define NBD_MOST (32U << 20)

/* Requests and replies. */
#define NBD_REQUEST 28
#define NBD_REPLY 16		/* a simple one */
#define NBD_CHUNK 20		/* a structured reply */

enum nbd_command {
	NBD_CMD_READ = 0,
	NBD_CMD_WRITE = 1,
	NBD_CMD_DISC = 2,
	NBD_CMD_FLUSH = 3,
	NBD_CMD_TRIM = 4,
	NBD_CMD_WRITE_ZEROES = 6,
};

/* Flags of a request. */
#define NBD_CMD_FLAG_FUA (1U << 0)
#define NBD_CMD_FLAG_NO_HOLE (1U << 1)
#define NBD_CMD_FLAG_FAST_ZERO (1U << 4)

enum nbd_chunk_type {
	NBD_CHUNK_NONE = 0,
	NBD_CHUNK_DATA = 1,
	NBD_CHUNK_HOLE = 2,
	NBD_CHUNK_ERROR = 1 << 15,	/* and all beyond */
};

/* A reply to a request, or a chunk of one. */
struct nbd_reply {
	bool structured;	/* of NBD_CHUNK bytes in all */
	int error;		/* of a simple one: 0 or -errno */
	uint64_t cookie;
	bool done;		/* the last chunk of the reply */
	uint16_t type;
	uint32_t length;	/* bytes of the payload that follows */
};

/*
 * Takes apart the greeting. Sets *@flags, those of the server. Returns NULL, or
 * what is wrong with it.
 */
const char *nbd_get_hello(const uint8_t from[NBD_HELLO], uint16_t *flags);

/* Makes the head of an option with @length bytes of data. */
void nbd_put_option(uint8_t to[NBD_OPTION], enum nbd_option option,
		    uint32_t length);

/* Takes apart the head of a reply to @option. Returns as nbd_get_hello(). */
const char *nbd_get_option_reply(const uint8_t from[NBD_OPTION_REPLY],
				 enum nbd_option option,
				 struct nbd_option_reply *reply);

/* What an error means that a server replies to an option. */
const char *nbd_option_error(uint32_t type);

/*
 * Adds the @length bytes of an NBD_REP_INFO to @export, which begins with
 * zeroes; unknown ones add nothing. Returns as nbd_get_hello().
 */
const char *nbd_get_info(const uint8_t *from, uint32_t length,
			 struct nbd_export *export);

/* Sets size and flags of @export from the answer to EXPORT_NAME. */
void nbd_get_export(const uint8_t from[NBD_EXPORT], struct nbd_export *export);

/*
 * Checks all that was said of the export, and fills in what was not. Returns as
 * nbd_get_hello().
 */
const char *nbd_check_export(struct nbd_export *export);

/* Makes a request. */
void nbd_put_request(uint8_t to[NBD_REQUEST], uint16_t flags,
		     enum nbd_command command, uint64_t cookie, uint64_t offset,
		     uint32_t length);

/*
 * Takes apart the first NBD_REPLY bytes of a reply: all of a simple one. Of a
 * structured one nbd_get_chunk() takes all NBD_CHUNK. Returns as
 * nbd_get_hello().
 */
const char *nbd_get_reply(const uint8_t from[NBD_REPLY],
			  struct nbd_reply *reply);
void nbd_get_chunk(const uint8_t from[NBD_CHUNK], struct nbd_reply *reply);

/* The errno value, negative, of an error that a server replies to a request. */
int nbd_errno(uint32_t error);

#endif
