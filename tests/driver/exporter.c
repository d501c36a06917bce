// SPDX-License-Identifier: GPL-2.0
/*
 * A good server of NBD, for the board: exports one file on an address of the
 * board itself, by any name, to any number of connections. It answers requests
 * that came together in the opposite order, and a read with structured replies in
 * two chunks, the second one first, or with holes where there are zeroes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/big-endian.h"
#include "liar.h"

static const char usage[] =
"Usage: exporter [--simple] [--plain] [--tell] [--at ADDRESS] PORT FILE\n"
"\n"
"  --simple      no structured replies\n"
"  --plain       nothing but reading and writing: no FLUSH, FUA, trim, zeroes\n"
"  --tell        print a line for each request: type, offset, length, flags\n"
"  --at ADDRESS  where it listens (127.0.0.1)\n"
"\n"
"Prints a line when it listens, and serves until it is killed. After SIGUSR1 it\n"
"answers nothing until 16 requests have come on one connection. After SIGUSR2 it\n"
"does the next write late: prints `late`, and after seconds, when it is done,\n"
"`done`. Other connections do not wait for that.\n";

#define MOST (1U << 20)		/* bytes of a request */
#define TOGETHER 8		/* requests that are answered together */
#define HELD 16			/* after SIGUSR1 */
#define LATE_SECONDS 6		/* after SIGUSR2 */

enum { READ, WRITE, DISC, FLUSH, TRIM, ZEROES = 6 };
enum { FUA = 1, NO_HOLE = 2 };

static bool simple, plain, tell;
static atomic_uint held;	/* how many must come first */
/* Whether the next write is. Not of a byte: riscv64 has no exchange of one. */
static atomic_uint late;
static int file;
static uint64_t size;

struct request {
	uint16_t flags, type;
	uint8_t cookie[8];
	uint64_t offset;
	uint32_t length;
	int error;
	uint8_t *data;
};

bool liar_send(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += n;
		length -= n;
	}
	return true;
}

bool liar_receive(int fd, void *data, size_t length)
{
	char *at = data;

	while (length) {
		ssize_t n = recv(fd, at, length, 0);

		if (n <= 0)
			return false;
		at += n;
		length -= n;
	}
	return true;
}

static bool option_reply(int fd, uint32_t option, uint32_t type,
			 const void *data, uint32_t length)
{
	uint8_t head[20];

	put_be64(head, UINT64_C(0x3e889045565a9));
	put_be32(head + 8, option);
	put_be32(head + 12, type);
	put_be32(head + 16, length);
	return liar_send(fd, head, sizeof(head)) && liar_send(fd, data, length);
}

static bool reply_go(int fd)
{
	uint8_t export[12] = { 0 }, block[14] = { 0 };

	put_be64(export + 2, size);
	/* has flags, FLUSH, FUA, trim, zeroes, several connections */
	put_be16(export + 10, plain ? 1 : 1 | 4 | 8 | 32 | 64 | 256);
	put_be16(block, 3);
	put_be32(block + 2, 512);
	put_be32(block + 6, 4096);
	put_be32(block + 10, MOST);
	return option_reply(fd, 7, 3, export, 12) &&
	       option_reply(fd, 7, 3, block, 14) &&
	       option_reply(fd, 7, 1, "", 0);
}

static bool handshake(int fd, bool *structured)
{
	uint8_t hello[18] = "NBDMAGICIHAVEOPT", answer[4], head[16], data[8192];

	put_be16(hello + 16, 3);
	if (!liar_send(fd, hello, sizeof(hello)) ||
	    !liar_receive(fd, answer, sizeof(answer)))
		return false;
	for (;;) {
		uint32_t option, length;

		if (!liar_receive(fd, head, sizeof(head)))
			return false;
		option = get_be32(head + 8);
		length = get_be32(head + 12);
		if (length > sizeof(data) || !liar_receive(fd, data, length))
			return false;
		if (option == 7)
			return reply_go(fd);
		if (option == 8 && !simple)
			*structured = true;
		if (!option_reply(fd, option, option == 8 && !simple ?
				  1 : 0x80000001U, "", 0))
			return false;
	}
}

static bool receive_request(int fd, struct request *request)
{
	uint8_t head[28];

	if (!liar_receive(fd, head, sizeof(head)) ||
	    get_be32(head) != 0x25609513U)
		return false;
	request->flags = get_be16(head + 4);
	request->type = get_be16(head + 6);
	memcpy(request->cookie, head + 8, 8);
	request->offset = get_be64(head + 16);
	request->length = get_be32(head + 24);
	request->error = 0;
	if (request->type == DISC)
		return false;
	if (request->offset > size || request->length > size - request->offset)
		request->error = EINVAL;
	if (request->type > WRITE)
		return true;
	if (request->length > MOST || request->error)
		return false;
	return request->type != WRITE ||
	       liar_receive(fd, request->data, request->length);
}

static int free_range(const struct request *request, int mode)
{
	return fallocate(file, mode | FALLOC_FL_KEEP_SIZE, request->offset,
			 request->length) ? errno : 0;
}

static ssize_t write_late(const struct request *request)
{
	ssize_t n;

	puts("late");
	sleep(LATE_SECONDS);
	n = pwrite(file, request->data, request->length, request->offset);
	puts("done");
	return n;
}

static void execute(struct request *request)
{
	ssize_t n = 0;

	if (tell)
		printf("type %u at %llu length %u flags %u\n", request->type,
		       (unsigned long long)request->offset, request->length,
		       request->flags);
	switch (request->type) {
	case READ:
		n = pread(file, request->data, request->length, request->offset);
		break;
	case WRITE:
		n = atomic_exchange(&late, 0) ? write_late(request) :
		    pwrite(file, request->data, request->length,
			   request->offset);
		break;
	case FLUSH:
		request->error = fdatasync(file) ? EIO : 0;
		return;
	case TRIM:
	case ZEROES:
		request->error = request->type == ZEROES &&
				 request->flags & NO_HOLE ?
			free_range(request, FALLOC_FL_ZERO_RANGE) :
			free_range(request, FALLOC_FL_PUNCH_HOLE);
		if (request->error == EOPNOTSUPP)
			request->error = free_range(request,
						    FALLOC_FL_PUNCH_HOLE);
		return;
	default:
		request->error = EINVAL;
		return;
	}
	if (n != (ssize_t)request->length)
		request->error = EIO;
	else if (request->flags & FUA && fdatasync(file))
		request->error = EIO;
}

static bool send_chunk(int fd, const struct request *request, bool done,
		       uint16_t type, const void *head, uint32_t head_length,
		       const void *data, uint32_t length)
{
	uint8_t chunk[20];

	put_be32(chunk, 0x668e33efU);
	put_be16(chunk + 4, done);
	put_be16(chunk + 6, type);
	memcpy(chunk + 8, request->cookie, 8);
	put_be32(chunk + 16, head_length + length);
	return liar_send(fd, chunk, sizeof(chunk)) &&
	       liar_send(fd, head, head_length) && liar_send(fd, data, length);
}

static bool send_part(int fd, const struct request *request, bool done,
		      uint32_t from, uint32_t length)
{
	static const uint8_t zeroes[MOST];
	uint8_t head[12];

	put_be64(head, request->offset + from);
	put_be32(head + 8, length);
	if (!memcmp(request->data + from, zeroes, length))
		return send_chunk(fd, request, done, 2, head, 12, "", 0);
	return send_chunk(fd, request, done, 1, head, 8, request->data + from,
			  length);
}

static bool reply(int fd, const struct request *request, bool structured)
{
	const uint32_t half = request->length / 1024 * 512;
	uint8_t head[16], error[9] = { 0 };

	if (!structured) {
		put_be32(head, 0x67446698U);
		put_be32(head + 4, request->error);
		memcpy(head + 8, request->cookie, 8);
		return liar_send(fd, head, sizeof(head)) &&
		       (request->type != READ || request->error ||
			liar_send(fd, request->data, request->length));
	}
	if (request->error) {
		put_be32(error, request->error);
		put_be16(error + 4, 3);
		memcpy(error + 6, "bad", 3);
		return send_chunk(fd, request, true, 0x8001, error,
				  sizeof(error), "", 0);
	}
	if (request->type != READ)
		return send_chunk(fd, request, true, 0, "", 0, "", 0);
	return (!half || send_part(fd, request, false, half,
				   request->length - half)) &&
	       send_part(fd, request, true, 0, half ? half : request->length);
}

static void *serve(void *argument)
{
	const int fd = (intptr_t)argument;
	struct request requests[HELD];
	struct pollfd more = { .fd = fd, .events = POLLIN };
	bool structured = false, good;
	unsigned int count, least, i;

	for (i = 0; i < HELD; i++)
		requests[i].data = malloc(MOST);
	good = handshake(fd, &structured);
	while (good) {
		count = least = 0;
		do {
			good = receive_request(fd, &requests[count]);
			if (good && !count)
				least = atomic_exchange(&held, 0);
			if (good)
				execute(&requests[count++]);
		} while (good && (count < least ||
				  (count < TOGETHER && poll(&more, 1, 0) > 0)));
		while (good && count)
			good = reply(fd, &requests[--count], structured);
	}
	for (i = 0; i < HELD; i++)
		free(requests[i].data);
	close(fd);
	return NULL;
}

static void signalled(int number)
{
	if (number == SIGUSR1)
		atomic_store(&held, HELD);
	else
		atomic_store(&late, 1);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = signalled, .sa_flags = SA_RESTART };
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1, listening;
	pthread_t thread;
	struct stat st;

	for (; argc > 1 && !strncmp(argv[1], "--", 2); argc--, argv++) {
		simple |= !strcmp(argv[1], "--simple");
		plain |= !strcmp(argv[1], "--plain");
		tell |= !strcmp(argv[1], "--tell");
		if (!strcmp(argv[1], "--at") && argc > 2) {
			address.sin_addr.s_addr = inet_addr(argv[2]);
			argc--;
			argv++;
		}
	}
	if (argc != 3) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	file = open(argv[2], O_RDWR);
	if (file < 0 || fstat(file, &st)) {
		perror(argv[2]);
		return 1;
	}
	size = st.st_size;
	address.sin_port = htons(atoi(argv[1]));
	listening = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listening, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listening, 16)) {
		perror("exporter");
		return 1;
	}
	puts("listens");
	for (;;) {
		int fd = accept(listening, NULL, NULL);

		if (fd >= 0 && pthread_create(&thread, NULL, serve,
					      (void *)(intptr_t)fd))
			close(fd);
		else if (fd >= 0)
			pthread_detach(thread);
	}
}
