// SPDX-License-Identifier: GPL-2.0
/*
 * Gives rights away: capabilities, and system calls by a seccomp filter. What
 * a ring may do is restricted where the ring is made, in queue.c.
 */
#include "core/rights.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#define ARCHITECTURE 0	/* not known here: no filter */
#endif

/*
 * The ring; what wakes another queue; memory of what ends; locks and the end
 * of a thread; a line for the kernel log; the end of a real-time thread's hurry.
 */
static const int loop_calls[] = {
	SYS_io_uring_enter, SYS_io_uring_register, SYS_write, SYS_read,
	SYS_futex, SYS_munmap, SYS_madvise, SYS_close, SYS_rt_sigprocmask,
	SYS_rt_sigreturn, SYS_exit, SYS_exit_group, SYS_sched_yield,
	SYS_clock_gettime, SYS_brk, SYS_mmap, SYS_restart_syscall,
	SYS_membarrier, SYS_sched_setscheduler,
};

#define LOOP_CALLS (sizeof(loop_calls) / sizeof(loop_calls[0]))
#define FILTER_MAX (LOOP_CALLS + RIGHTS_CALLS + 6)	/* and its frame */
#define FIELD(name) offsetof(struct seccomp_data, name)

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	/* What is locked stays so, and what is mapped later must be, too. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	syscall(SYS_capset, &header, none);
}

static void filter_calls(const int calls[RIGHTS_CALLS])
{
	struct sock_filter filter[FILTER_MAX];
	struct sock_fprog program = { .filter = filter };
	unsigned int n = 0, left, i;

	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   FIELD(arch));
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						   ARCHITECTURE, 1, 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						   SECCOMP_RET_KILL_PROCESS);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   FIELD(nr));
	/* Each of those that are allowed jumps over the rest and one more. */
	left = LOOP_CALLS + RIGHTS_CALLS;
	for (i = 0; i < LOOP_CALLS + RIGHTS_CALLS; i++, left--) {
		int call = i < LOOP_CALLS ? loop_calls[i] :
					    calls[i - LOOP_CALLS];

		if (!call)
			call = SYS_read;
		filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, left, 0);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						   SECCOMP_RET_ERRNO | 1);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						   SECCOMP_RET_ALLOW);
	program.len = n;
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

void rights_drop(const int calls[RIGHTS_CALLS])
{
	drop_capabilities();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (ARCHITECTURE)
		filter_calls(calls);
}
