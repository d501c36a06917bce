// SPDX-License-Identifier: GPL-2.0
/*
 * Records: a value is found by its whole key, and cut to the buffer. A record
 * that is written reads back the same, in a shell and with our functions,
 * whatever the value is. A new record is not removed instead of an old one. A
 * process is identified by its pid and start time.
 */
#include "core/record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/key-value.h"

static int number, failures;

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/*
 * Whether @key has the value @want (NULL: is missing). ASan guards both ends.
 */
static bool has(const char *record, const char *key, size_t room,
		const char *want)
{
	char *text = strdup(record);
	char *value = malloc(room);
	bool found, good;

	memset(value, 'x', room);
	found = key_value_get(text, key, value, room);
	good = found == (want != NULL) && !strcmp(value, want ? want : "");
	free(value);
	free(text);
	return good;
}

static void test_get(void)
{
	const char *record = "id=5\nnode=/dev/ublkb5\nargument=a=b c\nempty=\n"
			     "size=64\nid=6\n";

	check(has(record, "id", 8, "5"), "the first of two");
	check(has(record, "node", 32, "/dev/ublkb5"), "one in the middle");
	check(has(record, "argument", 32, "a=b c"), "a value with = and space");
	check(has(record, "empty", 32, ""), "an empty value");
	check(has(record, "size", 32, "64"), "behind an empty value");
	check(has(record, "nod", 32, NULL), "a part of a key");
	check(has(record, "nodes", 32, NULL), "more than a key");
	check(has(record, "ode", 32, NULL), "the end of a key");
	check(has(record, "a", 32, NULL), "a value is no key");
	check(has(record, "none", 32, NULL), "no such key");
	check(has(record, "node", 5, "/dev"), "cut to the room");
	check(has(record, "node", 12, "/dev/ublkb5"), "just room enough");
	check(has(record, "node", 11, "/dev/ublkb"), "a byte too little");
	check(has(record, "node", 1, ""), "room for nothing");
	check(has("", "id", 8, NULL), "an empty record");
	check(has("\n\n\n", "id", 8, NULL), "empty lines");
	check(has("\n\nid=1", "id", 8, "1"), "the last line without an end");
	check(has("id", "id", 8, NULL), "a key without a value");
	check(has("id\nid=1\n", "id", 8, "1"), "one behind a broken line");
	check(has("=1\n", "id", 8, NULL), "a value without a key");
	check(has("id=", "id", 8, ""), "nothing behind =");
	check(has("xid=1\nid=2\n", "id", 8, "2"), "a longer key before");
}

/* Compares the output of a shell that sources @record and prints the value. */
static bool shell_has(const char *record, const char *want)
{
	char file[] = "/tmp/record.XXXXXX", command[128], got[1024] = "";
	int fd = mkstemp(file);
	size_t length = 0;
	FILE *shell;

	if (fd < 0 || write(fd, record, strlen(record)) < 0)
		return false;
	snprintf(command, sizeof(command),
		 "value=unset; . %s; printf %%s \"$value\"", file);
	shell = popen(command, "r");
	if (shell) {
		length = fread(got, 1, sizeof(got) - 1, shell);
		pclose(shell);
	}
	close(fd);
	unlink(file);
	return length == strlen(want) && !memcmp(got, want, length);
}

/*
 * The value is one line when written, and a shell and our functions read it
 * back.
 */
static bool round_trip(const char *value)
{
	char record[1024], *whole = NULL;
	FILE *out = fmemopen(record, sizeof(record), "w");
	bool good;

	key_value_put(out, "before", "1");
	key_value_put(out, "value", value);
	key_value_put(out, "behind", "2");
	fclose(out);
	good = !key_value_get_whole(record, "value", &whole) &&
	       !strcmp(whole, value) && has(record, "value", 600, value) &&
	       has(record, "behind", 8, "2") && shell_has(record, value);
	free(whole);
	if (!good)
		printf("# %s", record);
	return good;
}

static void test_put(void)
{
	char record[64];
	FILE *out = fmemopen(record, sizeof(record), "w");
	char all[256];
	unsigned int i, n = 0;

	key_value_put(out, "node", "/dev/ublkb0");
	key_value_put(out, "argument", "it's");
	fclose(out);
	check(!strcmp(record, "node=/dev/ublkb0\nargument='it'\\''s'\n"),
	      "only what needs them has quotes");
	check(round_trip(""), "nothing");
	check(round_trip("/tmp/plain_file-1.img,part=2:x%y+z@w"), "a plain one");
	check(round_trip("/a b"), "a space");
	check(round_trip(" /a "), "spaces at both ends");
	check(round_trip("x;touch PWNED"), "a command behind it");
	check(round_trip("$(touch PWNED)"), "a command in it");
	check(round_trip("`touch PWNED`"), "one of old");
	check(round_trip("$HOME ${HOME} $1 $$"), "variables");
	check(round_trip("'"), "a quote");
	check(round_trip("''"), "two of them");
	check(round_trip("'/a'"), "quotes around it");
	check(round_trip("/it's"), "a quote in it");
	check(round_trip("a'; touch PWNED; '"), "a quote that ends and begins");
	check(round_trip("\"a\""), "double quotes");
	check(round_trip("\\"), "a backslash");
	check(round_trip("\\'"), "a backslash and a quote");
	check(round_trip("a\\\\n\\"), "some backslashes");
	check(round_trip("a=b"), "a = in it");
	check(round_trip("# no comment"), "a hash");
	check(round_trip("~ ~root *.c [a-z] ? {a,b} ! & | < > ( )"),
	      "what a shell expands or obeys");
	check(round_trip("\t\r\f\v\033[31m\177"), "control characters");
	check(round_trip("/Stra\303\237e/\346\227\245\346\234\254"), "UTF-8");
	check(round_trip("\377\200\303"), "what is no UTF-8");
	for (i = 1; i < 256; i++)
		if (i != '\n')
			all[n++] = i;
	all[n] = '\0';
	check(round_trip(all), "every byte but a newline");

	check(has("argument=/tmp/it's here\n", "argument", 32, "/tmp/it's here"),
	      "as earlier programs wrote it");
	check(has("argument='it'\\''s'\n", "argument", 5, "it's"),
	      "quoted, just room enough");
	check(has("argument='it'\\''s'\n", "argument", 4, "it'"),
	      "quoted, a byte too little");
	check(has("argument='it\nsize=1\n", "argument", 9, "it"),
	      "a quote without an end");
	check(has("argument='\n", "argument", 9, ""), "nothing but a quote");
	check(has("argument='a'\\\n", "argument", 9, "a\\"),
	      "a backslash at the end");
}

/* The state of a process: waiting, or gone. */
static char state_of(pid_t pid)
{
	char path[64], text[512] = "", *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 'X';
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	at = n > 0 ? strrchr(text, ')') : NULL;
	return at ? at[2] : 'X';
}

static void fill(FILE *out, const void *arg)
{
	key_value_put(out, "value", arg);
}

static bool record_is(int id, const char *want)
{
	char *text;
	bool good = record_read(id, &text) >= 0 && has(text, "value", 99, want);

	free(text);
	return good;
}

/* In the directory of an ordinary user: root's is the board's. */
static int test_files(void)
{
	char dir[] = "/tmp/records.XXXXXX", path[64];
	struct stat st;
	int lock, fd, i;
	pid_t child;
	char state;
	char *large;

	if (!mkdtemp(dir) || chmod(dir, 0777))
		return 1;
	if (!geteuid() && (setgid(65534) || setuid(65534)))
		return 1;
	setenv("XDG_RUNTIME_DIR", dir, 1);
	snprintf(path, sizeof(path), "%s/ublk/5", dir);

	for (i = 0; i < 3; i++) {
		const mode_t masks[] = { 0, 022, 0777 };

		umask(masks[i]);
		check(!record_create(5, fill, "a") && record_is(5, "a") &&
		      !stat(path, &st) && (st.st_mode & 07777) == 0644,
		      "a record has the same mode whatever the umask");
		snprintf(path, sizeof(path), "%s/ublk", dir);
		check(!stat(path, &st) && (st.st_mode & 07777) == 0700,
		      "and so has the directory");
		snprintf(path, sizeof(path), "%s/ublk/5", dir);
		unlink(path);
		snprintf(path, sizeof(path), "%s/ublk", dir);
		rmdir(path);
		snprintf(path, sizeof(path), "%s/ublk/5", dir);
	}
	umask(022);

	large = malloc(100001);
	memset(large, 'x', 100000);
	large[100000] = '\0';
	large[50000] = '\'';
	check(!record_write(5, fill, large), "a large record");
	{
		char *text, *value = NULL;

		check(record_read(5, &text) > 100000 &&
		      !key_value_get_whole(text, "value", &value) &&
		      !strcmp(value, large), "is read whole");
		free(value);
		free(text);
	}
	free(large);

	record_write(5, fill, "first");
	fd = record_open(5);
	record_write(5, fill, "second");
	record_remove(5, fd);
	check(record_is(5, "second"), "another one in its place stays");
	fd = record_open(5);
	lock = record_lock();
	child = fork();
	if (!child) {
		close(lock);
		record_remove(5, fd);
		_exit(0);
	}
	while ((state = state_of(child)) != 'S' && state != 'Z')
		usleep(1000);
	check(record_is(5, "second"),
	      "none is removed while another may be written");
	record_write(5, fill, "third");
	close(lock);
	waitpid(child, NULL, 0);
	check(record_is(5, "third"), "which then is the one that stays");
	record_remove(5, record_open(5));
	close(fd);
	check(access(path, F_OK), "one that is there goes");
	snprintf(path, sizeof(path), "%s/ublk", dir);
	rmdir(path);
	rmdir(dir);
	return 0;
}

int main(void)
{
	test_get();
	test_put();
	if (test_files())
		return 1;
	printf("1..%d\n", number);
	return failures != 0;
}
