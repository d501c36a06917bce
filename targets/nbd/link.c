// SPDX-License-Identifier: GPL-2.0
/*
 * The connection of one queue. Requests are sent one after the other, as many
 * heads as there are with one write to the socket; replies come in any order.
 * One operation of the ring sends and one receives. While no request waits for
 * a reply, none receives: so an idle connection that the server closes costs
 * nothing, and keeps no queue from ending.
 *
 * When the connection is lost, both operations end first. Then all that was
 * sent and not answered is sent again on the next one, which the connector
 * makes. A server that has done a request twice has done the same twice: no
 * other request for the same place is on its way meanwhile, or its user does not
 * care which comes first.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/big-endian.h"
#include "lib/clock.h"
#include "lib/message.h"
#include "targets/nbd/nbd.h"

#define TAG_BITS 16	/* of a cookie; the rest counts what was sent */
#define SCRATCH 256	/* bytes of an error's text that are read at once */
#define CHUNK_AT 8	/* bytes before the data of a chunk */
#define HOLE_AT 12	/* bytes of a hole */
#define ERROR_LEAST 6	/* bytes of an error */
#define TICK_MS 100	/* the timer's least time */

/* What is received next. */
enum step {
	STEP_HEAD,	/* of a reply or a chunk, to @in */
	STEP_REST,	/* the rest of a chunk's head */
	STEP_DATA_AT,	/* where data of a chunk belongs */
	STEP_HOLE,	/* and a hole */
	STEP_ERROR,	/* which error */
	STEP_TEXT,	/* and its text, which is thrown away */
	STEP_DATA,	/* to the request's buffer */
};

struct nbd_link {
	struct nbd_disk *disk;
	struct ublk_queue *queue;
	struct nbd_request **requests;	/* [depth], by tag */
	unsigned int depth;
	atomic_int fd;			/* -1: no connection */
	bool lost;			/* its operations have to end */
	bool served;			/* the last one was of use, or is the first */
	bool structured;		/* replies on it */
	struct ublk_completion connected;	/* message of the receiver */
	/* With the disk's lock, as @queue: */
	bool asked;			/* the connector for a connection */
	bool handed;			/* the message is on its way */
	uint64_t sends;			/* requests that were sent */

	struct nbd_request *first;	/* to be sent */
	struct nbd_request **end;
	struct ublk_completion send;
	bool sending;
	uint8_t *out;			/* heads, [depth] */
	uint32_t out_length, out_done;
	struct nbd_request *data;	/* a WRITE whose data follows, or NULL */
	uint32_t data_done;

	struct ublk_completion receive;
	bool receiving;
	struct ublk_completion cancel;	/* of that */
	bool cancelling;
	unsigned int waiting;		/* requests that were sent */
	enum step step;
	uint8_t in[SCRATCH];
	char *to;
	uint32_t have, want;		/* bytes of this step */
	struct nbd_request *of;		/* the request of this reply */
	struct nbd_reply reply;
	uint32_t text;			/* bytes of the text that are left */

	struct ublk_completion timer;	/* only with a timeout */
	struct __kernel_timespec until;
	bool ticking;
};

static void link_send(struct nbd_link *link);
static void link_receive(struct nbd_link *link);
static void link_fail_old(struct nbd_link *link);
static void link_answer(struct nbd_link *link, struct nbd_request *state,
			int result);

static void link_add(struct nbd_link *link, struct nbd_request *state)
{
	state->next = NULL;
	*link->end = state;
	link->end = &state->next;
}

static struct nbd_request *link_take(struct nbd_link *link)
{
	struct nbd_request *state = link->first;

	link->first = state->next;
	if (!link->first)
		link->end = &link->first;
	return state;
}

/* There is no connection, and will be none for those that wait. */
static void link_fail(struct nbd_link *link)
{
	while (link->first)
		link_answer(link, link_take(link), -EIO);
}

/* Sets @asked. Returns what it was. */
static bool link_set_asked(struct nbd_link *link, bool asked)
{
	bool was;

	pthread_mutex_lock(&link->disk->lock);
	was = link->asked;
	link->asked = asked;
	if (!asked)
		link->handed = false;
	pthread_mutex_unlock(&link->disk->lock);
	return was;
}

/* Whether nobody will answer: the connector is gone, and it is not known yet. */
static bool link_stop_asking(struct nbd_link *link)
{
	bool stops;

	pthread_mutex_lock(&link->disk->lock);
	stops = link->asked && !link->handed;
	if (stops)
		link->asked = false;
	pthread_mutex_unlock(&link->disk->lock);
	return stops;
}

/* Asks for a connection, if there is anything to do on it. */
static void link_ask(struct nbd_link *link)
{
	if (!link->first || link_set_asked(link, true))
		return;
	if (connector_ask(&link->disk->connector, ublk_queue_id(link->queue),
			  link->served) && link_stop_asking(link))
		link_fail(link);
}

/* Both operations have ended: what was sent and not answered is sent again. */
static void link_again(struct nbd_link *link)
{
	struct nbd_request *rest = link->first;
	const int fd = link->fd;
	unsigned int tag;

	link->fd = -1;
	close(fd);
	link->lost = false;
	link->data = NULL;
	link->of = NULL;
	link->out_length = link->out_done = 0;
	link->waiting = 0;
	link->first = NULL;
	link->end = &link->first;
	for (tag = 0; tag < link->depth; tag++) {
		struct nbd_request *state = link->requests[tag];

		if (!state || !state->sent)
			continue;
		state->sent = false;
		link_add(link, state);
	}
	while (rest) {
		struct nbd_request *next = rest->next;

		link_add(link, rest);
		rest = next;
	}
	link_fail_old(link);
	link_ask(link);
}

/* What is received is of no more use; the connection is shut down to send only. */
static void link_cancel(struct nbd_link *link)
{
	struct io_uring_sqe *sqe = ublk_queue_sqe(link->queue, &link->cancel);

	link->cancelling = true;
	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->flags = IOSQE_FIXED_FILE;	/* as all must; there is no file */
	sqe->addr = (uintptr_t)&link->receive;
}

/*
 * The connection is of no more use. Its operations end, and the last one of them
 * goes on. The server may still do what it was asked for; the connector waits for
 * that before it makes the next connection.
 */
static void link_lose(struct nbd_link *link)
{
	if (!link->lost) {
		link->lost = true;
		shutdown(link->fd, SHUT_WR);
		if (link->receiving)
			link_cancel(link);
	}
	if (!link->sending && !link->receiving && !link->cancelling)
		link_again(link);
}

static void link_cancelled(struct ublk_queue *queue,
			   struct ublk_completion *self, int result)
{
	struct nbd_link *link = (struct nbd_link *)((char *)self -
				offsetof(struct nbd_link, cancel));

	(void)queue;
	(void)result;
	link->cancelling = false;
	link_lose(link);
}

/* The server is asked again only after a pause, whatever else it has answered. */
static void link_dismissed(struct nbd_link *link)
{
	link->served = false;
	link_lose(link);
}

/* The server does not keep to the protocol. */
static void link_refuse(struct nbd_link *link, const char *why)
{
	message("%s: %s", link->disk->uri, why);
	link_dismissed(link);
}

/* Goes on with whatever there is to do. */
static void link_go(struct nbd_link *link)
{
	if (link->lost)
		return;
	if (link->fd < 0) {
		link_ask(link);
		return;
	}
	if (!link->sending)
		link_send(link);
	if (!link->receiving && link->waiting && !link->lost)
		link_receive(link);
}

static void link_answer(struct nbd_link *link, struct nbd_request *state,
			int result)
{
	state->sent = false;
	state->waits = false;
	ublk_request_done(link->queue, state->request, result);
}

/* Answers with what the server has replied. */
static void link_pass_on(struct nbd_link *link, struct nbd_request *state)
{
	const struct ublk_request *request = state->request;
	const bool moves = request->op == UBLK_IO_OP_READ ||
			   request->op == UBLK_IO_OP_WRITE;

	link_answer(link, state, state->error ? state->error :
				 moves ? (int)request->length : 0);
}

/*
 * The reply to a request is complete. To a WRITE it may come while data is still
 * sent, if it is an error, or if the ring tells of the reply first; the data
 * stays until it is sent.
 */
static void link_replied(struct nbd_link *link, struct nbd_request *state,
			 int error)
{
	state->error = error;
	state->replied = true;
	link->waiting--;
	link->served = true;
	if (state != link->data)
		link_pass_on(link, state);
}

/* Time. */

static bool link_is_old(const struct nbd_link *link,
			const struct nbd_request *state, uint64_t now)
{
	return now - state->since >= link->disk->timeout * UINT64_C(1000);
}

/* Of the requests that are to be sent, those fail that have waited too long. */
static void link_fail_old(struct nbd_link *link)
{
	struct nbd_request *state = link->first, *next;
	unsigned int failed = 0;
	uint64_t now;

	if (!link->disk->timeout)
		return;
	now = clock_ms();
	link->first = NULL;
	link->end = &link->first;
	for (; state; state = next) {
		next = state->next;
		if (!link_is_old(link, state, now)) {
			link_add(link, state);
			continue;
		}
		link_answer(link, state, -EIO);
		failed++;
	}
	if (failed)
		message("%s: no answer for %u seconds; %u requests fail",
			link->disk->uri, link->disk->timeout, failed);
}

/* The oldest request that waits, or NULL. */
static const struct nbd_request *link_oldest(const struct nbd_link *link)
{
	const struct nbd_request *oldest = NULL;
	unsigned int tag;

	for (tag = 0; tag < link->depth; tag++) {
		const struct nbd_request *state = link->requests[tag];

		if (state && state->waits &&
		    (!oldest || state->since < oldest->since))
			oldest = state;
	}
	return oldest;
}

/*
 * Has the ring tell when the oldest request is too old. The end of the queue
 * does not wait for that.
 */
static void link_set_timer(struct nbd_link *link)
{
	const struct nbd_request *oldest;
	struct io_uring_sqe *sqe;
	uint64_t now, then;

	if (link->ticking || !link->disk->timeout)
		return;
	oldest = link_oldest(link);
	if (!oldest)
		return;
	now = clock_ms();
	then = oldest->since + link->disk->timeout * UINT64_C(1000);
	/* It may be so old already, and its connection about to end. */
	if (then < now + TICK_MS)
		then = now + TICK_MS;
	link->until.tv_sec = (then - now) / 1000;
	link->until.tv_nsec = (then - now) % 1000 * 1000000;
	link->ticking = true;
	sqe = ublk_queue_sqe(link->queue, &link->timer);
	ublk_queue_put(link->queue);
	sqe->opcode = IORING_OP_TIMEOUT;
	sqe->flags = IOSQE_FIXED_FILE;	/* as all must; there is no file */
	sqe->addr = (uintptr_t)&link->until;
	sqe->len = 1;
}

/*
 * A request that the server has can fail only when its connection has ended, so
 * that nothing comes for it any more.
 */
static void link_ticked(struct ublk_queue *queue, struct ublk_completion *self,
			int result)
{
	struct nbd_link *link = (struct nbd_link *)((char *)self -
				offsetof(struct nbd_link, timer));
	const struct nbd_request *oldest = link_oldest(link);

	(void)result;
	ublk_queue_get(queue);	/* undoes what link_set_timer() did */
	link->ticking = false;
	if (oldest && link_is_old(link, oldest, clock_ms())) {
		if (link->fd < 0)
			link_fail_old(link);
		else
			link_dismissed(link);
	}
	link_set_timer(link);
}

/* Sending. */

static uint16_t link_flags(const struct nbd_link *link,
			   const struct ublk_request *request)
{
	uint16_t flags = 0;

	if (request->op == UBLK_IO_OP_WRITE && request->flags & UBLK_IO_F_FUA)
		flags |= NBD_CMD_FLAG_FUA;
	if (request->op == UBLK_IO_OP_WRITE_ZEROES) {
		if (request->flags & UBLK_IO_F_NOUNMAP)
			flags |= NBD_CMD_FLAG_NO_HOLE;
		/* If that is not fast, the kernel writes zeroes by itself. */
		if (link->disk->export.flags & NBD_FLAG_SEND_FAST_ZERO)
			flags |= NBD_CMD_FLAG_FAST_ZERO;
	}
	return flags;
}

static enum nbd_command link_command(const struct ublk_request *request)
{
	switch (request->op) {
	case UBLK_IO_OP_WRITE:
		return NBD_CMD_WRITE;
	case UBLK_IO_OP_FLUSH:
		return NBD_CMD_FLUSH;
	case UBLK_IO_OP_DISCARD:
		return NBD_CMD_TRIM;
	case UBLK_IO_OP_WRITE_ZEROES:
		return NBD_CMD_WRITE_ZEROES;
	default:
		return NBD_CMD_READ;
	}
}

/* Puts the head of a request after those that are there. */
static void link_put_head(struct nbd_link *link, struct nbd_request *state)
{
	const struct ublk_request *request = state->request;
	const bool flush = request->op == UBLK_IO_OP_FLUSH;

	state->cookie = ++link->sends << TAG_BITS | request->tag;
	state->got = 0;
	state->error = 0;
	state->replied = false;
	state->sent = true;
	link->waiting++;
	nbd_put_request(link->out + link->out_length, link_flags(link, request),
			link_command(request), state->cookie,
			flush ? 0 : link->disk->offset + request->offset,
			flush ? 0 : request->length);
	link->out_length += NBD_REQUEST;
}

/*
 * Sends what is left of the heads, and then of the data of the last one. If
 * there is nothing left, takes the next requests: up to a WRITE, whose data
 * follows its head, or all.
 */
static void link_send(struct nbd_link *link)
{
	struct io_uring_sqe *sqe;

	if (link->out_done == link->out_length && !link->data) {
		link->out_done = link->out_length = 0;
		link->data_done = 0;
		while (link->first && !link->data &&
		       link->out_length < link->depth * NBD_REQUEST) {
			struct nbd_request *state = link_take(link);

			link_put_head(link, state);
			if (state->request->op == UBLK_IO_OP_WRITE)
				link->data = state;
		}
		if (!link->out_length)
			return;
	}
	link->sending = true;
	sqe = ublk_queue_sqe(link->queue, &link->send);
	if (link->out_done < link->out_length) {
		sqe->opcode = IORING_OP_WRITE;
		sqe->addr = (uintptr_t)(link->out + link->out_done);
		sqe->len = link->out_length - link->out_done;
	} else {
		const struct ublk_request *request = link->data->request;

		ublk_queue_transfer(link->queue, sqe, true,
				    (char *)request->data + link->data_done,
				    request->length - link->data_done);
	}
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = link->disk->index;
}

static struct nbd_link *link_of_send(struct ublk_completion *send)
{
	return (struct nbd_link *)((char *)send - offsetof(struct nbd_link, send));
}

static void link_sent(struct ublk_queue *queue, struct ublk_completion *self,
		      int result)
{
	struct nbd_link *link = link_of_send(self);

	(void)queue;
	link->sending = false;
	if (link->lost || (result <= 0 && result != -EINTR && result != -EAGAIN)) {
		link_lose(link);
		return;
	}
	if (result > 0 && link->out_done < link->out_length) {
		link->out_done += result;
	} else if (result > 0) {
		struct nbd_request *state = link->data;

		link->data_done += result;
		if (link->data_done == state->request->length) {
			link->data = NULL;
			if (state->replied)
				link_pass_on(link, state);
		}
	}
	link_go(link);
}

/* Receiving. */

static void link_expect(struct nbd_link *link, enum step step, void *to,
			uint32_t bytes)
{
	link->step = step;
	link->to = to;
	link->have = 0;
	link->want = bytes;
}

static void link_expect_head(struct nbd_link *link)
{
	link->of = NULL;
	link_expect(link, STEP_HEAD, link->in, NBD_REPLY);
}

/* Receives the rest of this step. */
static void link_receive(struct nbd_link *link)
{
	struct io_uring_sqe *sqe = ublk_queue_sqe(link->queue, &link->receive);

	link->receiving = true;
	if (link->step == STEP_DATA) {
		ublk_queue_transfer(link->queue, sqe, false,
				    link->to + link->have,
				    link->want - link->have);
	} else {
		sqe->opcode = IORING_OP_READ;
		sqe->addr = (uintptr_t)(link->to + link->have);
		sqe->len = link->want - link->have;
	}
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = link->disk->index;
}

/* The request that a cookie belongs to, or NULL. */
static struct nbd_request *link_find(const struct nbd_link *link,
				     uint64_t cookie)
{
	unsigned int tag = cookie & ((1U << TAG_BITS) - 1);
	struct nbd_request *state = tag < link->depth ? link->requests[tag] : NULL;

	return state && state->sent && !state->replied &&
	       state->cookie == cookie ? state : NULL;
}

/* Each of these returns NULL, or what is wrong. */

static const char *link_got_head(struct nbd_link *link)
{
	const char *why = nbd_get_reply(link->in, &link->reply);
	struct nbd_request *state;

	if (why)
		return why;
	state = link_find(link, link->reply.cookie);
	if (!state)
		return "a reply to a request that was not made";
	/* Structured replies are for what reads. Others may have simple ones. */
	if (link->reply.structured ? !link->structured :
	    link->structured && state->request->op == UBLK_IO_OP_READ)
		return "a reply of another kind than was agreed on";
	link->of = state;
	if (link->reply.structured) {
		link_expect(link, STEP_REST, link->in + NBD_REPLY,
			    NBD_CHUNK - NBD_REPLY);
		return NULL;
	}
	if (link->reply.error == -ESHUTDOWN) {
		link_dismissed(link);
		return NULL;
	}
	if (!link->reply.error && state->request->op == UBLK_IO_OP_READ) {
		link_expect(link, STEP_DATA, state->request->data,
			    state->request->length);
		return NULL;
	}
	link_expect_head(link);
	link_replied(link, state, link->reply.error);
	return NULL;
}

/* A chunk is there. After the last one, the request is answered. */
static const char *link_got_chunk(struct nbd_link *link)
{
	struct nbd_request *state = link->of;
	const struct ublk_request *request = state->request;

	link_expect_head(link);
	if (!link->reply.done)
		return NULL;
	if (state->error == -ESHUTDOWN) {
		link_dismissed(link);
		return NULL;
	}
	if (!state->error && request->op == UBLK_IO_OP_READ &&
	    state->got != request->length)
		return "a reply with less than was asked for";
	link_replied(link, state, state->error);
	return NULL;
}

static const char *link_got_rest(struct nbd_link *link)
{
	struct nbd_reply *reply = &link->reply;
	const bool reads = link->of->request->op == UBLK_IO_OP_READ;

	nbd_get_chunk(link->in, reply);
	if (reply->type == NBD_CHUNK_NONE && !reply->length && reply->done)
		return link_got_chunk(link);
	if (reply->type == NBD_CHUNK_DATA && reads && reply->length > CHUNK_AT) {
		link_expect(link, STEP_DATA_AT, link->in, CHUNK_AT);
		return NULL;
	}
	if (reply->type == NBD_CHUNK_HOLE && reads && reply->length == HOLE_AT) {
		link_expect(link, STEP_HOLE, link->in, HOLE_AT);
		return NULL;
	}
	if (reply->type & NBD_CHUNK_ERROR && reply->length >= ERROR_LEAST &&
	    reply->length <= NBD_OPTION_REPLY_MAX) {
		link_expect(link, STEP_ERROR, link->in, ERROR_LEAST);
		return NULL;
	}
	return "a reply of a kind that is not known";
}

/*
 * Where @length bytes of a chunk belong, or NULL if they were not asked for.
 */
static char *link_place(struct nbd_link *link, uint32_t length)
{
	struct nbd_request *state = link->of;
	const struct ublk_request *request = state->request;
	uint64_t at = get_be64(link->in) - link->disk->offset - request->offset;

	if (!length || at > request->length || length > request->length - at ||
	    length > request->length - state->got)
		return NULL;
	state->got += length;
	return (char *)request->data + at;
}

static const char *link_got_place(struct nbd_link *link)
{
	const bool hole = link->step == STEP_HOLE;
	uint32_t length = hole ? get_be32(link->in + CHUNK_AT) :
				 link->reply.length - CHUNK_AT;
	char *to = link_place(link, length);

	if (!to)
		return "a reply with data that was not asked for";
	if (!hole) {
		link_expect(link, STEP_DATA, to, length);
		return NULL;
	}
	memset(to, 0, length);
	return link_got_chunk(link);
}

static const char *link_got_text(struct nbd_link *link)
{
	link->text -= link->want;
	if (!link->text)
		return link_got_chunk(link);
	link_expect(link, STEP_TEXT, link->in,
		    link->text < SCRATCH ? link->text : SCRATCH);
	return NULL;
}

static const char *link_got_error(struct nbd_link *link)
{
	int error = nbd_errno(get_be32(link->in));

	link->of->error = error ? error : -EIO;
	link->text = link->reply.length;
	return link_got_text(link);
}

static const char *link_got_data(struct nbd_link *link)
{
	struct nbd_request *state = link->of;

	if (link->structured)
		return link_got_chunk(link);
	link_expect_head(link);
	link_replied(link, state, 0);
	return NULL;
}

static const char *link_got(struct nbd_link *link)
{
	switch (link->step) {
	case STEP_HEAD:
		return link_got_head(link);
	case STEP_REST:
		return link_got_rest(link);
	case STEP_DATA_AT:
	case STEP_HOLE:
		return link_got_place(link);
	case STEP_ERROR:
		return link_got_error(link);
	case STEP_TEXT:
		return link_got_text(link);
	case STEP_DATA:
		return link_got_data(link);
	}
	return NULL;
}

static struct nbd_link *link_of_receive(struct ublk_completion *receive)
{
	return (struct nbd_link *)((char *)receive -
				   offsetof(struct nbd_link, receive));
}

static void link_received(struct ublk_queue *queue, struct ublk_completion *self,
			  int result)
{
	struct nbd_link *link = link_of_receive(self);
	const char *why = NULL;

	(void)queue;
	link->receiving = false;
	if (link->lost || (result <= 0 && result != -EINTR && result != -EAGAIN)) {
		link_lose(link);
		return;
	}
	if (result > 0) {
		link->have += result;
		if (link->have == link->want)
			why = link_got(link);
	}
	if (why)
		link_refuse(link, why);
	link_go(link);
}

/* A connection; or none, if it was lost on its way here or there are no more. */
static void link_connected(struct ublk_queue *queue,
			   struct ublk_completion *self, int result)
{
	struct nbd_link *link = (struct nbd_link *)((char *)self -
				offsetof(struct nbd_link, connected));

	link_set_asked(link, false);
	link->served = false;
	if (result >= 0 &&
	    ublk_queue_replace_file(queue, link->disk->index, result)) {
		close(result);
		result = -1;
	}
	link->fd = result;
	if (result >= 0)
		link_expect_head(link);
	/* nbd_links_over() may not have seen this one. */
	if (result >= 0 && link->disk->over)
		shutdown(result, SHUT_RDWR);
	link_go(link);
}

/*
 * The queue may have ended, if its requests have failed meanwhile. It reads what
 * is set here after it has got the message.
 */
void nbd_link_connected(struct nbd_disk *disk, const struct connected *answer)
{
	struct nbd_link *link = &disk->links[answer->asked];

	pthread_mutex_lock(&disk->lock);
	if (link->queue) {
		link->structured = answer->structured;
		link->handed = true;
		ublk_queue_send(link->queue, &link->connected, answer->fd);
	} else if (answer->fd >= 0) {
		close(answer->fd);
	}
	pthread_mutex_unlock(&disk->lock);
}

void nbd_links_over(struct nbd_disk *disk)
{
	unsigned int i;

	disk->over = true;
	for (i = 0; i < disk->count; i++) {
		struct nbd_link *link = &disk->links[i];
		int fd = link->fd;

		/* If it was closed just now, nothing else has its number. */
		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
		pthread_mutex_lock(&disk->lock);
		if (link->queue && link->asked && !link->handed) {
			link->handed = true;
			ublk_queue_send(link->queue, &link->connected, -1);
		}
		pthread_mutex_unlock(&disk->lock);
	}
}

int nbd_submit(struct ublk_queue *queue, struct ublk_request *request)
{
	struct nbd_disk *disk = ublk_device_data(ublk_queue_device(queue));
	struct nbd_link *link = &disk->links[ublk_queue_id(queue)];
	struct nbd_request *state = request->state;

	switch (request->op) {
	case UBLK_IO_OP_READ:
	case UBLK_IO_OP_WRITE:
	case UBLK_IO_OP_FLUSH:
	case UBLK_IO_OP_DISCARD:
	case UBLK_IO_OP_WRITE_ZEROES:
		break;
	default:
		return -EOPNOTSUPP;
	}
	state->request = request;
	state->waits = true;
	link->requests[request->tag] = state;
	if (disk->timeout)
		state->since = clock_ms();
	link_add(link, state);
	link_go(link);
	link_set_timer(link);
	return UBLK_LATER;
}

int nbd_links_alloc(struct nbd_disk *disk, struct ublk_device *device)
{
	const unsigned int depth = ublk_device_depth(device);
	unsigned int i;

	disk->count = ublk_device_queues(device);
	disk->links = calloc(disk->count, sizeof(*disk->links));
	if (!disk->links)
		return -ENOMEM;
	for (i = 0; i < disk->count; i++) {
		struct nbd_link *link = &disk->links[i];

		link->disk = disk;
		link->depth = depth;
		link->fd = -1;
		link->served = true;
		link->end = &link->first;
		link->send.done = link_sent;
		link->receive.done = link_received;
		link->connected.done = link_connected;
		link->timer.done = link_ticked;
		link->cancel.done = link_cancelled;
		link->requests = calloc(depth, sizeof(*link->requests));
		link->out = malloc(depth * NBD_REQUEST);
		if (!link->requests || !link->out)
			return -ENOMEM;
	}
	return 0;
}

void nbd_links_free(struct nbd_disk *disk)
{
	unsigned int i;

	for (i = 0; disk->links && i < disk->count; i++) {
		free(disk->links[i].requests);
		free(disk->links[i].out);
	}
	free(disk->links);
	disk->links = NULL;
}

void nbd_link_begin(struct nbd_disk *disk, struct ublk_queue *queue)
{
	disk->links[ublk_queue_id(queue)].queue = queue;
}

void nbd_link_end(struct nbd_disk *disk, struct ublk_queue *queue)
{
	struct nbd_link *link = &disk->links[ublk_queue_id(queue)];
	uint8_t bye[NBD_REQUEST];

	pthread_mutex_lock(&disk->lock);
	link->queue = NULL;
	if (link->handed && link->connected.result >= 0)
		close(link->connected.result);
	link->handed = false;
	pthread_mutex_unlock(&disk->lock);
	if (link->fd < 0)
		return;
	/* If it cannot be sent, the server knows. */
	nbd_put_request(bye, 0, NBD_CMD_DISC, 0, 0, 0);
	if (!link->lost && !link->waiting)
		write(link->fd, bye, sizeof(bye));
	close(link->fd);
	link->fd = -1;
}
