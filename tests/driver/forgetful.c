// SPDX-License-Identifier: GPL-2.0
/*
 * A disk that forgets, for QEMU (it is an NBD server). Writes stay in its
 * memory until a FLUSH. When the client disconnects, the power is off: of the
 * writes that no FLUSH covers, none, some, or some sectors get into the image.
 * So a missing FLUSH shows. An image in the host's page cache would hide it.
 *
 * It serves one client, one request at a time, and is only as fast as a disk: a
 * FLUSH takes a while and covers what was answered before it came, and one
 * write in four is answered after the next request.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nbd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SECTOR 512
#define REQUEST_MAX (32u << 20)	/* QEMU's limit */
#define HELD_MS 2		/* a write waits for the next request */
#define FLUSH_MS 3		/* longest time of a FLUSH */

static const char usage[] =
"Usage: forgetful [--lie] SOCKET IMAGE SEED\n"
"\n"
"Serves IMAGE on the Unix socket to one client. When that is gone it says how many\n"
"of the sectors that were written and not flushed are lost, and ends.\n"
"\n"
"  --lie  answer FLUSH and do nothing; when the client is gone all is lost\n"
"\n"
"Exit status: 0, 1 failed, 2 wrong usage.\n";

/* The first greeting of NBD, which the client does not answer. */
struct greeting {
	uint64_t magic;
	uint64_t style;
	uint64_t size;
	uint32_t flags;
	char reserved[124];
} __attribute__((packed));

#define GREETING_MAGIC 0x4e42444d41474943ULL
#define GREETING_STYLE 0x0000420281861253ULL

struct write {
	struct write *next;	/* the next younger one */
	struct nbd_request request;
	uint64_t offset;
	uint32_t length;
	char data[];
};

struct disk {
	int client;
	int image;
	uint64_t size;
	uint64_t random;
	bool lies;
	char *view;		/* what a READ returns: a private mapping */
	struct write *cache;	/* answered but not flushed, oldest first */
	struct write **cache_end;
	struct write *held;	/* received but not answered */
};

static void die(const char *what)
{
	fprintf(stderr, "forgetful: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* splitmix64 */
static uint64_t draw(struct disk *disk)
{
	uint64_t z = disk->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Both return false when the client has disconnected: then the power is cut. */
static bool receive(struct disk *disk, void *data, size_t length)
{
	char *at = data;
	ssize_t got;

	for (; length; at += got, length -= got) {
		got = read(disk->client, at, length);
		if (got <= 0)
			return false;
	}
	return true;
}

static bool say(struct disk *disk, const void *data, size_t length)
{
	const char *at = data;
	ssize_t put;

	for (; length; at += put, length -= put) {
		put = write(disk->client, at, length);
		if (put < 0)
			return false;
	}
	return true;
}

static bool answer(struct disk *disk, const struct nbd_request *request,
		   int error)
{
	struct nbd_reply reply = {
		.magic = htonl(NBD_REPLY_MAGIC),
		.error = htonl(error),
	};

	memcpy(reply.handle, request->handle, sizeof(reply.handle));
	return say(disk, &reply, sizeof(reply));
}

static void keep(struct disk *disk, const struct write *write, uint32_t from,
		 uint32_t length)
{
	if (pwrite(disk->image, write->data + from, length,
		   write->offset + from) != (ssize_t)length)
		die("the image");
}

/* Moves the write to the cache. */
static void take(struct disk *disk, struct write *write)
{
	memcpy(disk->view + write->offset, write->data, write->length);
	*disk->cache_end = write;
	disk->cache_end = &write->next;
}

static void empty_cache(struct disk *disk)
{
	struct write *write;

	while ((write = disk->cache)) {
		disk->cache = write->next;
		free(write);
	}
	disk->cache_end = &disk->cache;
}

static bool finish_held(struct disk *disk)
{
	struct write *write = disk->held;

	disk->held = NULL;
	take(disk, write);
	return answer(disk, &write->request, 0);
}

static bool on_read(struct disk *disk, const struct nbd_request *request,
		    uint64_t offset, uint32_t length)
{
	return answer(disk, request, 0) &&
	       say(disk, disk->view + offset, length);
}

static bool on_write(struct disk *disk, const struct nbd_request *request,
		     uint64_t offset, uint32_t length)
{
	struct write *write = malloc(sizeof(*write) + length);

	if (!write)
		die("memory");
	*write = (struct write){
		.request = *request, .offset = offset, .length = length,
	};
	if (!receive(disk, write->data, length)) {
		free(write);
		return false;
	}
	if (!disk->held && draw(disk) % 4 == 0) {
		disk->held = write;
		return true;
	}
	take(disk, write);
	return answer(disk, request, 0);
}

/* Nothing is safe before the FLUSH ends: the power may fail during it. */
static bool on_flush(struct disk *disk, const struct nbd_request *request)
{
	struct pollfd power = { .fd = disk->client };
	const struct write *write;

	if (disk->lies)
		return answer(disk, request, 0);
	if (poll(&power, 1, 1 + draw(disk) % FLUSH_MS))
		return false;
	for (write = disk->cache; write; write = write->next)
		keep(disk, write, 0, write->length);
	empty_cache(disk);
	return answer(disk, request, 0);
}

static bool serve_one(struct disk *disk)
{
	struct nbd_request request;
	struct write *held = disk->held;
	uint64_t offset;
	uint32_t length;
	bool going;

	if (!receive(disk, &request, sizeof(request)) ||
	    request.magic != htonl(NBD_REQUEST_MAGIC))
		return false;
	offset = be64toh(request.from);
	length = ntohl(request.len);
	if (length > REQUEST_MAX || offset > disk->size ||
	    length > disk->size - offset)
		return false;
	switch (ntohl(request.type)) {
	case NBD_CMD_READ:
		going = on_read(disk, &request, offset, length);
		break;
	case NBD_CMD_WRITE:
		going = on_write(disk, &request, offset, length);
		break;
	case NBD_CMD_FLUSH:
		going = on_flush(disk, &request);
		break;
	case NBD_CMD_DISC:
		return false;
	default:
		going = answer(disk, &request, EINVAL);
	}
	return going && (!held || finish_held(disk));
}

static void serve(struct disk *disk)
{
	const struct greeting greeting = {
		.magic = htobe64(GREETING_MAGIC),
		.style = htobe64(GREETING_STYLE),
		.size = htobe64(disk->size),
		.flags = htonl(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH),
	};
	struct pollfd readable = { .fd = disk->client, .events = POLLIN };
	bool going = say(disk, &greeting, sizeof(greeting));

	while (going) {
		if (disk->held && !poll(&readable, 1, HELD_MS))
			going = finish_held(disk);
		else
			going = serve_one(disk);
	}
}

/* Decides what becomes of the writes that no FLUSH covers. */
static void cut_power(struct disk *disk)
{
	enum { NOTHING, WRITES, SECTORS } kept = draw(disk) % 3;
	unsigned int sectors = 0, lost = 0;
	const struct write *write;
	uint32_t from, piece;

	if (disk->lies)
		kept = NOTHING;
	if (disk->held)
		take(disk, disk->held);
	for (write = disk->cache; write; write = write->next) {
		piece = kept == SECTORS ? SECTOR : write->length;
		for (from = 0; from < write->length; from += piece) {
			sectors += piece / SECTOR;
			if (kept == NOTHING || draw(disk) % 2)
				lost += piece / SECTOR;
			else
				keep(disk, write, from, piece);
		}
	}
	empty_cache(disk);
	printf("%u of %u sectors lost\n", lost, sectors);
}

/* The socket gets its name only when clients can connect. */
static int wait_for_client(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener, client;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s.new",
		     path) >= (int)sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1) || rename(address.sun_path, path))
		die(path);
	client = accept(listener, NULL, NULL);
	if (client < 0)
		die(path);
	close(listener);
	unlink(path);
	return client;
}

static void open_image(struct disk *disk, const char *path)
{
	struct stat st;

	disk->image = open(path, O_RDWR | O_CLOEXEC);
	if (disk->image < 0 || fstat(disk->image, &st))
		die(path);
	disk->size = st.st_size / SECTOR * SECTOR;
	disk->view = mmap(NULL, disk->size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  disk->image, 0);
	if (disk->view == MAP_FAILED)
		die(path);
}

int main(int argc, char **argv)
{
	struct disk disk = { .cache_end = &disk.cache };

	if (argc > 1 && !strcmp(argv[1], "--lie")) {
		disk.lies = true;
		argc--;
		argv++;
	}
	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	disk.random = strtoull(argv[3], NULL, 0);
	open_image(&disk, argv[2]);
	disk.client = wait_for_client(argv[1]);
	serve(&disk);
	cut_power(&disk);
	return 0;
}
