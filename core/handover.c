// SPDX-License-Identifier: GPL-2.0
/*
 * Hands a device to another program, and is that program: `ublk continue`. Both
 * sides of what is handed over stand here, one below the other.
 */
#include "core/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/device.h"
#include "core/message.h"
#include "core/process.h"
#include "core/resume.h"
#include "core/supervise.h"
#include "core/verb.h"

/* Descriptors in the value of a signal. */
#define FD_BITS 15
#define FD_MASK ((1 << FD_BITS) - 1)

int handover_request(int supervisor, const struct handover *request)
{
	if (request->binary > FD_MASK || request->answer > FD_MASK)
		return -EMFILE;
	return process_signal(supervisor, HANDOVER_SIGNAL,
			      request->binary << FD_BITS | request->answer);
}

static int open_of_process(unsigned int pid, int fd, int flags)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%u/fd/%d", pid, fd);
	return open(path, flags | O_CLOEXEC | O_NONBLOCK);
}

int handover_accept(struct handover *next,
		    const struct signalfd_siginfo *signal)
{
	int err;

	if (signal->ssi_code != SI_QUEUE)
		return -EINVAL;
	next->answer = open_of_process(signal->ssi_pid,
				       signal->ssi_int & FD_MASK, O_WRONLY);
	if (next->answer < 0)
		return -errno;
	next->binary = open_of_process(signal->ssi_pid,
				       signal->ssi_int >> FD_BITS & FD_MASK,
				       O_RDONLY);
	if (next->binary >= 0)
		return 0;
	err = -errno;
	close(next->answer);
	return err;
}

void handover_answer(int answer, char how)
{
	if (write(answer, &how, 1) != 1)
		message_fail(errno, "the answer to an upgrade");
	close(answer);
}

/*
 * What `ublk continue` is given: who it shall be, the device, two numbers that
 * depend on that, the memory of requests, and the target's files.
 */
enum { ARG_PROGRAM, ARG_VERB, ARG_ROLE, ARG_ID, ARG_FIRST, ARG_SECOND,
       ARG_BUFFERS, ARG_FILES, ARGS_MAX = ARG_FILES + UBLK_DEVICE_FILES + 1 };
#define NUMBER_BYTES 12

/* Lets the program have the descriptor, and writes its number down. */
static char *hand_on(char text[NUMBER_BYTES], int fd)
{
	fcntl(fd, F_SETFD, 0);
	snprintf(text, NUMBER_BYTES, "%d", fd);
	return text;
}

static void execute(const struct ublk_device *device,
		    const struct handover *next, const char *role,
		    const char *first, const char *second)
{
	static char id[NUMBER_BYTES], buffers[NUMBER_BYTES];
	static char files[UBLK_DEVICE_FILES][NUMBER_BYTES];
	const char *args[ARGS_MAX] = {
		program_invocation_name, "continue", role, id, first, second,
		hand_on(buffers, device->buffers.fd),
	};
	unsigned int i;

	snprintf(id, sizeof(id), "%d", device->info.dev_id);
	for (i = 0; i + 1 < device->file_count; i++)
		args[ARG_FILES + i] = hand_on(files[i], device->files[i + 1]);
	dup2(next->answer, STDERR_FILENO);
	syscall(SYS_execveat, next->binary, "", args, environ, AT_EMPTY_PATH);
	message_fail(errno, "cannot execute the program");
}

void handover_worker(const struct ublk_device *device,
		     const struct handover *next, int fetched_fd, int live_fd)
{
	char fetched[NUMBER_BYTES], live[NUMBER_BYTES];

	execute(device, next, "worker", hand_on(fetched, fetched_fd),
		hand_on(live, live_fd));
}

void handover_supervisor(const struct ublk_device *device,
			 const struct handover *next)
{
	char worker[NUMBER_BYTES], answer[NUMBER_BYTES];

	snprintf(worker, sizeof(worker), "%d", (int)device->server);
	execute(device, next, "supervisor", worker,
		hand_on(answer, next->answer));
}

static int handed(const char *text)
{
	int fd = atoi(text);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static int continue_supervisor(struct ublk_device *device, pid_t worker,
			       int answer)
{
	int err;

	err = device_hold_signals(device);
	if (!err)
		err = process_protect(false);
	if (!err)
		err = supervise_continued(device, worker, answer);
	device_close(device);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int continue_run(const void *settings, int argc, char **argv)
{
	/* As execute() puts them, without the program and the verb. */
	char **args = argv - ARG_ROLE;
	struct ublk_device device = { 0 };
	int i;

	(void)settings;
	process_continued();
	for (i = ARG_FILES - ARG_ROLE; i < argc &&
	     device.inherited_count < UBLK_DEVICE_FILES; i++)
		device.inherited[device.inherited_count++] = handed(argv[i]);
	if (ctrl_open(&device.ctrl))
		return EXIT_FAILED;
	if (resume_device(&device, atoi(args[ARG_ID])) ||
	    device_open(&device) != EXIT_DONE ||
	    device_open_buffers(&device, handed(args[ARG_BUFFERS])) ||
	    worker_prepare(&device))
		return EXIT_FAILED;
	if (!strcmp(args[ARG_ROLE], "supervisor"))
		return continue_supervisor(&device, atoi(args[ARG_FIRST]),
					   handed(args[ARG_SECOND]));
	ctrl_close(&device.ctrl);
	return worker_main(&device, handed(args[ARG_FIRST]),
			   handed(args[ARG_SECOND]));
}

const struct verb verb_continue = {
	.name = "continue",
	.arguments = "ROLE ID NUMBER NUMBER NUMBER FILE...",
	.manual = "For `ublk upgrade` alone: what a server executes when another "
		  "program takes its\nplace.\n",
	.min_arguments = ARG_FILES - ARG_ROLE,
	.max_arguments = ARG_FILES - ARG_ROLE + UBLK_DEVICE_FILES,
	.run = continue_run,
};
