// SPDX-License-Identifier: GPL-2.0
/*
 * Counts, as a plugin of QEMU, how many instructions the board executed from
 * each block of code. The counts are written to the file given as out=FILE when
 * the board goes off: address in hexadecimal, instructions. tests/bench makes
 * names of addresses and a table of names.
 *
 * Distributions package QEMU without the header of its plugins, so the few
 * functions used are declared here, as version 1 of that interface has them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_info;
enum plugin_op { PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
		void (*translated)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
		enum plugin_op op, void *counter, uint64_t number);
void qemu_plugin_register_atexit_cb(uint64_t id,
		void (*end)(uint64_t id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

EXPORTED int qemu_plugin_version = 1;
EXPORTED int qemu_plugin_install(uint64_t id, const struct qemu_info *info,
				 int argc, char **argv);

/*
 * A block is translated again and again, and translated code adds to a counter
 * that must not move: one counter for an address, never freed.
 */
struct counter {
	struct counter *next;
	uint64_t address;
	uint64_t instructions;
};

static struct counter *counters[1 << 16];
static FILE *out;

static struct counter *counter_of(uint64_t address)
{
	struct counter **at = &counters[(address ^ address >> 16) & 0xffff];
	struct counter *counter;

	for (counter = *at; counter; counter = counter->next)
		if (counter->address == address)
			return counter;
	counter = calloc(1, sizeof(*counter));
	if (!counter)
		abort();
	counter->address = address;
	counter->next = *at;
	*at = counter;
	return counter;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct counter *counter = counter_of(qemu_plugin_tb_vaddr(tb));

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, PLUGIN_INLINE_ADD_U64,
			&counter->instructions, qemu_plugin_tb_n_insns(tb));
}

static void end(uint64_t id, void *data)
{
	struct counter *counter;
	size_t i;

	(void)id;
	(void)data;
	for (i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		for (counter = counters[i]; counter; counter = counter->next)
			fprintf(out, "%016" PRIx64 " %" PRIu64 "\n",
				counter->address, counter->instructions);
	fclose(out);
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc,
			char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fputs("bench.plugin: out=FILE, please\n", stderr);
		return -1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0]);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, end, NULL);
	return 0;
}
