// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk stat`: shows what servers have done, from the counters in the memory
 * that they share (core/counters.h). No server is asked, and none waits.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/lookup.h"
#include "commands/verb.h"
#include "core/buffers.h"
#include "core/counters.h"
#include "core/device.h"
#include "core/node.h"
#include "lib/build.h"
#include "lib/clock.h"
#include "lib/message.h"
#include "lib/output.h"
#include "lib/size.h"
#include "lib/whole-io.h"

/* For how long a look at latencies has them measured: as manual[] says. */
#define WATCH_SECONDS 300

#define INTERVAL_MAX 86400	/* seconds */
#define TIME_TEXT_MAX 24

struct stat_settings {
	int64_t interval;	/* seconds; 0: once */
	int64_t count;		/* 0: without end */
	bool latency;
	bool json;
	const char *prometheus;	/* a path, or `-` */
};

static const char manual[] =
"Prints a line for each device, or for each device named: how many requests its\n"
"server has answered since it began to count, and how many bytes it read and\n"
"wrote. DISCARDS includes requests to write zeroes. ERRORS are requests that\n"
"failed. HITS is the share of reads that an image's cache answered. DEATHS are\n"
"workers that died and were replaced. MEMORY is the resident memory of the\n"
"server's processes.\n"
"\n"
"With --interval, further lines have what was added in each interval.\n"
"\n"
"With --latency there is a line for each kind of request: how long the server\n"
"took from the arrival of a request to its answer, on average, for 50 and 99 of\n"
"100 requests, and at most. P50 and P99, and MAX of an interval, are rounded up\n"
"to a power of two. Measuring takes time, and is done only while somebody wants\n"
"to know: from the first --latency, --json or --prometheus until five minutes\n"
"after the last.\n"
"\n"
"--json and --prometheus print the counters since the server began to count,\n"
"also with --interval. A new worker and an upgrade go on counting; after\n"
"`ublk recover` a server starts anew.\n";

static const struct option_spec stat_options[] = {
	{ "interval", 'i', OPTION_NUMBER,
	  offsetof(struct stat_settings, interval), 1, INTERVAL_MAX, "SECONDS",
	  "print again after so many seconds, and so on" },
	{ "count", 'c', OPTION_NUMBER, offsetof(struct stat_settings, count),
	  1, 0, "N", "print so many times" },
	{ "latency", 'l', OPTION_FLAG, offsetof(struct stat_settings, latency),
	  0, 0, NULL, "show how long requests took" },
	{ "json", 0, OPTION_FLAG, offsetof(struct stat_settings, json), 0, 0,
	  NULL, "print a JSON array with all there is" },
	{ "prometheus", 0, OPTION_STRING,
	  offsetof(struct stat_settings, prometheus), 0, 0, "FILE",
	  "write a text file for Prometheus (-: standard output)" },
	{ 0 }
};

static const char *const op_names[COUNTERS_OPS] = {
	[UBLK_IO_OP_READ] = "read",
	[UBLK_IO_OP_WRITE] = "write",
	[UBLK_IO_OP_FLUSH] = "flush",
	[UBLK_IO_OP_DISCARD] = "discard",
	[UBLK_IO_OP_WRITE_ZEROES] = "write_zeroes",
	[COUNTERS_OTHER] = "other",
};

/* What was seen of one device at one time. */
struct sample {
	int id;
	const char *state;
	uint64_t since;		/* when it began to count, in milliseconds */
	uint64_t milliseconds;	/* from then on */
	uint32_t deaths;
	uint64_t memory;	/* bytes */
	struct counts counts;
};

struct samples {
	struct sample *list;
	int count;
};

/*
 * Opens the memfd with the buffers of a server, through its process. Returns the
 * descriptor, -ENOENT if it has none, or another -errno.
 */
static int open_buffers(pid_t pid, bool writes)
{
	static const char name[] = "/memfd:" BUFFERS_NAME;
	const int flags = (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
	struct dirent *entry;
	char text[64];
	struct stat st;
	int fd = -ENOENT;
	DIR *dir;

	snprintf(text, sizeof(text), "/proc/%d/fd", (int)pid);
	dir = opendir(text);
	if (!dir)
		return -errno;
	while (fd == -ENOENT && (entry = readdir(dir))) {
		if (readlinkat(dirfd(dir), entry->d_name, text,
			       sizeof(text)) < (ssize_t)sizeof(name) ||
		    memcmp(text, name, sizeof(name) - 1))
			continue;
		fd = openat(dirfd(dir), entry->d_name, flags);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	/* Nothing but a memfd: another file of that name would have a link. */
	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
			st.st_nlink)) {
		close(fd);
		fd = -ENOENT;
	}
	return fd;
}

/* The resident memory of a process in bytes, all of it or what is not shared. */
static uint64_t resident(pid_t pid, bool all)
{
	unsigned long long pages[3] = { 0 };	/* size, resident, shared */
	char text[128], *at = text;
	ssize_t length;
	int fd, i;

	snprintf(text, sizeof(text), "/proc/%d/statm", (int)pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	for (i = 0; i < 3; i++)
		pages[i] = strtoull(at, &at, 10);
	return (pages[1] - (all ? 0 : pages[2])) * sysconf(_SC_PAGESIZE);
}

/* Two processes share the program and the memory for requests. */
static uint64_t server_memory(const struct lookup *device)
{
	if (!device->worker || device->worker == device->pid)
		return resident(device->pid, true);
	return resident(device->worker, true) + resident(device->pid, false);
}

/* Takes what the counters in @fd say. @watch: asks for latencies as well. */
static int sample_counters(struct sample *sample, int fd, unsigned int watch,
			   const struct ublksrv_ctrl_dev_info *info)
{
	uint64_t offset = counters_offset(device_buffers_bytes(info));
	struct counters *counters =
		counters_view(fd, offset, info->nr_hw_queues, watch);

	if (!counters)
		return -ENOENT;
	if (watch)
		counters_watch(counters, watch);
	sample->since = counters->since;
	sample->milliseconds = clock_ms() - sample->since;
	sample->deaths = atomic_load(&counters->deaths);
	counters_sum(counters, info->nr_hw_queues, &sample->counts);
	counters_close(counters, info->nr_hw_queues);
	return 0;
}

/* Prints why the counters of a device cannot be read; returns @err. */
static int sample_failed(int id, int err)
{
	if (err == -ESRCH)
		message("device %d has no server", id);
	else if (err == -ENOENT)
		message("device %d: its server, another program or another "
			"version of ublk, has no counters that this one can read "
			"(`ublk upgrade %d` replaces an older one)", id, id);
	else
		lookup_failed(id, err);
	return err;
}

/* Returns 0 or -errno, and prints nothing: then sample_failed() prints why. */
static int sample_device(struct sample *sample, struct ublk_ctrl *ctrl, int id,
			 unsigned int watch)
{
	struct ublksrv_ctrl_dev_info info;
	struct lookup device;
	int err, fd;

	err = lookup_device(ctrl, id, &device);
	if (!err)
		err = ctrl_get_dev_info(ctrl, id, &info);
	if (err)
		return err;
	if (!device.pid)
		return -ESRCH;
	*sample = (struct sample){ .id = id, .state = device.state };
	fd = open_buffers(device.pid, watch);
	if (fd < 0)
		return fd;
	err = sample_counters(sample, fd, watch, &info);
	close(fd);
	sample->memory = server_memory(&device);
	return err;
}

/*
 * Takes a sample of each device named or, without a name, of each that has
 * counters. Returns an exit status; on failure there are samples of the others.
 */
static int take_samples(struct samples *samples, struct ublk_ctrl *ctrl,
			unsigned int watch, int argc, char **argv)
{
	int status = EXIT_DONE, count = argc, *ids = NULL;
	int i;

	*samples = (struct samples){ 0 };
	if (!argc)
		count = lookup_ids(&ids);
	if (count > 0) {
		samples->list = calloc(count, sizeof(*samples->list));
		if (!samples->list)
			count = -ENOMEM;
	}
	if (count < 0) {
		message_fail(count, "the list of devices");
		status = EXIT_FAILED;
	}
	for (i = 0; i < count; i++) {
		int id = ids ? ids[i] : lookup_parse_id(argv[i]);
		int err = sample_device(&samples->list[samples->count], ctrl,
					id, watch);

		if (!err) {
			samples->count++;
		} else if (argc) {
			sample_failed(id, err);
			status = EXIT_FAILED;
		}
	}
	free(ids);
	return status;
}

/* Reduces @now to what was added since @before, if the server is still that one. */
static void subtract(struct sample *now, const struct samples *before)
{
	const struct sample *old = before->list;
	const struct sample *end = old + before->count;
	unsigned int op, i;

	while (old < end && (old->id != now->id || old->since != now->since))
		old++;
	if (old == end)
		return;
	now->milliseconds -= old->milliseconds;
	now->deaths -= old->deaths;
	for (op = 0; op < COUNTERS_OPS; op++)
		for (i = 0; i < OP_COUNTS; i++)
			if (i != COUNT_LONGEST)
				now->counts.ops[op][i] -=
					old->counts.ops[op][i];
	for (i = 0; i < UBLK_COUNTS; i++)
		now->counts.others[i] -= old->counts.others[i];
}

/* How many latencies were measured. */
static uint64_t measured(const uint64_t op[OP_COUNTS])
{
	uint64_t count = 0;
	unsigned int i;

	for (i = 0; i < COUNTERS_BUCKETS; i++)
		count += op[COUNT_BUCKET + i];
	return count;
}

/*
 * The latency in nanoseconds that @percent of the requests did not exceed: the
 * bound of a bucket, but no more than the longest.
 */
static uint64_t quantile(const uint64_t op[OP_COUNTS], unsigned int percent)
{
	uint64_t count = measured(op), below = 0, bound;
	unsigned int i;

	for (i = 0; i < COUNTERS_BUCKETS - 1; i++) {
		below += op[COUNT_BUCKET + i];
		if (below >= count - count * (100 - percent) / 100)
			break;
	}
	bound = 1ULL << (COUNTERS_FIRST + i);
	return i == COUNTERS_BUCKETS - 1 || bound > op[COUNT_LONGEST] ?
	       op[COUNT_LONGEST] : bound;
}

static uint64_t mean(const uint64_t op[OP_COUNTS])
{
	uint64_t count = measured(op);

	return count ? op[COUNT_NS] / count : 0;
}

/* On a terminal the heading is underlined, as that of `ublk list`. */
static void print_heading(bool latency)
{
	bool terminal = isatty(STDOUT_FILENO);

	if (terminal)
		printf("\033[4m");
	if (latency)
		printf("%-4s %-12s %10s %10s %8s %8s %8s %8s", "ID", "REQUEST",
		       "ANSWERED", "MEASURED", "MEAN", "P50", "P99", "MAX");
	else
		printf("%-4s %8s %7s %8s %7s %7s %8s %6s %5s %6s %7s", "ID",
		       "READS", "READ", "WRITES", "WRITTEN", "FLUSHES",
		       "DISCARDS", "ERRORS", "HITS", "DEATHS", "MEMORY");
	printf("%s\n", terminal ? "\033[0m" : "");
}

static void print_row(const struct sample *sample)
{
	const uint64_t (*ops)[OP_COUNTS] = sample->counts.ops;
	const uint64_t *others = sample->counts.others;
	uint64_t pieces = others[UBLK_COUNT_HITS] + others[UBLK_COUNT_MISSES];
	char read[SIZE_TEXT_MAX], written[SIZE_TEXT_MAX], hits[8] = "-";
	char memory[SIZE_TEXT_MAX];
	uint64_t errors = 0;
	unsigned int op;

	for (op = 0; op < COUNTERS_OPS; op++)
		errors += ops[op][COUNT_ERRORS];
	if (pieces)
		snprintf(hits, sizeof(hits), "%u%%",
			 (unsigned int)(others[UBLK_COUNT_HITS] * 100 / pieces));
	printf("%-4d %8llu %7s %8llu %7s %7llu %8llu %6llu %5s %6u %7s\n",
	       sample->id,
	       (unsigned long long)ops[UBLK_IO_OP_READ][COUNT_REQUESTS],
	       size_text(ops[UBLK_IO_OP_READ][COUNT_BYTES], read),
	       (unsigned long long)ops[UBLK_IO_OP_WRITE][COUNT_REQUESTS],
	       size_text(ops[UBLK_IO_OP_WRITE][COUNT_BYTES], written),
	       (unsigned long long)ops[UBLK_IO_OP_FLUSH][COUNT_REQUESTS],
	       (unsigned long long)(
		       ops[UBLK_IO_OP_DISCARD][COUNT_REQUESTS] +
		       ops[UBLK_IO_OP_WRITE_ZEROES][COUNT_REQUESTS]),
	       (unsigned long long)errors, hits, (unsigned int)sample->deaths,
	       size_text(sample->memory, memory));
}

/* Formats a time in its largest unit: 512ns, 4.1us, 131us, 2.0s. */
static const char *time_text(uint64_t ns, char text[TIME_TEXT_MAX])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	uint64_t scale = 1;
	unsigned int unit = 0;

	while (unit < 3 && ns / scale >= 1000) {
		scale *= 1000;
		unit++;
	}
	if (unit && ns / scale < 10)
		snprintf(text, TIME_TEXT_MAX, "%llu.%llu%s",
			 (unsigned long long)(ns / scale),
			 (unsigned long long)(ns % scale / (scale / 10)),
			 units[unit]);
	else
		snprintf(text, TIME_TEXT_MAX, "%llu%s",
			 (unsigned long long)(ns / scale), units[unit]);
	return text;
}

static void print_latencies(const struct sample *sample)
{
	char average[TIME_TEXT_MAX], half[TIME_TEXT_MAX], most[TIME_TEXT_MAX];
	char all[TIME_TEXT_MAX];
	unsigned int i;

	for (i = 0; i < COUNTERS_OPS; i++) {
		const uint64_t *op = sample->counts.ops[i];

		if (!op[COUNT_REQUESTS])
			continue;
		printf("%-4d %-12s %10llu ", sample->id, op_names[i],
		       (unsigned long long)op[COUNT_REQUESTS]);
		if (measured(op))
			printf("%10llu %8s %8s %8s %8s\n",
			       (unsigned long long)measured(op),
			       time_text(mean(op), average),
			       time_text(quantile(op, 50), half),
			       time_text(quantile(op, 99), most),
			       time_text(quantile(op, 100), all));
		else
			printf("%10s %8s %8s %8s %8s\n", "0", "-", "-", "-",
			       "-");
	}
}

static void print_table(const struct samples *samples, bool latency)
{
	int i;

	if (samples->count)
		print_heading(latency);
	for (i = 0; i < samples->count; i++)
		if (latency)
			print_latencies(&samples->list[i]);
		else
			print_row(&samples->list[i]);
}

/* The buckets that are not empty, as pairs of bound and requests. */
static void json_histogram(const uint64_t op[OP_COUNTS])
{
	const char *before = "";
	unsigned int i;

	for (i = 0; i < COUNTERS_BUCKETS; i++) {
		if (!op[COUNT_BUCKET + i])
			continue;
		if (i < COUNTERS_BUCKETS - 1)
			printf("%s[%llu, ", before, 1ULL << (COUNTERS_FIRST + i));
		else
			printf("%s[null, ", before);
		printf("%llu]", (unsigned long long)op[COUNT_BUCKET + i]);
		before = ", ";
	}
}

static void json_op(const char *name, const uint64_t op[OP_COUNTS])
{
	printf("\"%s\": {\"requests\": %llu, \"bytes\": %llu, "
	       "\"errors\": %llu, \"measured\": %llu, \"total_ns\": %llu, "
	       "\"mean_ns\": %llu, \"p50_ns\": %llu, \"p99_ns\": %llu, "
	       "\"max_ns\": %llu, \"histogram_ns\": [", name,
	       (unsigned long long)op[COUNT_REQUESTS],
	       (unsigned long long)op[COUNT_BYTES],
	       (unsigned long long)op[COUNT_ERRORS],
	       (unsigned long long)measured(op),
	       (unsigned long long)op[COUNT_NS],
	       (unsigned long long)mean(op),
	       (unsigned long long)quantile(op, 50),
	       (unsigned long long)quantile(op, 99),
	       (unsigned long long)op[COUNT_LONGEST]);
	json_histogram(op);
	printf("]}");
}

static void json_device(const struct sample *sample)
{
	const uint64_t *others = sample->counts.others;
	char node[DEVICE_NODE_MAX];
	unsigned int i;

	device_node(sample->id, node);
	printf("{\"id\": %d, \"node\": \"%s\", \"state\": \"%s\", "
	       "\"milliseconds\": %llu, \"deaths\": %u, \"memory\": %llu, "
	       "\"cache_hits\": %llu, \"cache_misses\": %llu, "
	       "\"cache_loads\": %llu, \"cow_bytes\": %llu", sample->id, node,
	       sample->state, (unsigned long long)sample->milliseconds,
	       (unsigned int)sample->deaths,
	       (unsigned long long)sample->memory,
	       (unsigned long long)others[UBLK_COUNT_HITS],
	       (unsigned long long)others[UBLK_COUNT_MISSES],
	       (unsigned long long)others[UBLK_COUNT_LOADS],
	       (unsigned long long)others[UBLK_COUNT_KEPT]);
	for (i = 0; i < COUNTERS_OPS; i++) {
		printf(",\n   ");
		json_op(op_names[i], sample->counts.ops[i]);
	}
	printf("}");
}

static void print_json(const struct samples *samples)
{
	int i;

	putchar('[');
	for (i = 0; i < samples->count; i++) {
		printf("%s\n  ", i ? "," : "");
		json_device(&samples->list[i]);
	}
	puts(i ? "\n]" : "]");
}

/*
 * Prometheus' text format, version 0.0.4. All lines of a metric stand together,
 * after the lines that explain it.
 */
static void prometheus_metric(FILE *out, const char *name, const char *type,
			      const char *help)
{
	fprintf(out, "# HELP ublk_%s %s\n# TYPE ublk_%s %s\n", name, help, name,
		type);
}

/* A metric of devices: the value is the uint64_t at @offset of the sample. */
static void prometheus_devices(FILE *out, const struct samples *samples,
			       const char *name, const char *help,
			       size_t offset)
{
	int i;

	prometheus_metric(out, name, "counter", help);
	for (i = 0; i < samples->count; i++) {
		const char *at = (const char *)&samples->list[i] + offset;

		fprintf(out, "ublk_%s{device=\"ublkb%d\"} %llu\n", name,
			samples->list[i].id,
			(unsigned long long)*(const uint64_t *)at);
	}
}

/* A metric of operations: the value is the one at @what. */
static void prometheus_ops(FILE *out, const struct samples *samples,
			   const char *name, const char *help,
			   unsigned int what)
{
	unsigned int op;
	int i;

	prometheus_metric(out, name, "counter", help);
	for (i = 0; i < samples->count; i++)
		for (op = 0; op < COUNTERS_OPS; op++)
			fprintf(out, "ublk_%s{device=\"ublkb%d\","
				"operation=\"%s\"} %llu\n", name,
				samples->list[i].id, op_names[op],
				(unsigned long long)
				samples->list[i].counts.ops[op][what]);
}

static void prometheus_seconds(FILE *out, uint64_t ns)
{
	fprintf(out, "%llu.%09llu", (unsigned long long)(ns / 1000000000),
		(unsigned long long)(ns % 1000000000));
}

/* The histogram of one operation: the requests up to each bound. */
static void prometheus_histogram(FILE *out, int id, const char *name,
				 const uint64_t op[OP_COUNTS])
{
	uint64_t below = 0;
	unsigned int i;

	for (i = 0; i < COUNTERS_BUCKETS; i++) {
		below += op[COUNT_BUCKET + i];
		fprintf(out, "ublk_request_seconds_bucket{device=\"ublkb%d\","
			"operation=\"%s\",le=\"", id, name);
		if (i < COUNTERS_BUCKETS - 1)
			prometheus_seconds(out, 1ULL << (COUNTERS_FIRST + i));
		else
			fputs("+Inf", out);
		fprintf(out, "\"} %llu\n", (unsigned long long)below);
	}
	fprintf(out, "ublk_request_seconds_sum{device=\"ublkb%d\","
		"operation=\"%s\"} ", id, name);
	prometheus_seconds(out, op[COUNT_NS]);
	fprintf(out, "\nublk_request_seconds_count{device=\"ublkb%d\","
		"operation=\"%s\"} %llu\n", id, name,
		(unsigned long long)below);
}

static void prometheus_text(FILE *out, const struct samples *samples)
{
	unsigned int op;
	int i;

	prometheus_ops(out, samples, "requests_total", "Requests answered.",
		       COUNT_REQUESTS);
	prometheus_ops(out, samples, "bytes_total",
		       "Bytes of requests that succeeded.", COUNT_BYTES);
	prometheus_ops(out, samples, "errors_total", "Requests that failed.",
		       COUNT_ERRORS);
	prometheus_metric(out, "request_seconds", "histogram",
			  "From the arrival of a request to its answer, "
			  "measured while somebody asks for it.");
	for (i = 0; i < samples->count; i++)
		for (op = 0; op < COUNTERS_OPS; op++)
			prometheus_histogram(out, samples->list[i].id,
					     op_names[op],
					     samples->list[i].counts.ops[op]);
#define OTHER(count) offsetof(struct sample, counts.others[count])
	prometheus_devices(out, samples, "cache_hits_total",
			   "Pieces of requests that the cache had.",
			   OTHER(UBLK_COUNT_HITS));
	prometheus_devices(out, samples, "cache_misses_total",
			   "Pieces of requests that waited for the cache.",
			   OTHER(UBLK_COUNT_MISSES));
	prometheus_devices(out, samples, "cache_loads_total",
			   "Chunks that were loaded into the cache.",
			   OTHER(UBLK_COUNT_LOADS));
	prometheus_devices(out, samples, "cow_bytes_total",
			   "Bytes of blocks that copy on write began to keep.",
			   OTHER(UBLK_COUNT_KEPT));
	prometheus_metric(out, "worker_deaths_total", "counter",
			  "Workers that died and were replaced.");
	for (i = 0; i < samples->count; i++)
		fprintf(out, "ublk_worker_deaths_total{device=\"ublkb%d\"} "
			"%u\n", samples->list[i].id,
			(unsigned int)samples->list[i].deaths);
	prometheus_metric(out, "memory_bytes", "gauge",
			  "Resident memory of the server's processes.");
	for (i = 0; i < samples->count; i++)
		fprintf(out, "ublk_memory_bytes{device=\"ublkb%d\"} %llu\n",
			samples->list[i].id,
			(unsigned long long)samples->list[i].memory);
}

/* Writes @length bytes of @text to a file that appears when it is complete. */
static int write_file(const char *path, const char *text, size_t length)
{
	struct output output;
	int err = output_create(&output, path, true);

	if (err)
		return err;
	err = whole_write(output.fd, text, length);
	if (err) {
		message_fail(err, "%s", path);
		output_abandon(&output);
		return err;
	}
	return output_commit(&output);
}

static int write_prometheus(const struct samples *samples, const char *path)
{
	char *text = NULL;
	size_t length;
	FILE *memory;
	int err;

	if (!strcmp(path, "-")) {
		prometheus_text(stdout, samples);
		return 0;
	}
	memory = open_memstream(&text, &length);
	if (!memory)
		return message_fail(errno, "%s", path);
	prometheus_text(memory, samples);
	err = fclose(memory) ? message_fail(errno, "%s", path) :
	      write_file(path, text, length);
	free(text);
	return err;
}

/* Prints the samples; as a table, what was added since @before. */
static int print_samples(const struct stat_settings *settings,
			 struct samples *samples, const struct samples *before)
{
	struct samples added = { NULL, samples->count };
	int i;

	if (settings->prometheus)
		return write_prometheus(samples, settings->prometheus);
	if (settings->json) {
		print_json(samples);
		return 0;
	}
	if (samples->count) {
		added.list = malloc(samples->count * sizeof(*added.list));
		if (!added.list)
			return message_fail(ENOMEM, "devices");
		memcpy(added.list, samples->list,
		       samples->count * sizeof(*added.list));
	}
	for (i = 0; i < added.count; i++)
		subtract(&added.list[i], before);
	print_table(&added, settings->latency);
	free(added.list);
	return 0;
}

static int stat_loop(const struct stat_settings *settings,
		     struct ublk_ctrl *ctrl, int argc, char **argv)
{
	const bool latencies = settings->latency || settings->json ||
			       settings->prometheus;
	const unsigned int watch =
		latencies ? WATCH_SECONDS + settings->interval : 0;
	struct samples samples, before = { 0 };
	uint64_t next = clock_ms();
	int64_t left = settings->interval ? settings->count : 1;
	int status;

	for (;;) {
		status = take_samples(&samples, ctrl, watch, argc, argv);
		if (print_samples(settings, &samples, &before))
			status = EXIT_FAILED;
		if (fflush(stdout) || ferror(stdout)) {
			message_fail(errno, "standard output");
			status = EXIT_FAILED;
		}
		free(before.list);
		before = samples;
		if (!--left || status != EXIT_DONE)
			break;
		if (left < 0)
			left = 0;
		next += settings->interval * 1000;
		while (clock_ms() < next)
			clock_sleep_ms(next - clock_ms());
		if (!settings->json && !settings->prometheus && before.count)
			putchar('\n');
	}
	free(before.list);
	return status;
}

static int stat_run(const void *values, int argc, char **argv)
{
	const struct stat_settings *settings = values;
	struct ublk_ctrl ctrl;
	int status, i;

	if (settings->latency + settings->json + !!settings->prometheus > 1) {
		message("stat: --latency, --json and --prometheus exclude each "
			"other");
		return EXIT_USAGE;
	}
	if (settings->count && !settings->interval) {
		message("stat: --count needs an --interval");
		return EXIT_USAGE;
	}
	for (i = 0; i < argc; i++)
		if (lookup_parse_id(argv[i]) < 0)
			return EXIT_USAGE;
	if (ctrl_open(&ctrl))
		return EXIT_FAILED;
	status = stat_loop(settings, &ctrl, argc, argv);
	ctrl_close(&ctrl);
	return status;
}

const struct verb verb_stat = {
	.name = "stat",
	.arguments = "[ID|NODE...]",
	.summary = "show what servers have done",
	.manual = MANUAL(manual),
	.options = stat_options,
	.settings_size = sizeof(struct stat_settings),
	.max_arguments = -1,
	.run = stat_run,
};
