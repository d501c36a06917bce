// SPDX-License-Identifier: GPL-2.0
#include "targets/net/process.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/process.h"
#include "core/rights.h"
#include "lib/exit.h"
#include "lib/message.h"

/* Comes when the worker has died. A worker sends no other process any signal. */
#define DEATH_SIGNAL (SIGRTMIN + 2)

/*
 * What it needs beyond the calls of a queue: those for a connection, for finding
 * a host in files and by DNS, and for the process that does the latter.
 */
static const int net_calls[] = {
	SYS_socket, SYS_connect, SYS_bind, SYS_getsockname, SYS_getsockopt,
	SYS_setsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg,
	SYS_shutdown, SYS_ppoll, SYS_pipe2, SYS_openat, SYS_readv, SYS_mprotect,
	SYS_mremap, SYS_dup3, SYS_close_range, SYS_clone, SYS_gettid, SYS_getpid,
	SYS_set_robust_list, SYS_set_tid_address, SYS_prctl,
#ifdef SYS_dup2
	SYS_dup2,
#endif
#ifdef SYS_fork
	SYS_fork,
#endif
#ifdef SYS_open
	SYS_open,
#endif
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_ppoll_time64
	SYS_ppoll_time64,
#endif
#ifdef SYS_fcntl
	SYS_fcntl,
#endif
#ifdef SYS_fcntl64
	SYS_fcntl64,
#endif
#ifdef SYS_lseek
	SYS_lseek,
#endif
#ifdef SYS__llseek
	SYS__llseek,
#endif
};
#define NET_CALLS (sizeof(net_calls) / sizeof(net_calls[0]))
_Static_assert(NET_CALLS <= RIGHTS_MOST, "the filter has room for them");

/* Has @handler called when the signal comes, which may be blocked. */
static void net_process_hear(int number, void (*handler)(int))
{
	const struct sigaction action = { .sa_handler = handler };
	sigset_t signals;

	sigaction(number, &action, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, number);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

static int net_process_main(const struct net_process_kind *kind, void *argument,
			    int fd)
{
	int err;

	process_forked();
	if (kind->died)
		net_process_hear(DEATH_SIGNAL, kind->died);
	/* This replaces standard input, and so comes before the pair does. */
	if (process_leave_caller())
		return -EIO;
	process_replace(NET_PROCESS_FD, fd);
	message_close_others();
	/* Nobody waits for processes that this one starts. */
	signal(SIGCHLD, SIG_IGN);
	if (process_protect(false))
		return -EIO;
	process_calm();
	net_process_hear(PROCESS_OVER_SIGNAL, kind->over);
	err = kind->begin ? kind->begin(argument) : 0;
	if (!err)
		err = rights_drop_others(net_calls, NET_CALLS);
	if (!err)
		kind->run(argument);
	return err;
}

int net_process_start(const struct net_process_kind *kind, void *argument)
{
	const pid_t parent = getpid();
	int pair[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return message_fail(errno, "a process for the network");
	pid = fork();
	if (pid < 0) {
		err = message_fail(errno, "a process for the network");
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (!pid) {
		close(pair[0]);
		prctl(PR_SET_PDEATHSIG, kind->died ? DEATH_SIGNAL : SIGKILL);
		_exit(getppid() != parent ||
		      net_process_main(kind, argument, pair[1]) ?
		      EXIT_FAILED : EXIT_DONE);
	}
	close(pair[1]);
	return pair[0];
}
