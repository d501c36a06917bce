// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk upgrade`: replaces the program of running devices. Loads the new
 * program into memory and asks each device's supervisor, which does the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/lookup.h"
#include "commands/verb.h"
#include "core/handover.h"
#include "core/memory.h"
#include "core/process.h"
#include "lib/build.h"
#include "lib/message.h"

/*
 * Timeout between two messages of the supervisor: a little longer than its own.
 */
#define ANSWER_MS (HANDOVER_START_MS + 30000)

struct upgrade_settings {
	bool all;
};

/* The argument of upgrade_device(). */
struct upgrade {
	struct ublk_ctrl *ctrl;
	int binary;		/* descriptor of the program in memory */
};

static const char manual[] =
"The new program is PROGRAM, by default the ublk that runs this command. I/O\n"
"pauses for a moment, and no user of the disk sees an error. If the new program\n"
"fails to start, the old one continues and the command fails. If the path of\n"
"PROGRAM begins with a digit, put ./ in front of it.\n";

static const struct option_spec upgrade_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct upgrade_settings, all), 0, 0,
	  NULL, "upgrade every supervised device" },
	{ 0 }
};

static int copy_program(int from, int to, const char *path)
{
	struct stat st;
	char magic[4];
	off_t at = 0;
	ssize_t sent;

	if (fstat(from, &st))
		return message_fail(errno, "%s", path);
	if (pread(from, magic, sizeof(magic), 0) != sizeof(magic) ||
	    memcmp(magic, "\177ELF", sizeof(magic))) {
		message("%s: not a program", path);
		return -ENOEXEC;
	}
	while (at < st.st_size) {
		sent = sendfile(to, from, &at, st.st_size - at);
		if (sent < 0 && errno != EINTR)
			return message_fail(errno, "%s", path);
		if (!sent)
			break;	/* the file has become shorter */
	}
	if (fchmod(to, 0700))
		return message_fail(errno, "copying the program to memory");
	return 0;
}

/*
 * Copies the program to memory: its file may be on a disk that is about to
 * pause.
 */
static int load_program(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	int to, err;

	if (from < 0)
		return message_fail(errno, "%s", path);
	to = memory_program("ublk");
	if (to < 0) {
		err = -errno;
		close(from);
		if (err != -EACCES)
			return message_fail(err, "copying the program to memory");
		message("executing a program from memory is not permitted; see "
			"the sysctl vm.memfd_noexec, which has to be 0 or 1");
		return err;
	}
	err = copy_program(from, to, path);
	close(from);
	if (!err)
		return to;
	close(to);
	return err;
}

/*
 * Prints the supervisor's messages until the upgrade has ended. Returns whether
 * it succeeded. The new program, which is already serving, opens the target a
 * second time. That may take long, so the timeout starts again as long as the
 * process uses CPU time.
 */
static bool wait_answer(int fd, int supervisor, const struct lookup *device)
{
	struct pollfd events[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = supervisor, .events = POLLIN },
	};
	uint64_t worked = process_worked(device->pid), before;
	char text[512], last = HANDOVER_FAILED;
	bool ended = false;
	ssize_t got;

	while (!ended) {
		got = poll(events, 2, ANSWER_MS);
		if (!got) {
			before = worked;
			worked = process_worked(device->pid);
			if (worked != before)
				continue;
		}
		if (got > 0)
			got = events[0].revents ? read(fd, text, sizeof(text)) :
						  0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		last = text[got - 1];
		ended = last == HANDOVER_DONE || last == HANDOVER_FAILED;
		if (write(STDERR_FILENO, text, got - ended) < 0)
			break;
	}
	if (!ended)
		message("device %d: its server, process %d, does not answer",
			device->id, (int)device->pid);
	return ended && last == HANDOVER_DONE;
}

/* For lookup_each(). With --all, skips devices that cannot be upgraded. */
static int upgrade_device(int id, bool named, void *arg)
{
	const struct upgrade *upgrade = arg;
	struct handover request = { .binary = upgrade->binary };
	struct lookup device;
	int supervisor, fds[2], err;

	err = lookup_device(upgrade->ctrl, id, &device);
	if (err)
		return err == -ENODEV && !named ? 0 :
		       lookup_failed(id, err);
	if (!device.supervised) {
		if (!named)
			return 0;
		message("device %d is not supervised and cannot be upgraded",
			id);
		return -EINVAL;
	}
	if (pipe2(fds, O_CLOEXEC))
		return message_fail(errno, "device %d", id);
	request.answer = fds[1];
	supervisor = process_open(device.pid, device.started);
	err = supervisor < 0 ? supervisor :
	      handover_request(supervisor, &request);
	if (err)
		message_fail(err, "device %d", id);
	else if (!wait_answer(fds[0], supervisor, &device))
		err = -EIO;
	if (supervisor >= 0)
		close(supervisor);
	close(fds[0]);
	close(fds[1]);
	return err;
}

/* The last argument is the program, unless it names a device. */
static const char *named_program(int *argc, char **argv)
{
	const char *last = *argc ? argv[*argc - 1] : NULL;

	if (!last || (*last >= '0' && *last <= '9') ||
	    !strncmp(last, "ublkb", 5) || !strncmp(last, "ublkc", 5) ||
	    !strncmp(last, "/dev/ublk", 9))
		return "/proc/self/exe";
	--*argc;
	return last;
}

static int upgrade_run(const void *values, int argc, char **argv)
{
	const struct upgrade_settings *settings = values;
	const char *program = named_program(&argc, argv);
	struct ublk_ctrl ctrl;
	struct upgrade upgrade = { .ctrl = &ctrl };
	int status;

	if (!lookup_names_ok("upgrade", settings->all, argc, argv))
		return EXIT_USAGE;
	upgrade.binary = load_program(program);
	if (upgrade.binary < 0 || ctrl_open(&ctrl))
		return EXIT_FAILED;
	status = lookup_each(settings->all, argc, argv, upgrade_device, &upgrade);
	ctrl_close(&ctrl);
	close(upgrade.binary);
	return status;
}

const struct verb verb_upgrade = {
	.name = "upgrade",
	.arguments = "ID|NODE... | --all [PROGRAM]",
	.summary = "replace the server program of running devices",
	.manual = MANUAL(manual),
	.options = upgrade_options,
	.settings_size = sizeof(struct upgrade_settings),
	.max_arguments = -1,
	.run = upgrade_run,
};
