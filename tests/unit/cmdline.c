// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel command line: every word, its bad values, quoting, and what
 * follows `--`.
 */
#include "initramfs/cmdline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int number, failures;
static char complaints[1024];

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

static void complain(int err, const char *word, const char *reason)
{
	size_t used = strlen(complaints);

	snprintf(complaints + used, sizeof(complaints) - used, "%d %s: %s\n",
		 err, word, reason);
}

/* Parses a copy of @text, which stays valid until the next call. */
static int parse(const char *text, struct boot *boot)
{
	static char line[4096];

	*boot = (struct boot)BOOT_DEFAULTS;
	complaints[0] = '\0';
	snprintf(line, sizeof(line), "%s", text);
	return boot_parse(line, boot, complain);
}

static bool is_default(const struct boot *boot)
{
	return !strcmp(boot->root, "/root.img.gz") && !boot->part &&
	       !boot->rootfstype && !boot->init && !boot->cache &&
	       boot->overlay && !boot->cow && !boot->overlay_size &&
	       !boot->verity &&
	       boot->rescue == RESCUE_SHELL && boot->wait == 10;
}

static void test_defaults(void)
{
	struct boot boot;

	check(!parse("", &boot) && is_default(&boot), "empty line: defaults");
	check(!parse("\n", &boot) && is_default(&boot), "a newline only");
	check(!parse("console=ttyS0 quiet ro xublk.root=/x root=/y\n", &boot) &&
	      is_default(&boot) && !*complaints, "words of others");
	check(!parse("ublk.root= ublk.rootfstype= ublk.overlay= ublk.init= "
		     "ublk.cache= ublk.cow= ublk.rescue= ublk.wait= ublk.root", &boot) &&
	      is_default(&boot) && !*complaints, "empty values: defaults");
}

static void test_values(void)
{
	struct boot boot;

	check(!parse("ublk.root=PARTUUID=1234-02 ublk.rootfstype=ext4 "
		     "ublk.overlay=tmpfs,size=32M ublk.init=/bin/x "
		     "ublk.cache=1M ublk.rescue=hang ublk.wait=3\n", &boot) &&
	      !strcmp(boot.root, "PARTUUID=1234-02") &&
	      !strcmp(boot.rootfstype, "ext4") && boot.overlay &&
	      boot.overlay_size == 32 << 20 && !strcmp(boot.init, "/bin/x") &&
	      boot.cache == 1 << 20 && boot.rescue == RESCUE_HANG &&
	      boot.wait == 3 && !*complaints, "every word");
	check(!parse("ublk.cow=32M", &boot) && !strcmp(boot.cow, "32M") &&
	      !boot.overlay, "cow goes without an overlay");
	check(!parse("ublk.overlay=tmpfs ublk.cow=/dev/vda3", &boot) &&
	      !strcmp(boot.cow, "/dev/vda3") && boot.overlay,
	      "unless that is asked for");
	check(!parse("ublk.overlay=none", &boot) && !boot.overlay,
	      "overlay none");
	check(!parse("ublk.overlay=tmpfs", &boot) && boot.overlay &&
	      !boot.overlay_size, "overlay tmpfs");
	check(!parse("ublk.block-size=4K", &boot) && boot.block_size == 4096,
	      "a block size");
	check(!parse("ublk.cache=1.5M", &boot) && boot.cache == 3 << 19,
	      "a size with a fraction");
	check(!parse("ublk.rescue=reboot", &boot) &&
	      boot.rescue == RESCUE_REBOOT, "rescue reboot");
	check(!parse("ublk.wait=0", &boot) && boot.wait == 0, "wait 0");
	check(!parse("ublk.root=/a ublk.root=/b", &boot) &&
	      !strcmp(boot.root, "/b"), "the last one counts");
	check(!parse("ublk.overlay=tmpfs,size=1M ublk.overlay=tmpfs", &boot) &&
	      !boot.overlay_size, "the last one counts with its size");
}

/* Whether @text asks for partition @part (NULL: none) of @root. */
static bool root_is(const char *text, const char *root, const char *part)
{
	struct boot boot;

	if (parse(text, &boot) || *complaints || strcmp(boot.root, root))
		return false;
	return part ? boot.part && !strcmp(boot.part, part) : !boot.part;
}

static void test_part(void)
{
	check(root_is("ublk.root=/a.gz,part=2", "/a.gz", "2"),
	      "a partition by its number");
	check(root_is("ublk.root=PARTUUID=12-03,part=PARTUUID=1234-02",
		      "PARTUUID=12-03", "PARTUUID=1234-02"),
	      "by its identifier");
	check(root_is("ublk.root=\"/dev/vda2,part=PARTLABEL=my, root\" quiet",
		      "/dev/vda2", "PARTLABEL=my, root"),
	      "by its label, with a comma and a space");
	check(root_is("ublk.root=,part=3", "/root.img.gz", "3"),
	      "one of the usual root");
	check(root_is("ublk.root=/a,part=2 ublk.root=/b", "/b", NULL),
	      "the last root counts, without a partition");
	check(root_is("ublk.root=/a,part=2 ublk.root=/b,part=3", "/b", "3"),
	      "or with its own");
	check(root_is("ublk.root=/a,b", "/a,b", NULL),
	      "a comma that is part of the name");
}

#define HASH "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void test_roothash(void)
{
	struct boot boot;

	check(!parse("ublk.roothash=" HASH, &boot) && boot.verity &&
	      !boot.hash_offset && boot.overlay && !boot.roothash[0] &&
	      boot.roothash[1] == 0x11 && boot.roothash[15] == 0xff &&
	      boot.roothash[31] == 0xff, "a root hash");
	check(!parse("ublk.roothash=" HASH ",offset=40M", &boot) &&
	      boot.verity && boot.hash_offset == 40 << 20,
	      "and where its superblock is");
	check(!parse("ublk.roothash=" HASH ",offset=4K ublk.roothash=" HASH,
		     &boot) && boot.verity && !boot.hash_offset,
	      "the last one counts with its place");
	check(parse("ublk.roothash=" HASH " ublk.cow=32M", &boot) == -EINVAL &&
	      strstr(complaints, "-22 ublk.cow: a disk with ublk.roothash="),
	      "a disk that is verified cannot be written");
	check(!parse("ublk.cow=32M", &boot) && !*complaints,
	      "one that is not can be");
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"ublk.overlay=ram", "ublk.overlay=tmpfs,size=",
		"ublk.overlay=tmpfs,size=0", "ublk.overlay=tmpfs,size=-1",
		"ublk.overlay=tmpfs,", "ublk.overlay=nonesuch",
		"ublk.init=bin/sh", "ublk.cache=12Q", "ublk.cache=-1",
		"ublk.block-size=8K", "ublk.block-size=256",
		"ublk.block-size=1536", "ublk.block-size=4k6",
		"ublk.roothash", "ublk.roothash=", "ublk.roothash=0011", "ublk.roothash=x" HASH,
		"ublk.roothash=" HASH "0", "ublk.roothash=" HASH "00",
		"ublk.roothash=" HASH ",", "ublk.roothash=" HASH ",offset=",
		"ublk.roothash=" HASH ",offset=0",
		"ublk.roothash=" HASH ",offset=1000",
		"ublk.roothash=" HASH ",part=1",
		"ublk.rescue=shells", "ublk.wait=soon", "ublk.wait=1000000",
		"ublk.wait=-1", "ublk.root=/a,part=", "ublk.root=/a,part=0",
		"ublk.root=/a,part=x", "ublk.root=/a,part=-1",
		"ublk.root=/a,part=2,part=3", "ublk.root=/a,part=2x",
		"ublk.root=/a,part=PARTUUID=", "ublk.root=/a,part=PARTLABEL=",
	};
	struct boot boot;
	char claim[128], start[128];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(claim, sizeof(claim), "refused: %s", bad[i]);
		snprintf(start, sizeof(start), "%d %s: ", -EINVAL, bad[i]);
		check(parse(bad[i], &boot) == -EINVAL && is_default(&boot) &&
		      !strncmp(complaints, start, strlen(start)), claim);
	}
	check(parse("ublk.cache=x ublk.rescue=hang", &boot) == -EINVAL &&
	      boot.rescue == RESCUE_HANG, "a bad value stops no other");
	check(!parse("ublk.rot=/x ublk.=1 ublk. ublk.rootx=1", &boot) &&
	      is_default(&boot) &&
	      !strcmp(complaints, "0 ublk.rot=/x: unknown, ignored\n"
		      "0 ublk.=1: unknown, ignored\n"
		      "0 ublk.: unknown, ignored\n"
		      "0 ublk.rootx=1: unknown, ignored\n"),
	      "unknown words are named");
}

static void test_quotes(void)
{
	struct boot boot;

	check(!parse("ublk.root=\"PARTLABEL=my root\" quiet", &boot) &&
	      !strcmp(boot.root, "PARTLABEL=my root"), "quoted value");
	check(!parse("ublk.root=PARTLABEL=\"my root\" quiet", &boot) &&
	      !strcmp(boot.root, "PARTLABEL=my root"), "quoted label");
	check(root_is("ublk.root=/dev/vda,part=PARTLABEL=\"Gr\xc3\xb6\xc3\x9f"
		      "e 2\" quiet", "/dev/vda",
		      "PARTLABEL=Gr\xc3\xb6\xc3\x9f" "e 2"),
	      "quoted label of a part, with umlauts");
	check(!parse("\"ublk.root=PARTLABEL=my root\" quiet", &boot) &&
	      !strcmp(boot.root, "PARTLABEL=my root"), "quoted word");
	check(!parse("ublk.root=\"/a b", &boot) &&
	      !strcmp(boot.root, "/a b"), "quotes not closed");
	check(!parse("ublk.root=\"\"", &boot) && is_default(&boot),
	      "quoted nothing");
	check(!parse("ublk.root=\"", &boot) && is_default(&boot),
	      "one quote and the end");
	check(!parse("\"", &boot) && is_default(&boot), "only a quote");
	check(!parse("a=\"x ublk.wait=1 y\" ublk.wait=2", &boot) &&
	      boot.wait == 2, "ours within another's quotes");
	check(!parse("\t ublk.wait=2  \t", &boot) && boot.wait == 2,
	      "spaces and tabs");
}

static void test_end(void)
{
	struct boot boot;

	check(!parse("ublk.wait=1 -- ublk.wait=2 ublk.bad=1", &boot) &&
	      boot.wait == 1 && !*complaints, "behind -- it is init's");
}

int main(void)
{
	test_defaults();
	test_values();
	test_part();
	test_roothash();
	test_bad();
	test_quotes();
	test_end();
	printf("1..%d\n", number);
	return failures != 0;
}
