// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel on a processor whose data cache tells the same memory at two
 * addresses apart refuses some shared mappings. No emulator has such a cache, so
 * a filter refuses what that kernel would: every second page.
 */
#include "core/memory.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int number, failures;

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/* Whether this process has shared memory mapped. */
static bool has_shared_memory(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	if (!maps)
		abort();
	while (fgets(line, sizeof(line), maps))
		found |= !!strstr(line, "/dev/zero");
	fclose(maps);
	return found;
}

/*
 * Shared mappings at a given address are refused where the number of the page is
 * odd.
 */
static bool refuse_odd_pages(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			 MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4096, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]), .filter = filter,
	};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int main(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1,
			  0);
	bool seen = has_shared_memory();

	munmap(page, 4096);
	check(!memory_has_aliases(), "a processor without is taken");
	check(refuse_odd_pages() && memory_has_aliases(),
	      "one with such a cache is seen");
	check(seen && !has_shared_memory(), "nothing stays mapped");
	printf("1..%d\n", number);
	return failures != 0;
}
