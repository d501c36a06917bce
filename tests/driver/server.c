// SPDX-License-Identifier: GPL-2.0
/*
 * A block server for tests of the driver: serves a file or nothing over the raw
 * interface, with any feature of the driver, synchronously and slowly. It can
 * end itself at any step of its start and in every way a process can end. It
 * can also send the control commands that a test needs.
 */
#include "tests/driver/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
"Usage: server [OPTION]... --file PATH | --null     serve\n"
"       server --recover ID --file PATH | --null    serve what a server left\n"
"       server --stop|--delete|--delete-async|--info ID\n"
"       server --resize ID SECTORS | --quiesce ID MS | --features\n"
"\n"
"  --id N  --queues N  --depth N  --max-io BYTES  --size BYTES\n"
"  --need-get-data  --user-copy  --unprivileged  --recovery wait|reissue|fail\n"
"  --per-io-daemon      each tag has a task of its own...\n"
"  --threads N          ...of so many for each queue\n"
"  --scan               partitions are looked for when the disk appears\n"
"  --delay USEC         sleep before each answer...\n"
"  --delay-before N     ...to requests that begin before sector N only\n"
"  --silent             answer nothing any more once it is live, and write a line\n"
"                       to standard error for each request that is kept so\n"
"  --die-at STEP        kill itself at: opened, added, params, char,\n"
"                       fetched-one, fetched-half, fetched, starting (START_DEV\n"
"                       waits for half of the first queue), serving (the first\n"
"                       request), get-data, started; with --recover: opened,\n"
"                       recovering, and from char on as above\n"
"  --end-by WAY         on SIGUSR2: exit; crash, by a store to where nothing is;\n"
"                       exec, the main thread executes sleep(1); exec-thread,\n"
"                       one of the first queue does\n"
"\n"
"Prints /dev/ublkbN when it is live, and ends when the driver aborts all its\n"
"commands. SIGUSR1 ends one thread of the first queue and nothing else.\n"
"Exit status: 0, 1 failed, 2 wrong usage, 3 the driver does not offer it.\n";

/* Settings. */
static struct {
	int id;
	int recover;
	unsigned int queues, depth, threads, max_io, delay;
	uint64_t delay_before;
	uint64_t size, flags;
	const char *file, *die_at, *end_by;
	bool null, scan, silent;
} want = {
	.id = -1, .recover = -1, .queues = 1, .depth = 32, .threads = 1,
	.max_io = 128 << 10,
};

static const struct {
	const char *name;
	uint64_t flag;
} features[] = {
	{ "zero-copy", UBLK_F_SUPPORT_ZERO_COPY },
	{ "comp-in-task", UBLK_F_URING_CMD_COMP_IN_TASK },
	{ "need-get-data", UBLK_F_NEED_GET_DATA },
	{ "recovery", UBLK_F_USER_RECOVERY },
	{ "recovery-reissue", UBLK_F_USER_RECOVERY_REISSUE },
	{ "unprivileged", UBLK_F_UNPRIVILEGED_DEV },
	{ "ioctl-encode", UBLK_F_CMD_IOCTL_ENCODE },
	{ "user-copy", UBLK_F_USER_COPY },
	{ "zoned", UBLK_F_ZONED },
	{ "recovery-fail-io", UBLK_F_USER_RECOVERY_FAIL_IO },
	{ "update-size", UBLK_F_UPDATE_SIZE },
	{ "auto-buf-reg", UBLK_F_AUTO_BUF_REG },
	{ "quiesce", UBLK_F_QUIESCE },
	{ "per-io-daemon", UBLK_F_PER_IO_DAEMON },
};

static struct raw_ctrl ctrl;
static struct ublksrv_ctrl_dev_info device;
static int cdev, backing = -1;
static sem_t fetched;
static atomic_bool live;

/* A thread: for a queue or, with PER_IO_DAEMON, for every n-th tag of it. */
struct worker {
	pthread_t thread;
	struct raw_queue queue;
	unsigned int number;
	unsigned int first_tag, stride;
	char *copy;		/* USER_COPY: the data of a request */
};

__attribute__((format(printf, 2, 3), noreturn))
static void die(int err, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "server: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, err ? ": %s\n" : "\n", strerror(-err));
	exit(1);
}

static void need(int err, const char *what)
{
	if (err < 0)
		die(err, "%s", what);
}

static bool dies_at(const char *step)
{
	return want.die_at && !strcmp(want.die_at, step);
}

static void step(const char *name)
{
	if (!dies_at(name))
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Reads or writes everything; beyond the end of the file, reads as zeroes. */
static int file_io(bool write, char *data, size_t len, off_t offset)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write ? pwrite(backing, data + done, len - done,
				   offset + done) :
			    pread(backing, data + done, len - done,
				  offset + done);
		if (n < 0)
			return -errno;
		if (!n) {
			memset(data + done, 0, len - done);
			break;
		}
		done += n;
	}
	return len;
}

/*
 * Copies between the request and the server's memory, if the driver does not.
 */
static int user_copy(struct worker *worker, bool to_request, unsigned int tag,
		     size_t len)
{
	off_t place = raw_copy_offset(worker->queue.id, tag, 0);
	ssize_t n;

	n = to_request ? pwrite(cdev, worker->copy, len, place) :
			 pread(cdev, worker->copy, len, place);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int file_flush(void)
{
	return fdatasync(backing) ? -errno : 0;
}

static int file_zero(off_t offset, off_t len)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(backing, mode, offset, len) ? -errno : 0;
}

static int do_read(struct worker *worker, unsigned int tag, size_t len,
		   off_t offset)
{
	char *data = worker->copy ? worker->copy :
		     raw_data(&worker->queue, tag);
	int err = 0;

	if (want.null)
		memset(data, 0, len);
	else
		err = file_io(false, data, len, offset);
	if (err >= 0 && worker->copy)
		err = user_copy(worker, true, tag, len);
	return err < 0 ? err : (int)len;
}

static int do_write(struct worker *worker, unsigned int tag, size_t len,
		    off_t offset, bool fua)
{
	char *data = worker->copy ? worker->copy :
		     raw_data(&worker->queue, tag);
	int err = 0;

	if (worker->copy)
		err = user_copy(worker, false, tag, len);
	if (!err && !want.null)
		err = file_io(true, data, len, offset);
	if (err >= 0 && fua && !want.null)
		err = file_flush();
	return err < 0 ? err : (int)len;
}

/* Returns the result of a request. */
static int handle(struct worker *worker, unsigned int tag)
{
	const struct ublksrv_io_desc *desc = &worker->queue.desc[tag];
	off_t offset = desc->start_sector << 9;
	size_t len = (size_t)desc->nr_sectors << 9;

	switch (ublksrv_get_op(desc)) {
	case UBLK_IO_OP_READ:
		return do_read(worker, tag, len, offset);
	case UBLK_IO_OP_WRITE:
		return do_write(worker, tag, len, offset,
				desc->op_flags & UBLK_IO_F_FUA);
	case UBLK_IO_OP_FLUSH:
		return want.null ? 0 : file_flush();
	case UBLK_IO_OP_DISCARD:
	case UBLK_IO_OP_WRITE_ZEROES:
		return want.null ? 0 : file_zero(offset, len);
	default:
		return -EOPNOTSUPP;
	}
}

static void completed(struct worker *worker, const struct raw_done *done)
{
	int result;

	step("serving");
	if (want.silent && live) {
		fprintf(stderr, "server: queue %u keeps tag %u\n",
			worker->queue.id, done->tag);
		return;
	}
	if (done->result == UBLK_IO_RES_NEED_GET_DATA) {
		step("get-data");
		raw_get_data(&worker->queue, done->tag);
		return;
	}
	result = handle(worker, done->tag);
	if (want.delay && (!want.delay_before ||
			   worker->queue.desc[done->tag].start_sector <
				   want.delay_before))
		usleep(want.delay);
	raw_commit(&worker->queue, done->tag, result);
}

/* Fetches all tags. Returns how many. */
static unsigned int fetch_all(struct worker *worker)
{
	struct raw_queue *queue = &worker->queue;
	unsigned int tag, n = 0;

	for (tag = worker->first_tag; tag < queue->depth;
	     tag += worker->stride) {
		if (n == 1 && !worker->number) {
			raw_submit(queue);
			step("fetched-one");
		}
		if (tag >= queue->depth / 2 && !worker->number) {
			raw_submit(queue);
			step("fetched-half");
			if (dies_at("starting")) {
				sem_post(&fetched);
				for (;;)
					pause();
			}
		}
		raw_fetch(queue, tag);
		n++;
	}
	raw_submit(queue);
	sem_post(&fetched);
	return n;
}

/* The thread has nothing that others could wait for: it only copies. */
static void end_thread(int signal)
{
	(void)signal;
	pthread_exit(NULL);
}

/* Nothing is closed, cancelled or waited for before the end. */
static atomic_bool ending;

static void end_process(int signal)
{
	static char *volatile nowhere;

	(void)signal;
	ending = true;
	if (!strcmp(want.end_by, "exit"))
		_exit(0);
	if (!strcmp(want.end_by, "crash"))
		*nowhere = 1;
	execl("/bin/sleep", "sleep", "600", (char *)NULL);
	_exit(1);
}

/* For signals that are meant for one thread only. */
static void change_mask(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	pthread_sigmask(how, &set, NULL);
}

static bool ends_by_thread(void)
{
	return want.end_by && !strcmp(want.end_by, "exec-thread");
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned int tags;
	struct raw_done done;

	need(raw_queue_open(&worker->queue, &ctrl, cdev,
			    worker->number % device.nr_hw_queues,
			    device.queue_depth,
			    device.flags & UBLK_F_USER_COPY ? 0 :
			    device.max_io_buf_bytes), "queue");
	if (device.flags & UBLK_F_USER_COPY) {
		worker->copy = malloc(device.max_io_buf_bytes);
		if (!worker->copy)
			die(-ENOMEM, "buffer");
	}
	if (!worker->number) {
		change_mask(SIG_UNBLOCK, SIGUSR1);
		if (ends_by_thread())
			change_mask(SIG_UNBLOCK, SIGUSR2);
	}
	tags = fetch_all(worker);
	while (tags) {
		need(raw_reap(&worker->queue, &done, INT_MAX), "wait");
		if (done.result == UBLK_IO_RES_ABORT) {
			tags--;
			continue;
		}
		/*
		 * At an exec, the device is dead before the other threads have
		 * ended.
		 */
		while (done.result < 0 && ending)
			pause();
		if (done.result < 0)
			die(done.result, "queue %u tag %u: command %#x",
			    worker->queue.id, done.tag, done.op);
		completed(worker, &done);
	}
	return NULL;
}

/* Features that have no effect until they are used: requested if offered. */
static uint64_t useful_flags(void)
{
	uint64_t flags = UBLK_F_CMD_IOCTL_ENCODE | UBLK_F_UPDATE_SIZE;

	if (want.flags & UBLK_F_USER_RECOVERY)
		flags |= UBLK_F_QUIESCE;
	return flags & ctrl.features;
}

static void add(void)
{
	static char path[32];
	struct ublk_params params;

	if (!want.size && want.null)
		want.size = 64 << 20;
	device = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = want.queues,
		.queue_depth = want.depth,
		.max_io_buf_bytes = want.max_io,
		.dev_id = want.id,
		.flags = want.flags | UBLK_F_URING_CMD_COMP_IN_TASK |
			 (want.scan ? 0 : UBLK_F_NO_AUTO_PART_SCAN) |
			 useful_flags(),
	};
	need(raw_add(&ctrl, &device), "ADD_DEV");
	snprintf(path, sizeof(path), "/dev/ublkc%u", device.dev_id);
	if (device.flags & UBLK_F_UNPRIVILEGED_DEV)
		ctrl.path = path;
	step("added");
	raw_params(&params, want.size, device.max_io_buf_bytes);
	need(raw_set_params(&ctrl, device.dev_id, &params), "SET_PARAMS");
	step("params");
}

static void take_over(void)
{
	int err;

	/* The dead server may not be completely gone. */
	do {
		err = raw_start_recovery(&ctrl, want.recover);
	} while (err == -EBUSY && !usleep(1000));
	need(err, "START_USER_RECOVERY");
	step("recovering");
	need(raw_info(&ctrl, want.recover, &device), "GET_DEV_INFO");
}

static void start(void)
{
	int err;

	if (want.recover >= 0)
		err = raw_end_recovery_send(&ctrl, device.dev_id, getpid());
	else
		err = raw_start_send(&ctrl, device.dev_id, getpid());
	need(err, "send");
	if (dies_at("starting")) {
		err = raw_ctrl_answer(&ctrl, 100);
		if (err != -ETIME)
			die(err, "START does not wait for all tags");
		step("starting");
	}
	need(raw_ctrl_answer(&ctrl, RAW_PATIENCE_MS),
	     want.recover >= 0 ? "END_USER_RECOVERY" : "START_DEV");
	step("started");
}

static int serve(void)
{
	unsigned int i, n;
	struct worker *workers;
	struct stat stat;

	if (want.file) {
		backing = open(want.file, O_RDWR | O_CLOEXEC);
		if (backing < 0 || fstat(backing, &stat))
			die(-errno, "%s", want.file);
		if (!want.size)
			want.size = S_ISREG(stat.st_mode) ? stat.st_size :
				    lseek(backing, 0, SEEK_END);
	}
	/* Allocations for our answers must not wait for our disk. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	change_mask(SIG_BLOCK, SIGUSR1);
	signal(SIGUSR1, end_thread);
	if (want.end_by) {
		change_mask(SIG_BLOCK, SIGUSR2);
		signal(SIGUSR2, end_process);
	}

	if (want.recover >= 0)
		take_over();
	else
		add();
	cdev = raw_open_char(device.dev_id, 5000);
	need(cdev, "/dev/ublkc");
	step("char");
	n = device.nr_hw_queues;
	if (device.flags & UBLK_F_PER_IO_DAEMON)
		n *= want.threads;
	workers = calloc(n, sizeof(*workers));
	sem_init(&fetched, 0, 0);
	for (i = 0; i < n; i++) {
		workers[i].number = i;
		workers[i].first_tag = i / device.nr_hw_queues;
		workers[i].stride = n / device.nr_hw_queues;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die(0, "cannot start a thread");
	}
	for (i = 0; i < n; i++)
		sem_wait(&fetched);
	step("fetched");
	start();
	live = true;
	if (want.end_by && !ends_by_thread())
		change_mask(SIG_UNBLOCK, SIGUSR2);
	printf("/dev/ublkb%u\n", device.dev_id);
	fflush(stdout);
	for (i = 0; i < n; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}

static int info(int id)
{
	static const char *const states[] = {
		[UBLK_S_DEV_DEAD] = "dead", [UBLK_S_DEV_LIVE] = "live",
		[UBLK_S_DEV_QUIESCED] = "quiesced",
		[UBLK_S_DEV_FAIL_IO] = "fail-io",
	};
	int err = raw_info(&ctrl, id, &device);

	if (err)
		return err;
	printf("id=%u\nstate=%s\nqueues=%u\ndepth=%u\nmax-io=%u\npid=%d\n"
	       "flags=%#" PRIx64 "\nowner=%u:%u\n", device.dev_id,
	       device.state < 4 ? states[device.state] : "?",
	       device.nr_hw_queues, device.queue_depth,
	       device.max_io_buf_bytes, device.ublksrv_pid,
	       (uint64_t)device.flags, device.owner_uid, device.owner_gid);
	return 0;
}

static int print_features(void)
{
	size_t i;

	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (ctrl.features & features[i].flag)
			puts(features[i].name);
	return 0;
}

/* Sends one control command, without serving. */
static int control(char command, int id, uint64_t number)
{
	int err;

	switch (command) {
	case 'S': err = raw_stop(&ctrl, id); break;
	case 'D': err = raw_del(&ctrl, id); break;
	case 'A': err = raw_del_async(&ctrl, id); break;
	case 'R': err = raw_update_size(&ctrl, id, number); break;
	case 'Q': err = raw_quiesce(&ctrl, id, number); break;
	case 'I': err = info(id); break;
	default: err = print_features(); break;
	}
	need(err, "command");
	return 0;
}

static const struct option options[] = {
	{ "stop", required_argument, NULL, 'S' },
	{ "delete", required_argument, NULL, 'D' },
	{ "delete-async", required_argument, NULL, 'A' },
	{ "resize", required_argument, NULL, 'R' },
	{ "quiesce", required_argument, NULL, 'Q' },
	{ "info", required_argument, NULL, 'I' },
	{ "features", no_argument, NULL, 'F' },
	{ "file", required_argument, NULL, 'f' },
	{ "null", no_argument, NULL, 'n' },
	{ "recover", required_argument, NULL, 'r' },
	{ "id", required_argument, NULL, 'i' },
	{ "queues", required_argument, NULL, 'q' },
	{ "depth", required_argument, NULL, 'd' },
	{ "max-io", required_argument, NULL, 'm' },
	{ "size", required_argument, NULL, 's' },
	{ "need-get-data", no_argument, NULL, 'g' },
	{ "user-copy", no_argument, NULL, 'c' },
	{ "unprivileged", no_argument, NULL, 'u' },
	{ "per-io-daemon", no_argument, NULL, 'p' },
	{ "threads", required_argument, NULL, 't' },
	{ "recovery", required_argument, NULL, 'y' },
	{ "delay", required_argument, NULL, 'w' },
	{ "delay-before", required_argument, NULL, 'b' },
	{ "scan", no_argument, NULL, 'l' },
	{ "silent", no_argument, NULL, 'z' },
	{ "end-by", required_argument, NULL, 'e' },
	{ "die-at", required_argument, NULL, 'x' },
	{ 0 },
};

__attribute__((noreturn)) static void wrong(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint64_t recovery_flags(const char *name)
{
	if (!strcmp(name, "wait"))
		return UBLK_F_USER_RECOVERY;
	if (!strcmp(name, "reissue"))
		return UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE;
	if (!strcmp(name, "fail"))
		return UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_FAIL_IO;
	wrong();
}

static void option(int letter)
{
	switch (letter) {
	case 'f': want.file = optarg; break;
	case 'n': want.null = true; break;
	case 'r': want.recover = atoi(optarg); break;
	case 'i': want.id = atoi(optarg); break;
	case 'q': want.queues = atoi(optarg); break;
	case 'd': want.depth = atoi(optarg); break;
	case 'm': want.max_io = atoi(optarg); break;
	case 's': want.size = strtoull(optarg, NULL, 0); break;
	case 'g': want.flags |= UBLK_F_NEED_GET_DATA; break;
	case 'c': want.flags |= UBLK_F_USER_COPY; break;
	case 'u': want.flags |= UBLK_F_UNPRIVILEGED_DEV; break;
	case 'p': want.flags |= UBLK_F_PER_IO_DAEMON; break;
	case 'l': want.scan = true; break;
	case 't': want.threads = atoi(optarg); break;
	case 'y': want.flags |= recovery_flags(optarg); break;
	case 'w': want.delay = atoi(optarg); break;
	case 'b': want.delay_before = strtoull(optarg, NULL, 0); break;
	case 'z': want.silent = true; break;
	case 'e': want.end_by = optarg; break;
	case 'x': want.die_at = optarg; break;
	default: wrong();
	}
}

int main(int argc, char *argv[])
{
	int letter, command = 0, id = -1;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (letter >= 'A' && letter <= 'Z') {
			command = letter;
			id = optarg ? atoi(optarg) : -1;
		} else {
			option(letter);
		}
	}
	if (argc - optind != (command == 'R' || command == 'Q'))
		wrong();
	if (!command && !want.file && !want.null)
		wrong();
	need(raw_ctrl_open(&ctrl), "/dev/ublk-control");
	if (command)
		return control(command, id, argv[optind] ?
			       strtoull(argv[optind], NULL, 0) : 0);
	if (want.flags & ~ctrl.features) {
		fprintf(stderr, "server: the driver does not offer %#" PRIx64
			"\n", want.flags & ~ctrl.features);
		return 3;
	}
	step("opened");
	return serve();
}
