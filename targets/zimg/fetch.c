// SPDX-License-Identifier: GPL-2.0
#include "targets/zimg/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/message.h"
#include "targets/net/away.h"
#include "targets/net/process.h"

/* Bytes that are read ahead at most: each process has memory for two pieces. */
#define AHEAD (256U << 10)

struct fetching {
	struct remote remote;
	uint8_t *members;
	uint32_t member;	/* bytes of one */
	unsigned int timeout;	/* in ms; 0: none */
	unsigned int pause;
	struct away away;
};

/* The process. */

static int fetch_prepare(void *argument)
{
	struct fetching *fetching = argument;

	if (!remote_prepare(&fetching->remote))
		return 0;
	return message_fail(ENOMEM, "%s", fetching->remote.name);
}

/* What does not come back is an error at once; it may be there the next time. */
static int fetch_refused(struct fetching *fetching)
{
	const struct remote *remote = &fetching->remote;
	struct away *away = &fetching->away;

	if (strcmp(away->said, remote->why))
		message("%s: %s", remote->name, remote->why);
	memcpy(away->said, remote->why, sizeof(away->said));
	return FETCH_FAILED;
}

/* Reads until the server answers, or the time is over. */
static int fetch_read(struct fetching *fetching,
		      const struct fetch_asked *asked)
{
	const uint64_t since = clock_ms();
	int ret;

	for (;;) {
		ret = remote_read(&fetching->remote,
				  fetching->members +
				  (size_t)asked->number * fetching->member,
				  asked->length, asked->offset);
		if (ret == -ESTALE)
			return fetch_refused(fetching);
		if (ret != -ENOTCONN)
			break;
		if (fetching->timeout &&
		    clock_ms() - since >= fetching->timeout) {
			message("%s: no answer for %u seconds; a request fails",
				fetching->remote.name, fetching->timeout / 1000);
			return FETCH_FAILED;
		}
		away_failed(&fetching->away);
		away_pause(&fetching->away, &fetching->pause);
	}
	fetching->pause = 0;
	away_over(&fetching->away);
	return ret ? ret : (int)asked->length;
}

/* It ends when the other side is gone. */
static void fetch_run(void *argument)
{
	struct fetching *fetching = argument;
	struct fetch_asked asked;
	ssize_t n;

	for (;;) {
		struct fetch_answer answer = { 0 };

		n = read(NET_PROCESS_FD, &asked, sizeof(asked));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(asked))
			return;
		answer.number = asked.number;
		answer.result = fetch_read(fetching, &asked);
		do
			n = write(NET_PROCESS_FD, &answer, sizeof(answer));
		while (n < 0 && errno == EINTR);
		if (n != sizeof(answer))
			return;
	}
}

static void fetch_over(int number)
{
	const struct fetch_answer last = { .over = true };
	ssize_t n = write(NET_PROCESS_FD, &last, sizeof(last));

	(void)number;
	_exit(n == sizeof(last) ? EXIT_DONE : EXIT_FAILED);
}

static const struct net_process_kind fetch_kind = {
	.begin = fetch_prepare,
	.run = fetch_run,
	.over = fetch_over,
};

static int fetch_start_one(struct fetch *fetch, const struct fetching *common,
			   size_t size)
{
	struct fetching own = *common;

	fetch->members = mmap(NULL, size, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fetch->members == MAP_FAILED)
		return message_fail(errno, "%s", own.remote.name);
	fetch->members_size = size;
	own.members = fetch->members;
	own.away.remote = &own.remote;
	fetch->fd = net_process_start(&fetch_kind, &own);
	return fetch->fd < 0 ? fetch->fd : 0;
}

struct fetch *fetch_start(const struct remote *remote, unsigned int count,
			  size_t size, uint32_t member, unsigned int timeout,
			  int index)
{
	struct fetch *fetches = calloc(count, sizeof(*fetches));
	struct fetching common = {
		.remote = *remote,
		.member = member,
		.timeout = timeout * 1000,
		.away.look_up_fd = -1,
	};
	int err = 0;

	if (!fetches) {
		message_fail(ENOMEM, "%s", remote->name);
		return NULL;
	}
	common.remote.fd = -1;
	common.remote.patient = true;
	if (common.remote.most > AHEAD)
		common.remote.most = AHEAD;
	for (unsigned int i = 0; i < count; i++)
		fetches[i] = (struct fetch){
			.name = remote->name, .fd = -1, .index = index,
		};
	for (unsigned int i = 0; !err && i < count; i++)
		err = fetch_start_one(&fetches[i], &common, size);
	if (!err)
		return fetches;
	fetch_free(fetches, count);
	return NULL;
}

void fetch_free(struct fetch *fetches, unsigned int count)
{
	for (unsigned int i = 0; fetches && i < count; i++) {
		if (fetches[i].fd >= 0)
			close(fetches[i].fd);
		if (fetches[i].members_size)
			munmap(fetches[i].members, fetches[i].members_size);
	}
	free(fetches);
}

/* The queue's side. */

static void fetch_receive(struct fetch *fetch)
{
	struct io_uring_sqe *sqe = ublk_queue_sqe(fetch->queue,
						  &fetch->receive);

	sqe->opcode = IORING_OP_READ;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = fetch->index;
	sqe->addr = (uintptr_t)&fetch->answer;
	sqe->len = sizeof(fetch->answer);
	fetch->receiving = true;
}

/* The load is over, unless the ring still sends what was asked for. */
static void fetch_answer_load(struct zimg_load *load, int result)
{
	load->result = result;
	load->answered = true;
	if (load->sending)
		return;
	load->waits = false;
	load->completion.done(load->owner, &load->completion, result);
}

/* A load that waits, or NULL. */
static struct zimg_load *fetch_waiting(const struct fetch *fetch)
{
	for (unsigned int i = 0; i < fetch->count; i++)
		if (fetch->loads[i].waits && !fetch->loads[i].sending)
			return &fetch->loads[i];
	return NULL;
}

/* There are no answers any more: all that waits fails, and what comes. */
static void fetch_end(struct fetch *fetch)
{
	struct zimg_load *load;

	fetch->over = true;
	while ((load = fetch_waiting(fetch)))
		fetch_answer_load(load, FETCH_FAILED);
}

/* The process speaks with a server, and may be what that has made of it. */
static bool fetch_is_answer(const struct fetch *fetch,
			    const struct fetch_answer *answer)
{
	const struct zimg_load *load;

	if (answer->over)
		return true;
	if (answer->number >= fetch->count)
		return false;
	load = &fetch->loads[answer->number];
	return load->waits && !load->answered &&
	       (answer->result < 0 ||
		(uint32_t)answer->result == load->request.length);
}

static void fetch_received(struct ublk_queue *queue,
			   struct ublk_completion *completion, int result)
{
	struct fetch *fetch = (struct fetch *)((char *)completion -
				offsetof(struct fetch, receive));
	const struct fetch_answer answer = fetch->answer;
	struct zimg_load *load;

	(void)queue;
	fetch->receiving = false;
	if (result == -EINTR || result == -EAGAIN) {
		fetch_receive(fetch);
		return;
	}
	if (result != sizeof(answer) || !fetch_is_answer(fetch, &answer)) {
		/* Who follows this process starts another one. */
		message("%s: the process that reads it is gone",
			fetch->name);
		_exit(EXIT_FAILED);
	}
	if (answer.over) {
		fetch_end(fetch);
		return;
	}
	load = &fetch->loads[answer.number];
	fetch_answer_load(load, answer.result);
	if (!fetch->receiving && fetch_waiting(fetch))
		fetch_receive(fetch);
}

static void fetch_sent(struct ublk_queue *queue,
		       struct ublk_completion *completion, int result)
{
	struct zimg_load *load = (struct zimg_load *)((char *)completion -
				offsetof(struct zimg_load, asked));
	struct fetch *fetch = load->fetch;

	(void)queue;
	load->sending = false;
	if (load->answered)
		fetch_answer_load(load, load->result);
	else if (fetch->over)
		fetch_answer_load(load, FETCH_FAILED);
	else if (result == -EINTR || result == -EAGAIN)
		fetch_load(load);
	/* If it is gone, that is received next. */
	else if (!fetch->receiving)
		fetch_receive(fetch);
}

/* Before the first load: only now the ring is there. */
static void fetch_make_ready(struct fetch *fetch)
{
	int err;

	if (fetch->ready)
		return;
	fetch->ready = true;
	err = ublk_queue_replace_file(fetch->queue, fetch->index, fetch->fd);
	if (!err)
		return;
	/* What is asked for cannot be sent. */
	message_fail(err, "%s", fetch->name);
	fetch->over = true;
}

void fetch_load(struct zimg_load *load)
{
	struct fetch *fetch = load->fetch;
	struct io_uring_sqe *sqe;

	fetch_make_ready(fetch);
	load->request = (struct fetch_asked){
		.offset = load->chunk.file_offset + load->done,
		.length = load->chunk.file_length - load->done,
		.number = load - fetch->loads,
	};
	load->waits = load->sending = true;
	load->answered = false;
	sqe = ublk_queue_sqe(load->owner, &load->asked);
	sqe->opcode = IORING_OP_WRITE;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = fetch->index;
	sqe->addr = (uintptr_t)&load->request;
	sqe->len = sizeof(load->request);
}

void fetch_begin(struct fetch *fetch, struct ublk_queue *queue,
		 struct zimg_load *loads, unsigned int count)
{
	fetch->queue = queue;
	fetch->loads = loads;
	fetch->count = count;
	fetch->receive.done = fetch_received;
	for (unsigned int i = 0; i < count; i++) {
		loads[i].fetch = fetch;
		loads[i].asked.done = fetch_sent;
	}
}
