// SPDX-License-Identifier: GPL-2.0
/*
 * Executes a program with every signal ignored that can be. Shells do not pass on
 * an ignored SIGCHLD, other programs do.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int number;

	if (argc < 2) {
		fputs("Usage: ignoring PROGRAM [ARGUMENT]...\n", stderr);
		return 2;
	}
	/* KILL, STOP, and what libc keeps for itself cannot be. */
	for (number = 1; number < NSIG; number++)
		signal(number, SIG_IGN);
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
