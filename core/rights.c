// SPDX-License-Identifier: GPL-2.0
/*
 * Drops capabilities, and restricts system calls with a seccomp filter. The
 * operations of a ring are restricted in queue.c, where the ring is created.
 */

/*
 * A filter compares system call numbers, which differ between processors. On a
 * processor that is not listed here the server would have no filter, so the
 * build fails.
 */
#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && !defined(__ILP32__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__arm__) && defined(__ARM_EABI__) && defined(__ARMEB__)
#define ARCHITECTURE AUDIT_ARCH_ARMEB
#elif defined(__arm__) && defined(__ARM_EABI__)
#define ARCHITECTURE AUDIT_ARCH_ARM
#elif defined(__mips__) && _MIPS_SIM == 1 && defined(__MIPSEL__)	/* o32 */
#define ARCHITECTURE AUDIT_ARCH_MIPSEL
#elif defined(__mips__) && _MIPS_SIM == 1
#define ARCHITECTURE AUDIT_ARCH_MIPS
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__powerpc64__)
#define ARCHITECTURE AUDIT_ARCH_PPC64
#elif defined(__powerpc__)
#define ARCHITECTURE AUDIT_ARCH_PPC
#else
#error "core/rights.c has no seccomp filter for this processor"
#endif

#include "core/rights.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/message.h"

/*
 * For the ring, for waking another queue, for freeing memory, for locks and the
 * end of a thread, for a line to the kernel log, and for the end of real-time
 * priority. 32-bit processors have some calls twice, for times after 2038.
 */
static const int loop_calls[] = {
	SYS_io_uring_enter, SYS_io_uring_register, SYS_write, SYS_read,
	SYS_futex, SYS_munmap, SYS_madvise, SYS_close, SYS_rt_sigprocmask,
	SYS_rt_sigreturn, SYS_exit, SYS_exit_group, SYS_sched_yield,
	SYS_brk, SYS_restart_syscall, SYS_membarrier, SYS_sched_setscheduler,
#ifdef SYS_clock_gettime
	SYS_clock_gettime,
#endif
#ifdef SYS_clock_gettime32		/* musl's name for it */
	SYS_clock_gettime32,
#endif
#ifdef SYS_clock_gettime64
	SYS_clock_gettime64,
#endif
#ifdef SYS_futex_time64
	SYS_futex_time64,
#endif
#ifdef SYS_sigreturn
	SYS_sigreturn,
#endif
};

/* These get memory. They are refused for executable memory. */
static const int memory_calls[] = {
#ifdef SYS_mmap
	SYS_mmap,
#endif
#ifdef SYS_mmap2
	SYS_mmap2,
#endif
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOOP_CALLS COUNT(loop_calls)
#define MEMORY_CALLS COUNT(memory_calls)
/* A jump passes over 255 instructions at most. */
#define FILTER_MAX (LOOP_CALLS + RIGHTS_MOST + MEMORY_CALLS + 9)
_Static_assert(FILTER_MAX < 255, "the filter's jumps reach its end");
#define FIELD(name) offsetof(struct seccomp_data, name)

/*
 * An argument has 64 bits, a filter loads 32: the low half of the third
 * argument.
 */
#define PROTECTION (FIELD(args[2]) + 4 * (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	/*
	 * Locked memory stays locked, but later mappings have to be locked
	 * without a capability, so the limit is raised. An ordinary user's
	 * server locks nothing, and may not raise it.
	 */
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) && !geteuid())
		return message_fail(errno, "cannot lock memory without limit");
	if (syscall(SYS_capset, &header, none))
		return message_fail(errno, "cannot give capabilities away");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return message_fail(errno, "cannot do without new rights");
	return 0;
}

static int filter_failed(int err)
{
	if (err != ENOSYS && err != EINVAL)
		return message_fail(err, "cannot restrict system calls");
	message("cannot restrict system calls: the kernel needs "
		"CONFIG_SECCOMP_FILTER=y");
	return -err;
}

static int filter_calls(const int *calls, unsigned int count)
{
	const unsigned int all = LOOP_CALLS + count + MEMORY_CALLS;
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
	/*
	 * @left entries remain after this one, itself included. An allowed call
	 * jumps behind the list and the first three instructions after it; a
	 * call that gets memory jumps behind the list and one instruction, to
	 * the test of PROT_EXEC.
	 */
	left = all;
	for (i = 0; i < all; i++, left--) {
		bool memory = i >= LOOP_CALLS + count;
		int call = memory ? memory_calls[i - LOOP_CALLS - count] :
			   i < LOOP_CALLS ? loop_calls[i] :
					    calls[i - LOOP_CALLS];

		memory |= call == SYS_mprotect;
		if (!call)
			call = SYS_read;
		filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call,
			memory ? left : left + 2, 0);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						   SECCOMP_RET_ERRNO | EPERM);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   PROTECTION);
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
						   PROT_EXEC, 1, 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						   SECCOMP_RET_ALLOW);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						   SECCOMP_RET_ERRNO | EPERM);
	program.len = n;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return filter_failed(errno);
	return 0;
}

int rights_drop_others(const int *calls, unsigned int count)
{
	int err = drop_capabilities();

	return err ? err : filter_calls(calls, count);
}

int rights_drop(const int calls[RIGHTS_CALLS])
{
	return rights_drop_others(calls, RIGHTS_CALLS);
}
