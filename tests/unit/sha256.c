// SPDX-License-Identifier: GPL-2.0
/*
 * SHA-256 by the examples of the standard, at all lengths around the end of a
 * block, and in pieces. Hexadecimal digits, which digests are written in.
 */
#include "lib/sha256.h"

#include "lib/hex.h"
#include "tests/unit/image-test.h"

static char text[2 * SHA256_SIZE + 1];

static const char *sum(const void *data, size_t length)
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 sha256;

	sha256_start(&sha256);
	sha256_add(&sha256, data, length);
	sha256_end(&sha256, digest);
	return hex_text(digest, SHA256_SIZE, text);
}

/* Of FIPS 180-2, appendix B, and of a message of no bytes. */
static void test_examples(void)
{
	static const struct {
		const char *message, *digest;
	} examples[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
		  "7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff"
		  "61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db"
		  "06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afe"
		  "e9d1" },
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		check(!strcmp(sum(examples[i].message,
				  strlen(examples[i].message)),
			      examples[i].digest), "a message of %zu bytes",
		      strlen(examples[i].message));
}

static void test_million(void)
{
	uint8_t digest[SHA256_SIZE], data[1000];
	struct sha256 sha256;

	memset(data, 'a', sizeof(data));
	sha256_start(&sha256);
	for (int i = 0; i < 1000; i++)
		sha256_add(&sha256, data, sizeof(data));
	sha256_end(&sha256, digest);
	check(!strcmp(hex_text(digest, SHA256_SIZE, text),
		      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39cc"
		      "c7112cd0"), "a million times a");
}

/*
 * The digest of the digests of messages with 0 to 199 bytes, each of which is its
 * place, by another program.
 */
static void test_lengths(void)
{
	uint8_t data[200], digests[200][SHA256_SIZE], digest[SHA256_SIZE];
	struct sha256 sha256;
	unsigned int same = 0;

	for (unsigned int i = 0; i < 200; i++) {
		data[i] = i;
		sha256_start(&sha256);
		sha256_add(&sha256, data, i);
		sha256_end(&sha256, digests[i]);
	}
	check(!strcmp(sum(digests, sizeof(digests)), "ba7b0fcea7d10c06b855b43d2b4dce1e"
		      "3e842fff6be0acefb0faf4f2dd05bb47"),
	      "messages of all lengths up to 199 bytes");
	for (unsigned int cut = 0; cut <= 199; cut++) {
		struct sha256 other;

		sha256_start(&sha256);
		sha256_add(&sha256, data, cut);
		other = sha256;
		sha256_add(&sha256, data + cut, 199 - cut);
		sha256_end(&sha256, digest);
		same += !memcmp(digest, digests[199], SHA256_SIZE);
		sha256_end(&other, digest);
		same += !memcmp(digest, digests[cut], SHA256_SIZE);
	}
	check(same == 400, "in two pieces, and continued from a copy");
}

static void test_hex(void)
{
	static const uint8_t wanted[] = { 0x00, 0x9a, 0xf0, 0xbc, 0xde };
	uint8_t bytes[5] = { 0 };

	check(!hex_parse("009aF0BcDe", 10, bytes) && !memcmp(bytes, wanted, 5),
	      "digits of both cases");
	check(!strcmp(hex_text(wanted, 5, text), "009af0bcde"),
	      "bytes as digits");
	check(!hex_parse("", 0, bytes) && !strcmp(hex_text(bytes, 0, text), ""),
	      "none");
	check(hex_parse("009", 3, bytes) && hex_parse("0g", 2, bytes) &&
	      hex_parse("g0", 2, bytes) && hex_parse("0 ", 2, bytes) &&
	      hex_parse("-1", 2, bytes) && hex_parse("0x", 2, bytes) &&
	      hex_parse("/0", 2, bytes) && hex_parse(":0", 2, bytes) &&
	      hex_parse("@0", 2, bytes) && hex_parse("`0", 2, bytes) &&
	      hex_parse("0", 2, bytes), "what is no digit is refused");
}

int main(void)
{
	test_examples();
	test_million();
	test_lengths();
	test_hex();
	return done_testing();
}
