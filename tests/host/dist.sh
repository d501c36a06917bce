# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: git file
#
# A release is made from a commit, and made again from the source that it contains,
# elsewhere, it is the same to the byte. (Here its source and this machine's programs;
# `make test-dist` compares all.) Libraries and headers are those of this tree.
. "${0%/*}/../lib.sh"
. "${0%/*}/../dist.lib"

arch=$(linux/board --here)
[ -n "$arch" ] || skip_all "no release is made for this machine"
O=$PWD/build/$arch
[ -f "$O/kernel-headers/.ready" ] && [ -f "$O/lib/liburing.a" ] ||
	skip_all "nothing is compiled for this machine: make"

# release FOLDER: makes the release in FOLDER/build/dist.
release() {
	mkdir -p "$1/build/linux-6.12" "$1/build/$arch/kernel-headers"
	cp -p build/linux-6.12/.unpacked "$1/build/linux-6.12"
	cp -a "$O/kernel-headers/." "$1/build/$arch/kernel-headers"
	make_there "$1" -j2 dist-programs ARCHES="$arch" MUSL="$O/musl" ZLIB="$O" \
		LIBDEFLATE="$O" LIBURING="$O"
}

first=$tmp/a
second=$tmp/the-same-in-a-folder-with-a-longer-name
clone_of_this "$first"
ok "a release is made of a clone" release "$first"
dist=$first/build/dist
is "$(cd "$dist" && find . -type f | LC_ALL=C sort | sed 's/-[0-9].*\.tar/-V.tar/' |
	paste -s -d ' ')" "./SHA256SUMS ./licences/ublk ./made-from ./ublk-V.tar.gz \
./$arch/ublk ./$arch/ublk-board" "it has source, programs and nothing else"
ok "its checksums are right" sh -c "cd '$dist' && sha256sum -c --strict SHA256SUMS"
is "$(cut -c 67- "$dist/SHA256SUMS" | wc -l)" 5 "of all other files"
for program in ublk ublk-board; do
	run file "$dist/$arch/$program"
	like "$out" 'statically linked.*, stripped' "$program is static and stripped"
	like "$("$dist/$arch/$program" --version)" '^ublk [0-9]' "and runs"
done

# What tar says of the source: no person, no moment but the commit's.
source=$(echo "$dist"/ublk-*.tar.gz)
TZ=UTC0 tar --numeric-owner --full-time -tvf "$source" >"$tmp/list"
is "$(awk '{ print $2, $4, $5 }' "$tmp/list" | sort -u)" "0/0 2001-02-03 04:05:06" \
	"the source is nobody's, and of the commit's time"
is "$(awk '{ print $1 }' "$tmp/list" | sort -u | paste -s -d ' ')" \
	"-rw-r--r-- -rwxr-xr-x drwxr-xr-x" "and everybody may read it"
is "$(sed 's|.* ublk-[^/]*/||' "$tmp/list" | grep -v '/$' | grep . | LC_ALL=C sort)" \
	"$(git -C "$first" ls-files | LC_ALL=C sort)" "it has the commit's files"
is "$(tar -xOf "$source" --wildcards '*/packaging/commit' | sed -n 's/^commit //p')" \
	"$(git -C "$first" rev-parse HEAD)" "and says which commit that is"
is "$(od -An -tx1 -j 4 -N 4 "$source" | tr -d ' ')" 00000000 "gzip adds no time"

unpacked "$dist" "$second"
# shellcheck disable=SC2034 # dist.lib looks at it
elsewhere=1
ok "the source makes a release again" release "$second"
run diff -r "$dist" "$second/build/dist"
is "$status" 0 "it is the same to the byte"
[ $status -eq 0 ] || seen
is "$(grep -rlaF "$tmp" "$dist")" "" "nothing in it says where it was made"

echo '# changed' >>"$first/README.md"
fails 2 "a change that is not committed is refused" release "$first"
like "$err" 'README.md' "and named"
ok "the release from before is still there" test -s "$dist/SHA256SUMS"
git -C "$first" checkout -q README.md
mv "$first/.git" "$tmp/git"
fails 2 "what is neither a clone nor a release is refused" release "$first"
like "$err" 'neither a clone of git nor' "and said to be"

done_testing
