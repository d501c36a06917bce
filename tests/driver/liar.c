// SPDX-License-Identifier: GPL-2.0
/*
 * Usage: liar nbd|http LIE FILE
 *
 * A server that lies: it serves FILE on 127.0.0.1, by NBD or HTTP, in a way
 * that LIE chooses (liar-nbd.c and liar-http.c have them; `none` is a good
 * server). Prints its port, and serves one connection after the other until it
 * is killed.
 */
#include "liar.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool liar_is(const struct liar *liar, const char *lie)
{
	return !strcmp(liar->lie, lie);
}

bool liar_send(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = write(fd, at, length);

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
		ssize_t n = read(fd, at, length);

		if (n <= 0)
			return false;
		at += n;
		length -= n;
	}
	return true;
}

static int liar_listen(unsigned int *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) ||
	    listen(fd, 16) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		return -1;
	*port = ntohs(address.sin_port);
	return fd;
}

int main(int argc, char **argv)
{
	struct liar liar = { };
	struct stat st;
	int file, listening;

	if (argc != 4 || (strcmp(argv[1], "nbd") && strcmp(argv[1], "http"))) {
		fprintf(stderr, "Usage: liar nbd|http LIE FILE\n");
		return 2;
	}
	liar.lie = argv[2];
	file = open(argv[3], O_RDONLY);
	if (file < 0 || fstat(file, &st)) {
		perror(argv[3]);
		return 1;
	}
	liar.size = st.st_size;
	liar.data = mmap(NULL, liar.size, PROT_READ, MAP_SHARED, file, 0);
	listening = liar_listen(&liar.port);
	if (liar.data == MAP_FAILED || listening < 0) {
		perror("liar");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	printf("%u\n", liar.port);
	fflush(stdout);
	for (;;) {
		int fd = accept(listening, NULL, NULL);

		if (fd < 0)
			continue;
		liar.connections++;
		if (strcmp(argv[1], "nbd"))
			liar_http(&liar, fd);
		else
			liar_nbd(&liar, fd);
		close(fd);
	}
}
