// SPDX-License-Identifier: GPL-2.0
/*
 * Finds users of a disk. Looks first for claims that the kernel shows, because
 * they are what the user cares about, then for programs that have the disk
 * open. It never follows a path into a filesystem that may not respond.
 */
#include "core/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/identity.h"
#include "core/node.h"
#include "core/process.h"
#include "core/record.h"
#include "lib/clock.h"
#include "lib/key-value.h"
#include "lib/message.h"

#define NODES_MAX 257		/* the disk and 256 partitions */
#define PATH_BYTES 320
#define TICK_MS 50

/* The open of a claimed disk fails at once, even if nothing serves the disk. */
#define ASK_MS 1000

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_NONE };

/* Words of a line of mountinfo, up to the mount point. */
enum { MOUNT_DEV = 2, MOUNT_WORDS = 5 };

struct search {
	int id;
	dev_t nodes[NODES_MAX];
	unsigned int count;
	struct holder *holder;
	bool found;
};

__attribute__((format(printf, 2, 3)))
static bool holders_found(struct search *search, const char *format, ...)
{
	char *text = search->holder->text;
	va_list args;

	va_start(args, format);
	vsnprintf(text, HOLDER_MAX, format, args);
	va_end(args);
	/* Names may contain any byte. */
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
	search->found = true;
	return true;
}

/* Reads the first line of a file; an empty one if there is none. */
static bool holders_read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");

	*line = '\0';
	if (!file)
		return false;
	if (!fgets(line, size, file))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return true;
}

/* Parses a device number such as `259:3`. */
static bool parse_dev(const char *text, dev_t *dev)
{
	char *end;
	unsigned int first = strtoul(text, &end, 10);

	if (end == text || *end != ':')
		return false;
	*dev = makedev(first, strtoul(end + 1, NULL, 10));
	return true;
}

static bool is_ours(const struct search *search, dev_t dev)
{
	unsigned int i;

	for (i = 0; i < search->count; i++)
		if (search->nodes[i] == dev)
			return true;
	return false;
}

/* Whether @path is the node of the disk or of a partition. */
static bool leads_to(const struct search *search, const char *path)
{
	dev_t dev;

	return identity_is_disk(path, &dev) && is_ours(search, dev);
}

/*
 * Calls @ask(@search, @node), which opens @node, in a child. The first open of
 * a disk reads its partition table. If the disk has no server, that blocks
 * until it has one, so a child that does not finish in time is left alone.
 * Returns an enum answer, or -errno if the child could not be started.
 */
static int ask_beside(enum answer (*ask)(const struct search *search,
					 const char *node),
		      const struct search *search, const char *node)
{
	struct pollfd ended = { .events = POLLIN };
	int status, answer = ANSWER_NONE;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child) {
		/* The child may outlive this process. */
		message_close_others();
		_exit(ask(search, node));
	}
	ended.fd = process_watch(child);
	if (ended.fd < 0)
		answer = ended.fd;
	if (ended.fd < 0 || poll(&ended, 1, ASK_MS) <= 0)
		kill(child, SIGKILL);
	else if (waitpid(child, &status, 0) > 0 && WIFEXITED(status))
		answer = WEXITSTATUS(status);
	if (ended.fd >= 0)
		close(ended.fd);
	return answer;
}

/*
 * Calls @each for the entries of @path whose names begin with @start, until the
 * search has found something.
 */
static void holders_each_entry(struct search *search, const char *path,
			       const char *start,
			       void (*each)(struct search *search,
					    const char *name, const char *path))
{
	DIR *dir = opendir(path);
	char entry_path[PATH_BYTES];
	struct dirent *entry;

	while (dir && !search->found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, start, strlen(start)) ||
		    entry->d_name[0] == '.')
			continue;
		snprintf(entry_path, sizeof(entry_path), "%s/%s", path,
			 entry->d_name);
		each(search, entry->d_name, entry_path);
	}
	if (dir)
		closedir(dir);
}

static void add_node(struct search *search, const char *name,
		     const char *path)
{
	char file[PATH_BYTES + 8], text[32];

	(void)name;
	snprintf(file, sizeof(file), "%s/dev", path);
	if (search->count < NODES_MAX &&
	    holders_read_line(file, text, sizeof(text)) &&
	    parse_dev(text, &search->nodes[search->count]))
		search->count++;
}

/* A dm or md device. */
static void look_at_upper(struct search *search, const char *name,
			  const char *path)
{
	char file[PATH_BYTES + 16], text[64];

	snprintf(file, sizeof(file), "%s/dm/name", path);
	if (holders_read_line(file, text, sizeof(text)))
		holders_found(search, "part of /dev/mapper/%s (%s)", text,
			      name);
	else
		holders_found(search, "part of /dev/%s", name);
}

static void look_at_part(struct search *search, const char *name,
			 const char *path)
{
	char holders[PATH_BYTES + 16];

	(void)name;
	snprintf(holders, sizeof(holders), "%s/holders", path);
	holders_each_entry(search, holders, "", look_at_upper);
}

static void look_at_swaps(struct search *search)
{
	FILE *file = fopen("/proc/swaps", "re");
	char line[4200];

	while (file && !search->found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \t\n")] = '\0';
		if (*line == '/' && leads_to(search, line))
			holders_found(search, "swap");
	}
	if (file)
		fclose(file);
}

/*
 * A line is `id parent major:minor root mountpoint options - type source
 * options`. The source is checked as well, because btrfs reports a device
 * number of its own.
 */
static bool mount_is_ours(const struct search *search, char *line,
			  const char **where)
{
	char *words[MOUNT_WORDS], *behind = strstr(line, " - ");
	char *source = NULL;
	unsigned int i;
	dev_t dev;

	if (behind) {
		*behind = '\0';
		behind += 3;
		strsep(&behind, " ");
		source = strsep(&behind, " ");
	}
	for (i = 0; i < MOUNT_WORDS; i++)
		words[i] = strsep(&line, " ");
	*where = words[MOUNT_WORDS - 1];
	if (!*where)
		return false;
	return (parse_dev(words[MOUNT_DEV], &dev) && is_ours(search, dev)) ||
	       (source && !strncmp(source, "/dev/", 5) &&
		leads_to(search, source));
}

static void look_at_mounts(struct search *search, const char *pid,
			   const char *path)
{
	char mountinfo[PATH_BYTES + 16], line[4400];
	const char *where;
	FILE *file;

	snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", path);
	file = fopen(mountinfo, "re");
	while (file && !search->found && fgets(line, sizeof(line), file)) {
		if (!mount_is_ours(search, line, &where))
			continue;
		if (!strcmp(pid, "self"))
			holders_found(search, "mounted on %s", where);
		else
			holders_found(search,
				      "mounted on %s, as process %s sees it",
				      where, pid);
	}
	if (file)
		fclose(file);
}

static enum answer loop_is_over(const struct search *search, const char *node)
{
	struct loop_info64 info;
	int fd = open(node, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info))
		return ANSWER_NONE;
	return is_ours(search, info.lo_rdevice) ? ANSWER_YES : ANSWER_NO;
}

static void look_at_loop(struct search *search, const char *name,
			 const char *path)
{
	char file[PATH_BYTES + 32], backing[256], node[32];

	snprintf(file, sizeof(file), "%s/loop/backing_file", path);
	if (!holders_read_line(file, backing, sizeof(backing)))
		return;
	snprintf(node, sizeof(node), "/dev/%s", name);
	/*
	 * Also by device number, since the path may be one of another mount
	 * namespace.
	 */
	if (leads_to(search, backing) ||
	    ask_beside(loop_is_over, search, node) == ANSWER_YES)
		holders_found(search, "behind %s", node);
}

/*
 * Whether the record says that the device's backing file is the searched disk,
 * or a partition of it.
 */
static bool record_names(const struct search *search, const char *text)
{
	static const char key[] = "identity_", disk[] = "=disk=";
	char argument[4096];
	const char *line;
	dev_t dev;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, sizeof(key) - 1))
			continue;
		line += strcspn(line, "=\n");
		if (!strncmp(line, disk, sizeof(disk) - 1) &&
		    parse_dev(line + sizeof(disk) - 1, &dev) &&
		    is_ours(search, dev))
			return true;
	}
	/* Older programs wrote no such line. */
	return key_value_get(text, "argument", argument, sizeof(argument)) &&
	       *argument == '/' && leads_to(search, argument);
}

/* For record_each(). */
static void look_at_record(int id, void *arg)
{
	struct search *search = arg;
	char node[DEVICE_NODE_MAX];
	char *text;

	snprintf(node, sizeof(node), "/dev/ublkc%d", id);
	if (search->found || id == search->id || access(node, F_OK))
		return;
	if (record_read(id, &text) >= 0 && record_names(search, text))
		holders_found(search, "behind device %d", id);
	free(text);
}

static void look_at_file(struct search *search, const char *fd,
			 const char *path)
{
	(void)fd;
	if (leads_to(search, path))
		search->found = true;
}

static void look_at_process(struct search *search, const char *pid,
			    const char *path)
{
	char file[PATH_BYTES + 8], name[32];

	if (!isdigit((unsigned char)*pid) || atoi(pid) == getpid())
		return;
	snprintf(file, sizeof(file), "%s/fd", path);
	holders_each_entry(search, file, "", look_at_file);
	if (!search->found)
		return;
	snprintf(file, sizeof(file), "%s/comm", path);
	holders_read_line(file, name, sizeof(name));
	holders_found(search, "open in process %s (%s)", pid, name);
	search->holder->opened = true;
}

static void look_at_namespace(struct search *search, const char *pid,
			      const char *path)
{
	if (isdigit((unsigned char)*pid))
		look_at_mounts(search, pid, path);
}

/* The kernel allows this open only if nobody has claimed the disk. */
static enum answer is_claimed(const struct search *search, const char *node)
{
	(void)search;
	if (open(node, O_RDONLY | O_EXCL | O_CLOEXEC) >= 0)
		return ANSWER_NO;
	return errno == EBUSY ? ANSWER_YES : ANSWER_NONE;
}

static void find_claim(struct search *search, const char *disk)
{
	char start[24];

	look_at_part(search, "", disk);
	snprintf(start, sizeof(start), "ublkb%d", search->id);
	holders_each_entry(search, disk, start, look_at_part);
	if (!search->found)
		look_at_swaps(search);
	if (!search->found)
		look_at_mounts(search, "self", "/proc/self");
	if (!search->found)
		holders_each_entry(search, "/proc", "", look_at_namespace);
}

static void holders_begin(struct search *search, int id, struct holder *holder,
			  char disk[PATH_BYTES])
{
	char start[24];

	*search = (struct search){ .id = id, .holder = holder };
	*holder = (struct holder){ .text = "" };
	snprintf(disk, PATH_BYTES, "/sys/block/ublkb%d", id);
	snprintf(start, sizeof(start), "ublkb%d", id);
	add_node(search, "", disk);
	holders_each_entry(search, disk, start, add_node);
}

bool holders_find_device(int id, struct holder *holder)
{
	struct search search;
	char disk[PATH_BYTES];

	holders_begin(&search, id, holder, disk);
	if (search.count)
		record_each(look_at_record, &search);
	return search.found;
}

bool holders_find(int id, struct holder *holder)
{
	struct search search;
	char disk[PATH_BYTES];
	char node[DEVICE_NODE_MAX];
	int claimed;

	device_node(id, node);
	claimed = ask_beside(is_claimed, NULL, node);
	holders_begin(&search, id, holder, disk);
	if (claimed != ANSWER_NO)
		find_claim(&search, disk);
	if (!search.found)
		record_each(look_at_record, &search);
	if (!search.found)
		holders_each_entry(&search, "/sys/block", "loop", look_at_loop);
	if (!search.found)
		holders_each_entry(&search, "/proc", "", look_at_process);
	if (!search.found && claimed == ANSWER_YES)
		holders_found(&search,
			      "claimed by a filesystem or another device");
	if (!search.found && claimed < 0)
		holders_found(&search,
			      "perhaps, who has it cannot be told (%s)",
			      strerror(-claimed));
	return search.found;
}

bool holders_stay(int id, struct holder *holder)
{
	uint64_t end = clock_ms() + HOLDERS_PASS_MS;

	while (holders_find(id, holder)) {
		if (!holder->opened || clock_ms() > end)
			return true;
		clock_sleep_ms(TICK_MS);
	}
	return false;
}
