/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The debug registers of a task, for a kernel without performance events, on
 * which hardware breakpoints are built: none can be set. A debugger may find
 * them empty and leave them so.
 */
#ifndef _ASM_X86_NO_BREAKPOINTS_H
#define _ASM_X86_NO_BREAKPOINTS_H

#ifndef CONFIG_HAVE_HW_BREAKPOINT

static unsigned long ptrace_get_debugreg(struct task_struct *tsk, int n)
{
	return n == 6 ? tsk->thread.virtual_dr6 ^ DR6_RESERVED : 0;
}

static int ptrace_set_debugreg(struct task_struct *tsk, int n,
			       unsigned long val)
{
	if (n != 6)
		return val ? -EIO : 0;
	tsk->thread.virtual_dr6 = val ^ DR6_RESERVED;
	return 0;
}

#endif

#endif
