// SPDX-License-Identifier: GPL-2.0
/*
 * What `ublk bench` prints is what floating point would print, after runs of a
 * microsecond and of a year.
 */
#include "commands/bench.c"

#include <math.h>

#define TEXT_MAX 512
#define REPORTS 20000

static int number, failures;

static void check(int good, const char *what)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
}

static uint64_t state = 88172645463325252;

/* A number of up to @bits bits: small ones are as likely as large ones. */
static uint64_t random_bits(unsigned int bits)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state | UINT64_C(1) << 63) >> (64 - bits) >> state % bits;
}

static void test_per_second(void)
{
	int good = 1, i;

	for (i = 0; i < 100000; i++) {
		uint64_t count = random_bits(63), ns = 1000 + random_bits(55);
		unsigned int decimals = i % 2;
		unsigned __int128 product = (unsigned __int128)count *
			(decimals ? UINT64_C(10000000000) : 1000000000);

		product = (2 * product + ns) / (2 * ns);
		if (!(product >> 64))
			good &= per_second(count, ns, decimals) == product;
	}
	check(good, "a rate is exact, and does not overflow");
	check(per_second(1, 1000000000, 1) == 10 &&
	      per_second(86400, UINT64_C(86400) * 1000000000, 1) == 10 &&
	      per_second(3, 2000000000, 0) == 2 &&
	      per_second(4, 3000000000, 1) == 13, "some rates");
	check(rounded(14, 10) == 1 && rounded(15, 10) == 2 &&
	      rounded(0, 1) == 0 && rounded(UINT64_MAX, UINT64_MAX) == 1 &&
	      rounded(UINT64_MAX, 2) == UINT64_C(1) << 63, "some numbers");
}

/* The middle of the class that holds a latency is no further than 1 %. */
static void test_classes(void)
{
	int good = 1, i;

	for (i = 0; i < 100000; i++) {
		uint64_t ns = random_bits(62), middle = class_ns(class_of(ns));

		good &= fabs((double)middle - ns) <= ns / 100.0;
	}
	check(good, "classes have their latencies");
}

/*
 * A run of a microsecond to a year, with a billion requests a second at most.
 * The bytes, and the sum of latencies, fit into 64 bits.
 */
static void fill(struct bench *bench, struct settings *settings)
{
	uint64_t ns = 1000 + random_bits(55);
	int i;

	memset(bench->classes, 0, sizeof(bench->classes));
	settings->bs = 512 << random_bits(4);
	bench->start = random_bits(60);
	bench->end = bench->start + ns;
	bench->done = 0;
	bench->latency = 0;
	for (i = 0; i < 20; i++) {
		uint64_t latency = 128 + random_bits(20);
		uint64_t count = 1 + random_bits(35) % (ns / 20);

		bench->classes[class_of(latency)] += count;
		bench->done += count;
		bench->latency += latency * count;
	}
}

static double percentile(const struct bench *bench)
{
	uint64_t rest = bench->done * 0.99;
	unsigned int class = 0;

	while (rest >= bench->classes[class])
		rest -= bench->classes[class++];
	return class_ns(class);
}

static void print_both(struct bench *bench, char *text, char *wanted)
{
	const struct settings *settings = bench->settings;
	double seconds = (bench->end - bench->start) / 1e9;
	double mean = (double)bench->latency / bench->done;
	double iops = bench->done / seconds;
	double p99 = percentile(bench);
	FILE *out = stdout;
	char bs[SIZE_TEXT_MAX];

	stdout = fmemopen(text, TEXT_MAX, "w");
	bench_report(bench);
	fclose(stdout);
	stdout = out;
	if (settings->json)
		snprintf(wanted, TEXT_MAX, "{\"rw\": \"%s\", \"bs\": %" PRIu64
			 ", \"depth\": %" PRId64 ", \"ios\": %" PRIu64
			 ", \"seconds\": %.6f, \"iops\": %.1f"
			 ", \"bandwidth\": %.0f, \"latency_mean_ns\": %.0f"
			 ", \"latency_p99_ns\": %.0f}\n", bench->pattern->name,
			 settings->bs, settings->depth, bench->done, seconds,
			 iops, iops * settings->bs, mean, p99);
	else
		snprintf(wanted, TEXT_MAX, "%s, %s, depth %" PRId64
			 ": %.0f IOPS, %.1f MiB/s, latency mean %.1f us, "
			 "p99 %.1f us\n", bench->pattern->name,
			 size_text(settings->bs, bs), settings->depth, iops,
			 iops * settings->bs / (1 << 20), mean / 1000,
			 p99 / 1000);
}

/*
 * Whether two texts are the same but for the last digits of numbers: printf
 * rounds a half to the even digit, and a double has 53 bits.
 */
static bool alike(const char *one, const char *other)
{
	while (*one && *other) {
		char *end, *other_end;
		double a, b;

		if (*one < '0' || *one > '9') {
			if (*one++ != *other++)
				return false;
			continue;
		}
		a = strtod(one, &end);
		b = strtod(other, &other_end);
		if (fabs(a - b) > 1e-15 * b +
		    (memchr(one, '.', end - one) ? 0.11 : 1))
			return false;
		one = end;
		other = other_end;
	}
	return *one == *other;
}

static void test_report(void)
{
	static char text[TEXT_MAX], wanted[TEXT_MAX];
	static struct settings settings;
	static struct bench bench;
	int unlike = 0, same = 0, i;

	settings = defaults;
	bench.settings = &settings;
	bench.pattern = &patterns[0];
	for (i = 0; i < REPORTS; i++) {
		settings.json = i % 2;
		fill(&bench, &settings);
		print_both(&bench, text, wanted);
		same += !strcmp(text, wanted);
		if (!alike(text, wanted) && !unlike++)
			printf("# got:    %s# wanted: %s", text, wanted);
	}
	printf("# %d of %d are the same to the digit\n", same, REPORTS);
	check(!unlike && same > REPORTS / 100 * 99, "reports");
	bench.end = bench.start;
	print_both(&bench, text, wanted);
	check(strstr(text, "\"seconds\": 0.000000, ") && !strstr(text, "inf"),
	      "a clock that has not moved");
}

int main(void)
{
	test_per_second();
	test_classes();
	test_report();
	printf("1..%d\n", number);
	return failures != 0;
}
