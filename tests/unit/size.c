// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes: all units and limits when parsing, what is refused, and how sizes are
 * printed.
 */
#include "lib/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number, failures;

static void check(int good, const char *what, const char *text)
{
	failures += !good;
	printf("%sok %d - %s '%s'\n", good ? "" : "not ", ++number, what, text);
}

static void test_parse(void)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "512", 512 }, { "007", 7 },
		{ "1K", 1024 }, { "1k", 1024 }, { "64M", 64 << 20 },
		{ "64m", 64 << 20 }, { "3G", UINT64_C(3) << 30 },
		{ "3g", UINT64_C(3) << 30 }, { "2T", UINT64_C(2) << 40 },
		{ "2t", UINT64_C(2) << 40 }, { "5P", UINT64_C(5) << 50 },
		{ "15E", UINT64_C(15) << 60 }, { "15e", UINT64_C(15) << 60 },
		{ "64KiB", 65536 }, { "64kiB", 65536 }, { "1EiB",
		UINT64_C(1) << 60 }, { "0E", 0 },
		{ "18446744073709551615", UINT64_MAX },
		{ "00000000000000000000000000001", 1 },
		{ "1.5G", UINT64_C(3) << 29 }, { "1.5GiB", UINT64_C(3) << 29 },
		{ "0.5K", 512 }, { "0.25k", 256 }, { "2.0M", 2 << 20 },
		{ "1.50M", 3 << 19 }, { "0.0009765625K", 1 },
		{ "1.0009765625M", (1 << 20) + 1024 },
		{ "1.0000000000000000000K", 1024 }, { "0.0G", 0 },
		{ "15.9990234375E", UINT64_MAX - (UINT64_C(1) << 50) + 1 },
		{ "18014398509481983K", UINT64_MAX - 1023 },
		{ "17179869183G", UINT64_MAX - ((1 << 30) - 1) },
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t size = 12345;

		check(!size_parse(good[i].text, &size) && size == good[i].size,
		      "reads", good[i].text);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "", -EINVAL }, { " ", -EINVAL }, { "-1", -EINVAL },
		{ "+1", -EINVAL }, { " 1", -EINVAL }, { "1 ", -EINVAL },
		{ "K", -EINVAL }, { "1.M", -EINVAL }, { "1,5M", -EINVAL },
		{ ".5M", -EINVAL }, { "1.5", -EINVAL }, { "1.0", -EINVAL },
		{ "1.5.5M", -EINVAL }, { "1.1K", -EINVAL }, { "0.3G", -EINVAL },
		{ "1.00048828125K", -EINVAL }, { "1.-5M", -EINVAL },
		{ "1.5 M", -EINVAL }, { "1.5MB", -EINVAL }, { "64MB", -EINVAL },
		{ "1.99999999999999999999K", -EINVAL }, { "16.5E", -ERANGE },
		{ "12Q", -EINVAL }, { "1Z", -EINVAL }, { "1B", -EINVAL },
		{ "1iB", -EINVAL }, { "1Ki", -EINVAL }, { "1KB", -EINVAL },
		{ "1KIB", -EINVAL }, { "1KiBx", -EINVAL }, { "1MM", -EINVAL },
		{ "1M1", -EINVAL }, { "0x10", -EINVAL }, { "1e3", -EINVAL },
		{ "1\n", -EINVAL }, { "1`", -EINVAL }, { "1@", -EINVAL },
		{ "1\x0b", -EINVAL }, { "1-", -EINVAL }, { "1\xcb", -EINVAL },
		{ "1\xeb", -EINVAL }, { "one", -EINVAL },
		{ "18446744073709551616", -ERANGE },
		{ "18446744073709551620", -ERANGE },
		{ "99999999999999999999999999999999", -ERANGE },
		{ "16E", -ERANGE }, { "16384P", -ERANGE },
		{ "18014398509481984K", -ERANGE },
		{ "17179869184G", -ERANGE },
		{ "18446744073709551615K", -ERANGE },
		{ "18446744073709551616K", -ERANGE },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t size = 12345;

		check(size_parse(bad[i].text, &size) == bad[i].err &&
		      size == 12345, "refuses", bad[i].text);
	}
}

/* Why a size is refused, as the end of a message. */
static void test_why(void)
{
	check(strstr(size_why("64MB"), "1000") &&
	      strstr(size_why("64MB"), "MiB"), "tells what is with", "64MB");
	check(strstr(size_why("1.5kb"), "1000") != NULL, "tells what is with",
	      "1.5kb");
	check(strstr(size_why("0.1K"), "whole number of bytes") != NULL,
	      "tells what is with", "0.1K");
	check(strstr(size_why("1.5"), "whole number of bytes") != NULL,
	      "tells what is with", "1.5");
	check(strstr(size_why("16E"), "64 bits") != NULL, "tells what is with",
	      "16E");
	check(strstr(size_why("5X"), "K, M, G, T, P or E") != NULL,
	      "tells what is with", "5X");
	check(strstr(size_why(""), "K, M, G, T, P or E") != NULL,
	      "tells what is with", "");
}

static void test_text(void)
{
	static const struct {
		uint64_t size;
		const char *text;
	} texts[] = {
		{ 0, "0" }, { 1, "1" }, { 512, "512" }, { 1023, "1023" },
		{ 1024, "1K" }, { 1025, "1K" }, { 1126, "1K" }, { 1127, "1.1K" },
		{ 1536, "1.5K" }, { 2047, "1.9K" }, { 10240, "10K" },
		{ (1 << 20) - 1, "1023.9K" }, { 1 << 20, "1M" },
		{ 64 << 20, "64M" }, { UINT64_C(3) << 29, "1.5G" },
		{ UINT64_C(1) << 40, "1T" }, { UINT64_C(1) << 50, "1P" },
		{ UINT64_C(1) << 60, "1E" }, { UINT64_MAX, "15.9E" },
	};
	char text[SIZE_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check(!strcmp(size_text(texts[i].size, text), texts[i].text),
		      "prints", texts[i].text);
}

/* Whole units survive a round trip, and no text is longer than promised. */
static void test_round_trip(void)
{
	char *text = malloc(SIZE_TEXT_MAX);	/* ASan guards its end */
	int good = 1, unit;
	uint64_t size, value;

	for (unit = 0; unit < 64; unit++) {
		for (value = 1; value < 1024 && value << unit >> unit == value;
		     value++) {
			size = value << unit;
			size_text(size, text);
			if (!strchr(text, '.') && unit % 10 == 0)
				good &= !size_parse(text, &size) &&
					size == value << unit;
			size_text(size - 1, text);
		}
	}
	check(good, "whole units come back", "");
	free(text);
}

int main(void)
{
	test_parse();
	test_refused();
	test_why();
	test_text();
	test_round_trip();
	printf("1..%d\n", number);
	return failures != 0;
}
