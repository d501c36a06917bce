// SPDX-License-Identifier: GPL-2.0
/*
 * Executes a program as an ordinary user, who needs no name on the board, with
 * nothing that root may do. A BusyBox that has su only cannot.
 */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long id = argc > 2 ? strtoul(argv[1], &end, 10) : 0;

	if (!id || *end || (uid_t)id != id) {
		fputs("Usage: become UID PROGRAM [ARGUMENT]...\n", stderr);
		return 2;
	}
	if (setgroups(0, NULL) || setresgid(id, id, id) ||
	    setresuid(id, id, id)) {
		perror("become");
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
