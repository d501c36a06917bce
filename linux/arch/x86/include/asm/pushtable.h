/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pushtable NAME, FLAGS: a .pushsection for an entry in a table of places in the
 * code, of which there is one to say something about the place where it stands.
 *
 * Where the linker drops functions that nothing reaches, the entry is linked to
 * the section that it stands in, and kept or dropped with that; otherwise it is
 * a section like others of that name.
 */
#ifndef _ASM_X86_PUSHTABLE_H
#define _ASM_X86_PUSHTABLE_H

#ifdef __ASSEMBLY__

.macro pushtable name:req, flags:req
#ifdef CONFIG_LD_DEAD_CODE_DATA_ELIMINATION
.Ltable_of\@:
	.pushsection \name, "\flags\()o", @progbits, .Ltable_of\@
#else
	.pushsection \name, "\flags"
#endif
.endm

#else

#ifdef CONFIG_LD_DEAD_CODE_DATA_ELIMINATION
asm(".macro pushtable name:req, flags:req\n"
    ".Ltable_of\\@:\n"
    "	.pushsection \\name, \"\\flags\\()o\", @progbits, .Ltable_of\\@\n"
    ".endm");
#else
asm(".macro pushtable name:req, flags:req\n"
    "	.pushsection \\name, \"\\flags\"\n"
    ".endm");
#endif

#endif /* __ASSEMBLY__ */

#endif
