# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: patch git
#
# With SOURCES_FROM= the libraries are made of sources as their authors publish them:
# they become what deps/fetch has, nothing is fetched, and with PACKAGES=no no package is
# installed.
. "${0%/*}/../lib.sh"
. "${0%/*}/../sources.lib"

there=$tmp/tree
mkdir "$there"
published "$tmp/sources"
sources=$tmp/sources
git ls-files -z --cached --others --exclude-standard | tar --null \
	--files-from - --ignore-failed-read -cf - |
	tar -xf - -C "$there"
mkdir "$tmp/bin"
printf '#!/bin/sh\necho "apt-get $*" >>%s\nexit 1\n' "$tmp/fetched" >"$tmp/bin/apt-get"
chmod 755 "$tmp/bin/apt-get"
ok "sources that are there are taken and patched" env PATH="$tmp/bin:$PATH" make -s \
	-C "$there" PACKAGES=no SOURCES_FROM="$sources" build/src/musl/.unpacked \
	build/src/zlib/.unpacked build/src/libdeflate/.unpacked build/src/liburing/.unpacked
for library in musl zlib libdeflate liburing; do
	# What Debian changes in zlib/contrib and in manual pages is not compiled.
	run diff -r -x .unpacked -x contrib -x man build/src/$library "$there/build/src/$library"
	is "$status" 0 "$library is as after deps/fetch"
done
[ ! -e "$tmp/fetched" ] && pass "and nothing is fetched" ||
	fail "and nothing is fetched" "$(cat "$tmp/fetched")"
is "$(PACKAGES=no deps/packages no-such-package 2>&1)" "" "PACKAGES=no asks for no package"

done_testing
