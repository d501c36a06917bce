// SPDX-License-Identifier: GPL-2.0
/*
 * A program that takes long until it is the real one: where /tmp/slow is, it removes
 * that, waits as many seconds as are written there, and executes /tmp/slow.program.
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
