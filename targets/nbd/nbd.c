// SPDX-License-Identifier: GPL-2.0
/*
 * A disk that is an export of a server of NBD: what it promises follows from
 * what the server says. Opens it, and starts what makes connections.
 */
#include "targets/nbd/nbd.h"

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/identity.h"
#include "core/process.h"
#include "core/rights.h"
#include "lib/exit.h"
#include "lib/message.h"
#include "targets/file-settings.h"

/* Like a queue's. It needs little. */
#define STACK_BYTES (32 << 10)

#define FREED_MAX (1u << 30)	/* bytes of one DISCARD or WRITE_ZEROES */

/* What the receiver tells nbd_receiver_start(). */
struct receiver {
	struct nbd_disk *disk;
	sem_t ready;
	int failed;
};

static void *nbd_receiver_main(void *argument)
{
	static const int calls[RIGHTS_CALLS] = { SYS_recvmsg, SYS_shutdown };
	struct receiver *receiver = argument;
	struct nbd_disk *disk = receiver->disk;
	struct connected answer;
	bool over = false;
	int err;

	process_calm();
	err = rights_drop(calls);
	receiver->failed = err;
	/* From here on @receiver is gone. */
	sem_post(&receiver->ready);
	if (err)
		return NULL;
	while (connector_answer(&disk->connector, &answer)) {
		over |= answer.over;
		if (!answer.over)
			nbd_link_connected(disk, &answer);
	}
	if (over) {
		nbd_links_over(disk);
	} else if (!atomic_load(&disk->closing)) {
		/* Who follows this process starts another one. */
		message("%s: the process that connects is gone", disk->uri);
		_exit(EXIT_FAILED);
	}
	return NULL;
}

static int nbd_receiver_start(struct nbd_disk *disk)
{
	struct receiver receiver = { .disk = disk };
	pthread_attr_t attributes;
	int err;

	sem_init(&receiver.ready, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	err = pthread_create(&disk->receiver, &attributes, nbd_receiver_main,
			     &receiver);
	pthread_attr_destroy(&attributes);
	if (err)
		return message_fail(err, "%s", disk->uri);
	while (sem_wait(&receiver.ready))
		;
	disk->started = true;
	return receiver.failed;
}

static int nbd_start(struct ublk_device *device)
{
	struct nbd_disk *disk = ublk_device_data(device);
	int err = nbd_links_alloc(disk, device);

	if (err)
		return message_fail(err, "%s", disk->uri);
	err = connector_start(&disk->connector, ublk_device_id(device), disk->remote,
			      disk->count);
	return err ? err : nbd_receiver_start(disk);
}

static int nbd_queue_start(struct ublk_queue *queue)
{
	nbd_link_begin(ublk_device_data(ublk_queue_device(queue)), queue);
	return 0;
}

static void nbd_queue_stop(struct ublk_queue *queue)
{
	nbd_link_end(ublk_device_data(ublk_queue_device(queue)), queue);
}

static void nbd_free(struct nbd_disk *disk)
{
	if (disk->remote)
		remote_close(disk->remote);
	nbd_links_free(disk);
	pthread_mutex_destroy(&disk->lock);
	free(disk);
}

static void nbd_close(struct ublk_device *device)
{
	struct nbd_disk *disk = ublk_device_data(device);

	if (disk->started) {
		atomic_store(&disk->closing, true);
		connector_end(&disk->connector);
		pthread_join(disk->receiver, NULL);
	}
	connector_free(&disk->connector);
	nbd_free(disk);
}

/* Of what the server says, what a disk can be. */
static int nbd_describe(struct nbd_disk *nbd, struct ublk_device *device,
			const struct file_settings *settings,
			struct ublk_disk *disk)
{
	const struct nbd_export *export = &nbd->export;
	const uint64_t total = export->size;
	uint64_t left;

	if (settings->buffered) {
		message("--buffered is for a file of this machine");
		return -EINVAL;
	}
	if (export->block > 4096) {
		message("%s: the server wants blocks of %" PRIu32 " bytes, and a "
			"disk's have 4096 at most", nbd->uri, export->block);
		return -EINVAL;
	}
	if (export->block > disk->logical_block)
		disk->logical_block = export->block;
	disk->physical_block = export->preferred > 4096 ||
			       export->preferred < disk->logical_block ?
			       4096 : export->preferred;
	if (settings->offset >= total || settings->size > total - settings->offset ||
	    settings->offset % disk->logical_block) {
		message("%s: has %" PRIu64 " bytes in blocks of %" PRIu32 "; "
			"--offset or --size do not fit", nbd->uri, total,
			disk->logical_block);
		return -EINVAL;
	}
	left = settings->size ? settings->size : total - settings->offset;
	nbd->offset = settings->offset;
	nbd->timeout = settings->timeout;
	disk->size = left - left % disk->logical_block;
	if (!disk->size) {
		message("%s: not one block of %" PRIu32 " bytes", nbd->uri,
			disk->logical_block);
		return -EINVAL;
	}
	if (ublk_device_queues(device) > 1 &&
	    !(export->flags & (NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_READ_ONLY))) {
		message("%s: the server does not allow several connections, so "
			"there can be one queue only", nbd->uri);
		return -EINVAL;
	}
	disk->max_transfer = nbd->remote->most;
	disk->read_only |= !!(export->flags & NBD_FLAG_READ_ONLY);
	disk->flush = export->flags & NBD_FLAG_SEND_FLUSH;
	disk->fua = disk->flush && export->flags & NBD_FLAG_SEND_FUA;
	disk->discard_granularity = disk->physical_block;
	if (export->flags & NBD_FLAG_SEND_TRIM)
		disk->max_discard = FREED_MAX;
	if (export->flags & NBD_FLAG_SEND_WRITE_ZEROES)
		disk->max_write_zeroes = FREED_MAX;
	return 0;
}

/* Connects for the first time. Returns NULL after printing why, and sets *@err. */
static struct remote *nbd_reach(const char *name, int *err)
{
	struct uri uri;
	const char *why = uri_parse(&uri, name);

	/* The processes that serve have another folder than their caller. */
	if (!why && uri.kind == URI_NBD_UNIX && *uri.socket != '/')
		why = "the path of the socket has to begin with /";
	if (!why)
		return remote_open(&nbd_kind, &uri, name, REMOTE_SERVES, err);
	message("%s: %s", name, why);
	*err = -EINVAL;
	return NULL;
}

static int nbd_open(struct ublk_device *device, const char *name,
		    const void *settings, struct ublk_disk *disk)
{
	struct nbd_disk *nbd = calloc(1, sizeof(*nbd));
	char text[IDENTITY_MAX];
	int err;

	if (!nbd)
		return message_fail(ENOMEM, "%s", name);
	nbd->uri = name;
	nbd->connector.fd = -1;
	pthread_mutex_init(&nbd->lock, NULL);
	nbd->remote = nbd_reach(name, &err);
	if (!nbd->remote) {
		nbd_free(nbd);
		return err;
	}
	nbd->export = *nbd_export(nbd->remote);
	disk->read_only = ublk_device_read_only(device);
	err = nbd_describe(nbd, device, settings, disk);
	snprintf(text, sizeof(text), "size=%" PRIu64, nbd->export.size);
	if (!err)
		err = ublk_device_identify_text(device, "export", name, text);
	if (err) {
		nbd_free(nbd);
		return err;
	}
	/* The queues have connections of their own. */
	remote_close_connection(nbd->remote);
	nbd->index = ublk_device_reserve_file(device, "connection");
	ublk_device_set_data(device, nbd);
	return 0;
}

const struct ublk_target nbd_target = {
	.name = "file",
	.options = file_options,	/* for the record */
	.settings_size = sizeof(struct file_settings),
	.request_size = sizeof(struct nbd_request),
	.system_calls = { SYS_shutdown },
	.sends_messages = true,
	.frees_memory = true,
	.open = nbd_open,
	.start = nbd_start,
	.close = nbd_close,
	.queue_start = nbd_queue_start,
	.queue_stop = nbd_queue_stop,
	.submit = nbd_submit,
};
