// SPDX-License-Identifier: GPL-2.0
/*
 * Starts, watches and replaces workers. It does no I/O that could go to the
 * disk it supervises.
 */
#include "core/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/handover.h"
#include "core/process.h"
#include "core/server.h"
#include "core/signals.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/message.h"

/*
 * Give up after this many workers in a row that answered no request and lived
 * for less than LIFE_MS.
 */
#define DEATHS_MAX 8
#define LIFE_MS 1000

/*
 * Pause before the second attempt to start a worker, or to fail the I/O of a
 * device that was given up. Doubled for each further attempt.
 */
#define RETRY_MS 50
#define RETRY_MAX_MS 30000
#define RECORD_RETRY_MS 250

/* How long the driver may take to notice that a worker has died. */
#define NOTICE_MS 30000
#define NOTICE_TICK_MS 2

/* How long a worker may take to fetch all tags. */
#define START_MS 30000

/*
 * How long a worker may take to answer the requests it has, before it is
 * killed.
 */
#define QUIESCE_MS 5000

#define END_TEXT_MAX 40

struct supervisor {
	struct server *server;
	struct ublk_device *device;	/* server->device */
	pid_t worker;			/* pid, or 0 */
	int ended_fd;			/* readable when it has ended */
	int live_fd;			/* a byte says that the disk exists */
	uint64_t served_from;		/* since when it serves, in ms, or 0 */
	bool lived;			/* the last one lived for LIFE_MS */
	uint64_t answered;		/* requests, when the last one died */
	unsigned int deaths;		/* in a row, without progress */

	/* The record does not name the worker yet: it could not be written. */
	bool unrecorded;
	int record_wait;		/* milliseconds until the next attempt */

	bool given_up;			/* there is no worker: */
	struct fail fail;		/* this process fails all requests */

	/*
	 * Pid of the process that reads the partition table before the disk is
	 * announced, or 0. That is I/O which the worker, or the one that
	 * replaces it, has to serve, so the supervisor must not wait for it.
	 */
	pid_t prober;
	int probed_fd;			/* readable when it has ended */
};

/* Counts the requests that the disk has completed; 0 if unknown. */
static uint64_t answered_requests(int id)
{
	/* Fields of the disk's statistics: reads, writes, discards, flushes. */
	enum { COUNTS = 1 << 0 | 1 << 4 | 1 << 11 | 1 << 15, FIELDS = 16 };
	char path[48], text[512], *at = text;
	uint64_t sum = 0;
	ssize_t length;
	int fd, i;

	snprintf(path, sizeof(path), "/sys/block/ublkb%d/stat", id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	for (i = 0; i < FIELDS; i++) {
		uint64_t field = strtoull(at, &at, 10);

		if (COUNTS >> i & 1)
			sum += field;
	}
	return sum;
}

/*
 * Waits up to @milliseconds for the byte of a starting worker. Returns false if
 * it ended or needs longer.
 */
static bool wait_byte(int fd, unsigned int milliseconds)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };
	uint64_t end = clock_ms() + milliseconds;
	char byte;
	int ret;

	do {
		uint64_t now = clock_ms();

		ret = now < end ? poll(&event, 1, end - now) : 0;
	} while (ret < 0 && errno == EINTR);
	return ret > 0 && process_receive_byte(fd, &byte);
}

/* Collects a worker that has ended or was killed. Returns its wait status. */
static int worker_collect(struct supervisor *s)
{
	int status = 0;

	if (!s->worker)
		return 0;
	while (waitpid(s->worker, &status, 0) < 0 && errno == EINTR)
		;
	s->lived = s->served_from &&
		   clock_ms() - s->served_from >= LIFE_MS;
	s->served_from = 0;
	if (s->ended_fd >= 0)
		close(s->ended_fd);
	s->ended_fd = -1;
	if (s->live_fd >= 0)
		close(s->live_fd);
	s->live_fd = -1;
	s->worker = 0;
	s->device->server_pid = 0;
	return status;
}

static void worker_kill(struct supervisor *s)
{
	if (s->worker)
		kill(s->worker, SIGKILL);
	worker_collect(s);
}

/* Describes how a worker ended, for a message. */
static const char *end_text(int status, char text[END_TEXT_MAX])
{
	if (WIFSIGNALED(status))
		snprintf(text, END_TEXT_MAX, "was killed by signal %d",
			 WTERMSIG(status));
	else
		snprintf(text, END_TEXT_MAX, "ended with status %d",
			 WEXITSTATUS(status));
	return text;
}

/* Runs in the child. @next is the program to execute, or NULL for this one. */
static int worker_run(struct supervisor *s, const struct handover *next,
		      int fetched_fd, int live_fd)
{
	struct ublk_device *device = s->device;

	process_forked();
	close(s->server->signal_fd);
	ctrl_close(&device->ctrl);
	if (!next)
		return worker_main(&s->server->worker, fetched_fd,
				   live_fd);
	handover_worker(device, next, fetched_fd, live_fd);
	return EXIT_FAILED;
}

static int worker_fork(struct supervisor *s, const struct handover *next,
		       int fetched[2], int live[2])
{
	s->lived = false;
	s->worker = fork();
	if (s->worker < 0) {
		s->worker = 0;
		return -errno;
	}
	if (!s->worker) {
		close(fetched[0]);
		close(live[1]);
		_exit(worker_run(s, next, fetched[1], live[0]));
	}
	s->device->server_pid = s->worker;
	s->ended_fd = process_watch(s->worker);
	if (s->ended_fd < 0) {
		int err = s->ended_fd;

		worker_kill(s);
		return err;
	}
	return 0;
}

/*
 * Starts a worker and returns 0 when it has fetched every tag. Otherwise the
 * worker has ended, and this returns -errno; this function or the worker has
 * printed why.
 */
static int worker_begin(struct supervisor *s, const struct handover *next)
{
	char text[END_TEXT_MAX];
	int fetched[2], live[2];
	bool ready;
	int err;

	if (pipe2(fetched, O_CLOEXEC))
		return message_fail(errno, "a server process");
	if (pipe2(live, O_CLOEXEC)) {
		err = message_fail(errno, "a server process");
		close(fetched[0]);
		close(fetched[1]);
		return err;
	}
	err = worker_fork(s, next, fetched, live);
	close(fetched[1]);
	close(live[0]);
	if (err) {
		close(live[1]);
		close(fetched[0]);
		return message_fail(err, "a server process");
	}
	s->live_fd = live[1];
	ready = wait_byte(fetched[0], next ? HANDOVER_START_MS : START_MS);
	close(fetched[0]);
	if (ready)
		return 0;
	kill(s->worker, SIGKILL);
	err = worker_collect(s);
	/* A worker that exited by itself has printed why. */
	if (WIFSIGNALED(err))
		message("device %d: a new server %s", s->device->info.dev_id,
			end_text(err, text));
	return -EIO;
}

/*
 * A driver without QUIESCE_DEV (before Linux 6.16) notices the death of a
 * server only while it holds a command of that server. So one tag is always
 * kept free of requests.
 */
static void keep_one_tag(const struct ublk_device *device)
{
	char path[64];
	int fd;

	if (device->ctrl.features & UBLK_F_QUIESCE)
		return;
	snprintf(path, sizeof(path), "/sys/block/ublkb%d/queue/nr_requests",
		 device->info.dev_id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (dprintf(fd, "%d\n", device->info.queue_depth - 1) < 0)
		message_fail(errno, "%s", path);
	close(fd);
}

/*
 * Writes to the record which process serves. A full /run must not end a disk,
 * so a failure is only noted. But it has to be tried again: with a wrong
 * record, `ublk recover` would not find the worker.
 */
static void supervisor_record(struct supervisor *s)
{
	bool again = s->unrecorded;

	s->unrecorded = device_record(s->device);
	if (!again)
		s->record_wait = RECORD_RETRY_MS;
	else if (s->record_wait < RETRY_MAX_MS)
		s->record_wait *= 2;
}

/*
 * Tells the worker that the disk exists. Until then the worker ends if this
 * process dies. Afterwards only the record names the worker, so the record
 * comes first.
 */
static int worker_live(struct supervisor *s)
{
	int err;

	supervisor_record(s);
	err = process_send_byte(s->live_fd, '\0');
	if (err)
		return message_fail(err, "the server process");
	close(s->live_fd);
	s->live_fd = -1;
	s->served_from = clock_ms();
	return 0;
}

/*
 * Whether the driver still has a disk for us to serve. Yes, unless the driver
 * says that there is none.
 */
static bool device_is_there(struct supervisor *s)
{
	struct ublksrv_ctrl_dev_info info;
	int err = ctrl_get_dev_info(&s->device->ctrl, s->device->info.dev_id,
				    &info);

	return err ? err != -ENODEV : info.state != UBLK_S_DEV_DEAD;
}

/*
 * Waits until the driver has taken everything back from the dead worker, and
 * accepts a new one. The driver does that only after the last operation on the
 * old worker's rings has ended, so that none can be done after those of the new
 * worker. Returns 0, -ENODEV if the disk is gone, or another -errno after
 * printing why.
 */
static int recovery_begin(struct supervisor *s)
{
	struct ublk_device *device = s->device;
	int id = device->info.dev_id;
	uint64_t end = clock_ms() + NOTICE_MS;
	int err;

	for (;;) {
		err = ctrl_start_recovery(&device->ctrl, id);
		if (!err)
			return 0;
		if (!device_is_there(s))
			return -ENODEV;
		/*
		 * Linux's driver: recovery has begun already, for a worker that
		 * fetched nothing.
		 */
		if (err == -EINVAL)
			return 0;
		if (err != -EBUSY)
			return message_fail(err, "device %d: no new server", id);
		if (clock_ms() > end) {
			message("device %d: the driver does not see that the "
				"server is gone", id);
			return -ETIMEDOUT;
		}
		clock_sleep_ms(NOTICE_TICK_MS);
	}
}

/*
 * Counts the deaths without progress. Returns whether to start another worker.
 */
static bool may_try_again(struct supervisor *s)
{
	uint64_t answered = answered_requests(s->device->info.dev_id);
	bool progress = answered != s->answered || s->lived;

	s->lived = false;
	s->answered = answered;
	s->deaths = progress ? 0 : s->deaths + 1;
	return s->deaths < DEATHS_MAX;
}

/*
 * Tries once to give the disk a worker. Returns 0, -ENODEV if the disk is gone,
 * or -EIO if another attempt may succeed.
 */
static int worker_try(struct supervisor *s, const struct handover *next)
{
	struct ublk_device *device = s->device;
	int err;

	err = recovery_begin(s);
	if (err)
		return err == -ENODEV ? err : -EIO;
	if (worker_begin(s, next))
		return -EIO;
	err = ctrl_end_recovery(&device->ctrl, device->info.dev_id, s->worker,
				s->ended_fd);
	if (!err)
		err = worker_live(s);
	if (err) {
		worker_kill(s);
		return -EIO;
	}
	return 0;
}

/*
 * Tries once to make the I/O of a disk without a worker fail. Returns as
 * worker_try().
 */
static int fail_try(struct supervisor *s)
{
	struct ublk_device *device = s->device;
	int err;

	if (!s->fail.tags) {
		err = recovery_begin(s);
		if (err)
			return err == -ENODEV ? err : -EIO;
		err = fail_begin(&s->fail, device);
		if (err) {
			s->fail.tags = 0;
			return -EIO;
		}
	}
	err = ctrl_end_recovery(&device->ctrl, device->info.dev_id, getpid(),
				-1);
	if (err)
		message_fail(err, "device %d: its I/O does not fail yet",
			     device->info.dev_id);
	return err ? -EIO : 0;
}

/*
 * From now on this process answers all requests with errors, and the device
 * keeps its data. Returns 0, or -ENODEV if the disk is gone.
 */
static int fail_all(struct supervisor *s)
{
	unsigned int wait = RETRY_MS;
	int err;

	while ((err = fail_try(s)) == -EIO) {
		clock_sleep_ms(wait);
		wait = wait < RETRY_MAX_MS / 2 ? 2 * wait : RETRY_MAX_MS;
	}
	if (err)
		return err;
	s->given_up = true;
	s->device->given_up = true;
	supervisor_record(s);
	return 0;
}

/* Gives up, since no worker can be started. Returns as fail_all(). */
static int give_up(struct supervisor *s)
{
	int id = s->device->info.dev_id;

	message("device %d: %u servers died without having answered anything; "
		"the device fails all I/O and keeps what it has, until `ublk "
		"recover %d` or `ublk stop %d`", id, s->deaths, id, id);
	return fail_all(s);
}

/*
 * Starts a new worker for the disk. Tries several times, then gives up. Returns
 * 0, or -ENODEV if the disk is gone, and prints nothing then.
 */
static int worker_replace(struct supervisor *s)
{
	int err = -EIO;

	process_hurry();
	while (err == -EIO && may_try_again(s)) {
		err = worker_try(s, NULL);
		/* The machine may be out of memory, or of processes. */
		if (err == -EIO)
			clock_sleep_ms(RETRY_MS << s->deaths);
	}
	process_calm();
	return err == -EIO ? give_up(s) : err;
}

/*
 * Called when the worker has ended: because the device was stopped, or because
 * it died and must be replaced.
 */
static int worker_ended(struct supervisor *s)
{
	int status = worker_collect(s);
	uint64_t died = clock_ms();
	char text[END_TEXT_MAX];
	int err;

	if (!device_is_there(s))
		return -ENODEV;
	atomic_fetch_add(&s->device->counters->deaths, 1);
	err = worker_replace(s);
	/* One line only: the kernel log accepts ten in five seconds. */
	if (!err && status && !s->given_up)
		message("device %d: the server %s; process %d serves it now, "
			"after %u ms", s->device->info.dev_id,
			end_text(status, text), (int)s->worker,
			(unsigned int)(clock_ms() - died));
	return err;
}

/*
 * Takes the disk away from the worker: by QUIESCE_DEV, or by killing the worker
 * if the driver has no such command.
 */
static void worker_dismiss(struct supervisor *s)
{
	struct ublk_device *device = s->device;

	if (!(device->info.flags & UBLK_F_QUIESCE) ||
	    ctrl_quiesce_dev(&device->ctrl, device->info.dev_id, QUIESCE_MS))
		kill(s->worker, SIGKILL);
	worker_collect(s);
}

/* Ends an upgrade that failed. */
static void upgrade_failed(const struct handover *next, int before)
{
	message_redirect(before);
	close(next->binary);
	handover_answer(next->answer, HANDOVER_FAILED);
}

static int upgrade_refuse(struct supervisor *s, const struct handover *next,
			  int before)
{
	message("device %d has no server; `ublk recover %d` puts one behind it",
		s->device->info.dev_id, s->device->info.dev_id);
	upgrade_failed(next, before);
	return 0;
}

/*
 * Handles a request of `ublk upgrade` to run another program. First that
 * program runs as a worker. When it serves, this process executes the program
 * as well. If the program's worker does not start, one of our own replaces it.
 * Returns as worker_replace().
 */
static int supervisor_upgrade(struct supervisor *s,
			      const struct signalfd_siginfo *signal)
{
	struct handover next;
	int before, err, tried;

	if (handover_accept(&next, signal))
		return 0;
	before = message_redirect(next.answer);
	if (s->given_up)
		return upgrade_refuse(s, &next, before);
	worker_dismiss(s);
	tried = worker_try(s, &next);
	err = tried;
	if (!tried) {
		handover_supervisor(s->device, &next);
		/* Reached only if the program could not be executed. */
		worker_dismiss(s);
	}
	if (tried != -ENODEV) {
		device_renew_counters(s->device);
		err = worker_replace(s);
		if (!err && !s->given_up)
			message("device %d: goes on with the old program",
				s->device->info.dev_id);
	}
	upgrade_failed(&next, before);
	return err;
}

/*
 * Starts a process that reads the partition table before others open the disk.
 */
static int prober_begin(struct supervisor *s)
{
	int err = 0;

	s->prober = fork();
	if (s->prober < 0)
		err = -errno;
	if (!s->prober) {
		process_forked();
		/*
		 * The child may outlive us, and then waits for the next server.
		 * That server could not open a backing disk which the child
		 * still has claimed.
		 */
		message_close_others();
		_exit(device_probe(s->device) ? EXIT_FAILED : 0);
	}
	if (!err) {
		s->probed_fd = process_watch(s->prober);
		if (s->probed_fd >= 0)
			return 0;
		err = s->probed_fd;
		kill(s->prober, SIGKILL);
		waitpid(s->prober, NULL, 0);
	}
	s->prober = 0;
	return message_fail(err, "a process that looks at the disk");
}

/* Collects the child. Returns 0, or -EIO if it failed; it has printed why. */
static int prober_collect(struct supervisor *s)
{
	int status = 0;

	if (!s->prober)
		return 0;
	while (waitpid(s->prober, &status, 0) < 0 && errno == EINTR)
		;
	close(s->probed_fd);
	s->probed_fd = -1;
	s->prober = 0;
	return status ? -EIO : 0;
}

/* Called when the child has ended: announces the disk. */
static int prober_ended(struct supervisor *s)
{
	int err = prober_collect(s);

	if (!err)
		err = device_announce(s->device);
	/* The caller may be gone; the users of a resumed disk are not. */
	if (err && s->device->resumed) {
		process_detach();
		err = 0;
	}
	return err;
}

/*
 * As signals_end_device(), which opens the disk. If this process fails the
 * disk's requests, it must not wait for one itself, so a child does the call.
 */
static bool asked_to_end(struct supervisor *s, int number)
{
	struct ublk_ctrl *ctrl = &s->device->ctrl;
	int status = -1;
	pid_t child;

	if (!s->given_up)
		return signals_end_device(s->device, number);
	child = fork();
	if (child < 0)
		return false;
	if (!child)
		_exit(!signals_end_device(s->device, number));
	while (!waitpid(child, &status, WNOHANG)) {
		struct pollfd ring = {
			.fd = ctrl->ring.ring_fd, .events = POLLIN,
		};

		poll(&ring, 1, NOTICE_TICK_MS);
		ctrl_beside(ctrl);
	}
	return !status;
}

/*
 * Stops the disk: its I/O is completed first, or fails if nothing serves it.
 * Returns false if the driver cannot stop it.
 */
static bool disk_stopped(struct supervisor *s)
{
	int id = s->device->info.dev_id;
	int err = ctrl_stop_dev(&s->device->ctrl, id);

	if (!err || err == -ENODEV)
		return true;
	message_fail(err, "device %d goes on, it cannot be stopped", id);
	return false;
}

/*
 * Called when requests have been failed: returns -ENODEV once the driver has
 * returned every tag.
 */
static int fail_ended(struct supervisor *s)
{
	ctrl_beside(&s->device->ctrl);
	return s->fail.tags ? 0 : -ENODEV;
}

static int supervisor_loop(struct supervisor *s)
{
	struct ublk_device *device = s->device;
	struct signalfd_siginfo signal;
	int err = 0, ready;

	while (!err) {
		struct pollfd events[] = {
			{ .fd = s->given_up ? device->ctrl.ring.ring_fd :
				s->ended_fd, .events = POLLIN },
			{ .fd = s->probed_fd, .events = POLLIN },
			{ .fd = s->server->signal_fd, .events = POLLIN },
		};
		/* Signals have to wait until the disk has been announced. */
		const nfds_t count = s->prober ? 2 : 3;

		ready = poll(events, count,
			     s->unrecorded ? s->record_wait : -1);
		if (!ready)
			supervisor_record(s);
		if (ready <= 0)
			continue;
		if (events[0].revents) {
			err = s->given_up ? fail_ended(s) : worker_ended(s);
			continue;
		}
		if (s->prober) {
			err = prober_ended(s);
			continue;
		}
		if (read(s->server->signal_fd, &signal, sizeof(signal)) < 0)
			continue;
		if (signal.ssi_signo == (uint32_t)HANDOVER_SIGNAL)
			err = supervisor_upgrade(s, &signal);
		else if (asked_to_end(s, signal.ssi_signo) && disk_stopped(s))
			return 0;
	}
	return err == -ENODEV ? 0 : err;
}

/*
 * Stops the disk, so that the worker gets its tags back and ends. A disk that
 * never appeared is not an error here.
 */
static void supervisor_end(struct supervisor *s)
{
	if (disk_stopped(s))
		worker_collect(s);
	else
		worker_kill(s);
	prober_collect(s);
	if (s->given_up)
		fail_end(&s->fail);
}

int supervise(struct server *server)
{
	struct ublk_device *device = server->device;
	struct supervisor s = {
		.server = server,
		.device = device,
		.ended_fd = -1,
		.live_fd = -1,
		.probed_fd = -1,
	};
	int id = device->info.dev_id;
	int err;

	err = worker_begin(&s, NULL);
	if (err)
		return err;
	err = ctrl_start_dev(&device->ctrl, id, s.worker, s.ended_fd);
	if (err) {
		message_fail(err, "cannot start device %d", id);
		worker_kill(&s);
	}
	if (!err)
		err = worker_live(&s);
	if (!err) {
		keep_one_tag(device);
		err = prober_begin(&s);
	}
	if (!err)
		err = supervisor_loop(&s);
	supervisor_end(&s);
	return err;
}

/* Runs from the time that a worker serves until the device has been deleted. */
static int supervisor_serve(struct supervisor *s)
{
	int err = supervisor_loop(s);
	int ended;

	supervisor_end(s);
	ended = device_end(s->device);
	return err ? err : ended;
}

int supervise_resumed(struct server *server)
{
	struct ublk_device *device = server->device;
	struct supervisor s = {
		.server = server,
		.device = device,
		.ended_fd = -1,
		.live_fd = -1,
		.probed_fd = -1,
	};
	int err;

	err = worker_replace(&s);
	if (err == -ENODEV)
		message("device %d: was stopped meanwhile",
			device->info.dev_id);
	if (err)
		return err;
	if (s.given_up)
		process_detach_failed();
	else if (prober_begin(&s))
		process_detach();
	return supervisor_serve(&s);
}

int supervise_failing(struct server *server)
{
	struct supervisor s = {
		.server = server,
		.device = server->device,
		.ended_fd = -1,
		.live_fd = -1,
		.probed_fd = -1,
	};
	int err = fail_all(&s);

	if (err)
		return err;
	process_detach_failed();
	err = supervisor_loop(&s);
	supervisor_end(&s);
	return err;
}

int supervise_continued(struct server *server, pid_t worker, int answer_fd)
{
	struct ublk_device *device = server->device;
	struct supervisor s = {
		.server = server,
		.device = device,
		.worker = worker,
		.served_from = clock_ms(),
		.live_fd = -1,
		.probed_fd = -1,
	};

	device->server_pid = worker;
	s.ended_fd = process_watch(worker);
	if (s.ended_fd < 0)
		return message_fail(s.ended_fd, "the server process");
	supervisor_record(&s);
	process_leave_caller();
	handover_answer(answer_fd, HANDOVER_DONE);
	return supervisor_serve(&s);
}
