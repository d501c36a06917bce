// SPDX-License-Identifier: GPL-2.0
/*
 * Delays the start of a program: if /tmp/slow exists, removes it, waits as many
 * seconds as it says, and executes /tmp/slow.program.
 */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	FILE *file = fopen("/tmp/slow", "r");
	int seconds = 0;

	(void)argc;
	if (file && fscanf(file, "%d", &seconds) == 1 && !unlink("/tmp/slow"))
		sleep(seconds);
	if (file)
		fclose(file);
	execv("/tmp/slow.program", argv);
	return 1;
}
