// SPDX-License-Identifier: GPL-2.0
/*
 * URIs of what is on a server: what each part means, what is refused, and where
 * a redirect leads.
 */
#include "sources/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number, failures;

static void check(int good, const char *what, const char *text)
{
	failures += !good;
	printf("%sok %d - %s '", good ? "" : "not ", ++number, what);
	for (int i = 0; text[i] && i < 100; i++)
		putchar(text[i] < ' ' ? '?' : text[i]);
	printf("'\n");
}

static void test_good(void)
{
	static const struct {
		const char *text;
		enum uri_kind kind;
		const char *host, *port, *path, *socket;
	} good[] = {
		{ "nbd://server", URI_NBD, "server", "10809", "", "" },
		{ "nbd://server/", URI_NBD, "server", "10809", "", "" },
		{ "NBD://server:1/ex", URI_NBD, "server", "1", "ex", "" },
		{ "nbd://10.0.0.1:65535//ex/", URI_NBD, "10.0.0.1", "65535", "/ex/", "" },
		{ "nbd://[::1]/a%20b%2fc", URI_NBD, "::1", "10809", "a b/c", "" },
		{ "nbd://[fe80::1%25eth0]:7/a?x=y", URI_NBD, "fe80::1%eth0", "7", "a", "" },
		{ "nbd://server:/%E4", URI_NBD, "server", "10809", "\xe4", "" },
		{ "nbd+unix:///?socket=/run/a", URI_NBD_UNIX, "", "", "", "/run/a" },
		{ "nbd+unix:///ex?a=b&socket=/run/a%3F%26&c", URI_NBD_UNIX, "", "", "ex", "/run/a?&" },
		{ "nbd+unix://?socket=s", URI_NBD_UNIX, "", "", "", "s" },
		{ "http://server", URI_HTTP, "server", "80", "/", "" },
		{ "http://server:8080/a%20b?c=d%26#e", URI_HTTP, "server", "8080", "/a%20b?c=d%26", "" },
		{ "http://[::1]:8/", URI_HTTP, "::1", "8", "/", "" },
		{ "http://server?a", URI_HTTP, "server", "80", "/?a", "" },
	};
	struct uri uri;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check(uri_is_one(good[i].text) &&
		      !uri_parse(&uri, good[i].text) &&
		      uri.kind == good[i].kind &&
		      !strcmp(uri.host, good[i].host) &&
		      !strcmp(uri.port, good[i].port) &&
		      !strcmp(uri.path, good[i].path) &&
		      !strcmp(uri.socket, good[i].socket), "is", good[i].text);
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"nbd://", "nbd:///ex", "nbd://:10809/", "nbd://server:0/",
		"nbd://server:65536/", "nbd://server:99999999999999999999/",
		"nbd://server:1x/", "nbd://server:-1/", "nbd://server: 1/",
		"nbd://user@server/", "nbd://[::1/", "nbd://[::1]x/",
		"nbd://[]/", "nbd://server/%", "nbd://server/%4",
		"nbd://server/%zz", "nbd://server/%00", "nbd://server/%0a",
		"nbd://server/a#b", "nbd://ser%2fver/", "nbd://ser%20ver/",
		"nbd+unix:///ex", "nbd+unix://server/ex?socket=/a",
		"nbd+unix:///ex?socket=", "nbd+unix:///ex?socket=%00",
		"http://", "http:///a", "http://server/a b",
		"http://server/a\r\nHost: other", "http://user:word@server/",
		"nbds://server/", "nbds+unix:///?socket=/a", "https://server/",
	};
	static const char *const none[] = {
		"", "-", "nbd", "nbd:", "/nbd://server/", "./http://server",
		"disk.img.gz", "file:///a", "ftp://server/",
	};
	static char text[5000];
	struct uri uri;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(uri_is_one(bad[i]) && uri_parse(&uri, bad[i]), "refused",
		      bad[i]);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		check(!uri_is_one(none[i]) && uri_parse(&uri, none[i]),
		      "a file", none[i]);
	for (unsigned int kind = 0; kind < 4; kind++) {
		static const char *const heads[] = {
			"nbd://", "nbd://s/", "http://s/",
			"nbd+unix:///?socket=",
		};

		memset(text, 'a', sizeof(text) - 1);
		memcpy(text, heads[kind], strlen(heads[kind]));
		check(uri_parse(&uri, text) != NULL, "too long", text);
	}
}

static void test_redirect(void)
{
	static const struct {
		const char *location, *host, *port, *path;
	} good[] = {
		{ "http://other/x", "other", "80", "/x" },
		{ "//other:1", "other", "1", "/" },
		{ "/x?y", "server", "8", "/x?y" },
		{ "x", "server", "8", "/a/x" },
		{ "../x", "server", "8", "/a/../x" },
		{ "?x", "server", "8", "/a/b?x" },
	};
	static const char *const bad[] = {
		"https://other/", "nbd://other/", "ftp://other/x", "a b",
		"http://", "//", "x\ny", "mailto:x",
	};
	struct uri uri;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uri_parse(&uri, "http://server:8/a/b?c/d");
		check(!uri_redirect(&uri, good[i].location) &&
		      uri.kind == URI_HTTP && !strcmp(uri.host, good[i].host) &&
		      !strcmp(uri.port, good[i].port) &&
		      !strcmp(uri.path, good[i].path), "leads to",
		      good[i].location);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uri_parse(&uri, "http://server:8/a/b?c/d");
		check(uri_redirect(&uri, bad[i]) != NULL, "leads nowhere",
		      bad[i]);
	}
}

int main(void)
{
	test_good();
	test_bad();
	test_redirect();
	printf("1..%d\n", number);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
