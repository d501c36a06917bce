// SPDX-License-Identifier: GPL-2.0
/*
 * Passes a device to another program, and receives one. Both sides of the
 * protocol are in this file, the sender first.
 */
#include "core/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/device.h"
#include "core/process.h"
#include "lib/clock.h"
#include "lib/message.h"

/* A signal's value has room for two descriptors of this size. */
#define FD_BITS 15
#define FD_MASK ((1 << FD_BITS) - 1)

/* For opening the sender's descriptors, and for the answer. */
#define TRIES 100
#define PAUSE_MS 10

int handover_request(int supervisor, const struct handover *request)
{
	if (request->binary > FD_MASK || request->answer > FD_MASK)
		return -EMFILE;
	return process_signal(supervisor, HANDOVER_SIGNAL,
			      request->binary << FD_BITS | request->answer);
}

/*
 * Opens a descriptor of another process. Retries after every error that can
 * pass, because the sender waits for an answer.
 */
static int handover_open_fd(unsigned int pid, int fd, int flags)
{
	char path[48];
	int tries, opened;

	snprintf(path, sizeof(path), "/proc/%u/fd/%d", pid, fd);
	for (tries = 0; tries < TRIES; tries++) {
		opened = open(path, flags | O_CLOEXEC | O_NONBLOCK);
		if (opened >= 0 || errno == ENOENT || errno == EACCES)
			break;
		clock_sleep_ms(PAUSE_MS);
	}
	return opened;
}

int handover_accept(struct handover *next,
		    const struct signalfd_siginfo *signal)
{
	int before, err;

	if (signal->ssi_code != SI_QUEUE)
		return -EINVAL;
	next->answer = handover_open_fd(signal->ssi_pid,
					signal->ssi_int & FD_MASK, O_WRONLY);
	if (next->answer < 0)
		return -errno;
	next->binary = handover_open_fd(signal->ssi_pid,
					signal->ssi_int >> FD_BITS & FD_MASK,
					O_RDONLY);
	if (next->binary >= 0)
		return 0;
	before = message_redirect(next->answer);
	err = message_fail(errno, "the new program");
	message_redirect(before);
	handover_answer(next->answer, HANDOVER_FAILED);
	return err;
}

/* Retries as handover_open_fd() does. -EPIPE: nobody waits any more. */
void handover_answer(int answer, char how)
{
	int tries, err;

	for (tries = 0; tries < TRIES; tries++) {
		err = process_send_byte(answer, how);
		if (!err || err == -EPIPE)
			break;
		clock_sleep_ms(PAUSE_MS);
	}
	if (err)
		message_fail(err, "the answer to an upgrade");
	close(answer);
}

/*
 * `ublk handover` gets words of the form KEY=VALUE, the version first. The
 * version changes when the meaning of a key changes, or when a new key is one
 * that a program cannot ignore. A program refuses what it does not know; then
 * the old one carries on.
 */
#ifndef HANDOVER_VERSION	/* a test sets its own */
#define HANDOVER_VERSION 1
#endif

/*
 * Values are numbers: of the device, of a process, or of a descriptor. A
 * program that gets a worker's pid is the supervisor. Otherwise it is a worker.
 */
enum { KEY_VERSION, KEY_WORKER, KEY_ID, KEY_FETCHED, KEY_LIVE, KEY_ANSWER,
       KEY_BUFFERS, KEYS };
static const struct {
	const char *name;
	bool is_fd;
	bool to_worker, to_supervisor;
} keys[KEYS] = {
	[KEY_VERSION] = { "version", false, true, true },
	[KEY_WORKER] = { "worker", false, false, true },
	[KEY_ID] = { "id", false, true, true },
	[KEY_FETCHED] = { "fetched", true, true, false },
	[KEY_LIVE] = { "live", true, true, false },
	[KEY_ANSWER] = { "answer", true, false, true },
	[KEY_BUFFERS] = { "buffers", true, true, true },
};
#define FILE_KEY "file-"	/* followed by the file's name */
#define WORD_BYTES 48
#define WORDS_MAX HANDOVER_WORDS_MAX
_Static_assert(HANDOVER_WORDS_MAX == KEYS + UBLK_DEVICE_FILES, "a word each");
enum { ARG_PROGRAM, ARG_VERB, ARG_WORDS };

/*
 * Appends a word. If its value is a descriptor, the descriptor stays open
 * across exec.
 */
static void handover_add_word(char words[][WORD_BYTES], const char **args,
			      const char *name, bool is_fd, int value)
{
	unsigned int n = 0;

	while (args[ARG_WORDS + n])
		n++;
	if (is_fd)
		fcntl(value, F_SETFD, 0);
	snprintf(words[n], WORD_BYTES, "%s=%d", name, value);
	args[ARG_WORDS + n] = words[n];
}

/*
 * Executes the program with those values that its role needs, and with
 * device->files.
 */
static void handover_execute(const struct ublk_device *device,
			     const struct handover *next, bool as_worker,
			     const int values[KEYS])
{
	static char words[WORDS_MAX][WORD_BYTES];
	const char *args[ARG_WORDS + WORDS_MAX + 1] = {
		program_invocation_name, "handover",
	};
	char name[WORD_BYTES / 2];
	unsigned int i;

	for (i = 0; i < KEYS; i++)
		if (as_worker ? keys[i].to_worker : keys[i].to_supervisor)
			handover_add_word(words, args, keys[i].name,
					  keys[i].is_fd, values[i]);
	for (i = 1; i < device->file_count; i++) {
		if (device->files[i] < 0)	/* each queue has its own */
			continue;
		snprintf(name, sizeof(name), FILE_KEY "%s",
			 device->file_names[i]);
		handover_add_word(words, args, name, true, device->files[i]);
	}
	process_replace(STDERR_FILENO, next->answer);
	syscall(SYS_execveat, next->binary, "", args, environ, AT_EMPTY_PATH);
	message_fail(errno, "cannot execute the program");
}

void handover_worker(const struct ublk_device *device,
		     const struct handover *next, int fetched_fd, int live_fd)
{
	handover_execute(device, next, true, (const int[KEYS]){
		[KEY_VERSION] = HANDOVER_VERSION,
		[KEY_ID] = device->info.dev_id,
		[KEY_FETCHED] = fetched_fd,
		[KEY_LIVE] = live_fd,
		[KEY_BUFFERS] = device->buffers.fd,
	});
}

void handover_supervisor(const struct ublk_device *device,
			 const struct handover *next)
{
	handover_execute(device, next, false, (const int[KEYS]){
		[KEY_VERSION] = HANDOVER_VERSION,
		[KEY_WORKER] = device->server_pid,
		[KEY_ID] = device->info.dev_id,
		[KEY_ANSWER] = next->answer,
		[KEY_BUFFERS] = device->buffers.fd,
	});
}

/* Parses a non-negative number. Returns -1 if @text is none. */
static int handover_number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text < '0' || *text > '9' || *end || value > INT_MAX ?
	       -1 : value;
}

/* Takes a descriptor over. Returns false if it is not open. */
static bool handover_take_fd(int fd)
{
	return fd >= 0 && !fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Parses a word for one of the device's files. @name ends at @equals. */
static bool handover_read_file(struct ublk_device *device, const char *name,
			       const char *equals)
{
	struct inherited_file *file;

	if (device->inherited_count == UBLK_DEVICE_FILES ||
	    (size_t)(equals - name) >= sizeof(file->name))
		return false;
	file = &device->inherited[device->inherited_count++];
	memcpy(file->name, name, equals - name);
	file->fd = handover_number(equals + 1);
	return handover_take_fd(file->fd);
}

static bool handover_read_word(struct ublk_device *device, const char *word,
			       int values[KEYS])
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? equals - word : 0;
	unsigned int i;

	if (!equals)
		return false;
	if (!strncmp(word, FILE_KEY, strlen(FILE_KEY)))
		return handover_read_file(device, word + strlen(FILE_KEY),
					  equals);
	for (i = 0; i < KEYS; i++) {
		if (strlen(keys[i].name) != length ||
		    memcmp(keys[i].name, word, length))
			continue;
		values[i] = handover_number(equals + 1);
		return values[i] >= 0 &&
		       (!keys[i].is_fd || handover_take_fd(values[i]));
	}
	return false;
}

static int handover_read_words(struct ublk_device *device, int argc,
			       char **argv, int values[KEYS])
{
	bool worker;
	int i;

	for (i = 0; i < KEYS; i++)
		values[i] = -1;
	if (!handover_read_word(device, argv[0], values) ||
	    values[KEY_VERSION] != HANDOVER_VERSION) {
		message("the program that serves hands devices over with %s, "
			"this one takes version=%d", argv[0], HANDOVER_VERSION);
		return -EPROTO;
	}
	for (i = 1; i < argc; i++)
		if (!handover_read_word(device, argv[i], values)) {
			message("the program that serves hands over %s, which "
				"is unknown here", argv[i]);
			return -EPROTO;
		}
	worker = values[KEY_WORKER] < 0;
	for (i = 0; i < KEYS; i++)
		if ((worker ? keys[i].to_worker : keys[i].to_supervisor) &&
		    values[i] < 0) {
			message("the program that serves hands over no %s",
				keys[i].name);
			return -EPROTO;
		}
	return 0;
}

int handover_read(struct handover_values *to, struct ublk_device *device, int argc,
		  char **argv)
{
	int values[KEYS];
	int err = handover_read_words(device, argc, argv, values);

	*to = (struct handover_values){
		.id = values[KEY_ID],
		.worker = values[KEY_WORKER],
		.fetched_fd = values[KEY_FETCHED],
		.live_fd = values[KEY_LIVE],
		.answer_fd = values[KEY_ANSWER],
		.buffers_fd = values[KEY_BUFFERS],
	};
	return err;
}

int handover_check_files(const struct ublk_device *device)
{
	unsigned int i;

	for (i = 0; i < device->inherited_count; i++) {
		if (device->inherited[i].taken)
			continue;
		message("the program that serves hands over a file %s, which "
			"is unknown here", device->inherited[i].name);
		return -EPROTO;
	}
	return 0;
}
