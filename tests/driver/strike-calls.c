// SPDX-License-Identifier: GPL-2.0
/*
 * The errors with which each system call may end in a healthy program, as the
 * manual pages say: no memory, no space, a bad disk, a signal.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "tests/driver/strike.h"

enum { MEMORY = 1, AGAIN = 2, IO = 4, SPACE = 8, SIGNAL = 16 };

static const struct {
	int number;
	const char *name;
} errors[] = {
	{ ENOMEM, "ENOMEM" }, { EAGAIN, "EAGAIN" }, { EIO, "EIO" },
	{ ENOSPC, "ENOSPC" }, { EINTR, "EINTR" },
	/* These only for a call that is given by name. */
	{ EPERM, "EPERM" }, { EACCES, "EACCES" }, { EINVAL, "EINVAL" },
	{ ENOSYS, "ENOSYS" }, { EMFILE, "EMFILE" }, { ENODEV, "ENODEV" },
	{ EBUSY, "EBUSY" },
};
#define ERRORS (sizeof(errors) / sizeof(errors[0]))

#define CALL(name) SYS_##name, #name
static const struct {
	long long number;
	const char *name;
	unsigned int can;
} calls[] = {
#ifdef SYS_open
	{ CALL(open), MEMORY | SPACE | SIGNAL },
	{ CALL(stat), MEMORY },
	{ CALL(lstat), MEMORY },
	{ CALL(access), MEMORY | IO },
	{ CALL(readlink), MEMORY | IO },
	{ CALL(rename), MEMORY | SPACE },
	{ CALL(mkdir), MEMORY | SPACE },
	{ CALL(rmdir), MEMORY },
	{ CALL(unlink), MEMORY | IO },
	{ CALL(poll), MEMORY | SIGNAL },
	{ CALL(fork), MEMORY | AGAIN },
	{ CALL(dup2), SIGNAL },
#endif
#ifdef SYS_vfork
	{ CALL(vfork), MEMORY | AGAIN },
#endif
/* Some processors have others of the kind instead. */
#ifdef SYS_mmap
	{ CALL(mmap), MEMORY | AGAIN },
#endif
#ifdef SYS_sync_file_range
	{ CALL(sync_file_range), MEMORY | IO | SPACE },
#else
	{ CALL(sync_file_range2), MEMORY | IO | SPACE },
#endif
#ifdef SYS_renameat
	{ CALL(renameat), MEMORY | SPACE },
#endif
/* Names of processors with 32 bits, beside those that all have. */
#ifdef SYS_mmap2
	{ CALL(mmap2), MEMORY | AGAIN },
	{ CALL(fstat64), MEMORY },
	{ CALL(fstatat64), MEMORY },
	{ CALL(ftruncate64), IO | SIGNAL },
	{ CALL(sendfile64), MEMORY | AGAIN | IO },
	{ CALL(fstatfs64), MEMORY | IO | SIGNAL },
	{ CALL(statfs64), MEMORY | IO | SIGNAL },
	{ CALL(ppoll_time64), MEMORY | SIGNAL },
	{ CALL(clock_nanosleep_time64), SIGNAL },
	{ CALL(futex_time64), AGAIN | SIGNAL },
#else
	{ CALL(newfstatat), MEMORY },
	{ CALL(clock_nanosleep), SIGNAL },
#endif
	{ CALL(openat), MEMORY | SPACE | SIGNAL },
	{ CALL(close), IO | SPACE | SIGNAL },
	{ CALL(read), IO | SIGNAL },
	{ CALL(pread64), IO | SIGNAL },
	{ CALL(readv), IO | SIGNAL },
	{ CALL(write), IO | SPACE | SIGNAL },
	{ CALL(pwrite64), IO | SPACE | SIGNAL },
	{ CALL(writev), IO | SPACE | SIGNAL },
	{ CALL(sendfile), MEMORY | AGAIN | IO },
	{ CALL(copy_file_range), MEMORY | IO | SPACE },
	{ CALL(fsync), IO | SPACE | SIGNAL },
	{ CALL(fdatasync), IO | SPACE | SIGNAL },
	{ CALL(ftruncate), IO | SIGNAL },
	{ CALL(fallocate), IO | SPACE | SIGNAL },
	{ CALL(fchmod), IO | MEMORY },
	{ CALL(fstat), MEMORY },
	{ CALL(statx), MEMORY },
	{ CALL(fstatfs), MEMORY | IO | SIGNAL },
	{ CALL(statfs), MEMORY | IO | SIGNAL },
	{ CALL(faccessat), MEMORY | IO },
	{ CALL(readlinkat), MEMORY | IO },
	{ CALL(renameat2), MEMORY | SPACE },
	{ CALL(mkdirat), MEMORY | SPACE },
	{ CALL(unlinkat), MEMORY | IO },
	{ CALL(linkat), MEMORY | IO | SPACE },
	{ CALL(chdir), MEMORY | IO },
	{ CALL(mount), MEMORY },
	{ CALL(umount2), MEMORY },
	{ CALL(unshare), MEMORY | SPACE },
	{ CALL(flock), SIGNAL },
	{ CALL(ioctl), IO },
	{ CALL(dup3), SIGNAL },
	{ CALL(ppoll), MEMORY | SIGNAL },
	{ CALL(munmap), MEMORY },
	{ CALL(mremap), MEMORY | AGAIN },
	{ CALL(mprotect), MEMORY },
	{ CALL(madvise), MEMORY | AGAIN | IO },
	{ CALL(brk), MEMORY },
	{ CALL(mlock), MEMORY | AGAIN },
	{ CALL(mlockall), MEMORY },
	{ CALL(memfd_create), MEMORY },
	{ CALL(eventfd2), MEMORY },
	{ CALL(signalfd4), MEMORY },
	{ CALL(pidfd_open), MEMORY },
	{ CALL(clone), MEMORY | AGAIN },
	{ CALL(execve), MEMORY | AGAIN | IO },
	{ CALL(execveat), MEMORY | AGAIN | IO },
	{ CALL(wait4), SIGNAL },
	{ CALL(nanosleep), SIGNAL },
	{ CALL(futex), AGAIN | SIGNAL },
	{ CALL(rt_sigqueueinfo), AGAIN },
	{ CALL(socket), MEMORY },
	{ CALL(connect), AGAIN | SIGNAL },
	{ CALL(sendto), MEMORY | AGAIN | SIGNAL },
	{ CALL(recvfrom), MEMORY | AGAIN | SIGNAL },
	{ CALL(getsockopt), MEMORY },
	{ CALL(setsockopt), MEMORY },
	{ CALL(io_uring_setup), MEMORY },
	{ CALL(io_uring_register), MEMORY },
	{ CALL(io_uring_enter), AGAIN | SIGNAL },
	{ CALL(seccomp), MEMORY },
	/* These fail only if they are given by name. */
	{ CALL(capset), 0 },
	{ CALL(prctl), 0 },
	{ CALL(setrlimit), 0 },
	{ CALL(prlimit64), 0 },
	{ CALL(pipe2), 0 },
	{ CALL(kill), 0 },
	{ CALL(pidfd_send_signal), 0 },
	{ CALL(sched_setscheduler), 0 },
	{ CALL(sched_setaffinity), 0 },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

int error_of_name(const char *name)
{
	size_t i;

	for (i = 0; i < ERRORS; i++)
		if (!strcmp(errors[i].name, name))
			return errors[i].number;
	return 0;
}

static unsigned int kind_of(int error)
{
	switch (error) {
	case ENOMEM:
		return MEMORY;
	case EAGAIN:
		return AGAIN;
	case EIO:
		return IO;
	case ENOSPC:
		return SPACE;
	case EINTR:
		return SIGNAL;
	default:
		return 0;
	}
}

static bool is_futex(long long number)
{
#ifdef SYS_futex_time64
	if (number == SYS_futex_time64)
		return true;
#endif
	return number == SYS_futex;
}

bool call_can_fail(long long number, unsigned long long second, int error)
{
	size_t i;

	/* FUTEX_WAIT can be interrupted; FUTEX_WAKE always succeeds. */
	if (is_futex(number) && (second & FUTEX_CMD_MASK) != FUTEX_WAIT &&
	    (second & FUTEX_CMD_MASK) != FUTEX_WAIT_BITSET)
		return false;
	for (i = 0; i < CALLS; i++)
		if (calls[i].number == number)
			return calls[i].can & kind_of(error);
	return false;
}

const char *call_name(long long number)
{
	static char text[24];
	size_t i;

	for (i = 0; i < CALLS; i++)
		if (calls[i].number == number)
			return calls[i].name;
	snprintf(text, sizeof(text), "%lld", number);
	return text;
}

long long call_of_name(const char *name)
{
	size_t i;

	for (i = 0; i < CALLS; i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].number;
	return -1;
}

bool call_works_anyway(long long number)
{
	return number == SYS_close;
}
