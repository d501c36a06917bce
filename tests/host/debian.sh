# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: dpkg-dev debhelper dh-dkms git
#
# The Debian packages have what they should, where Debian looks for it, and their
# version is the program's.
. "${0%/*}/../lib.sh"

program=build/x86_64/ublk
[ -x "$program" ] || skip_all "no $program: run make"
version=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
is "ublk ${version%-*}" "$(./ublk --version)" "the version is the program's"
ok "make them" packaging/make-deb --binary amd64 "$program" "$tmp/debs"
is "$out" "$tmp/debs/ublk_${version}_amd64.deb" "says which"
deb=$out
is "$(dpkg-deb -f "$deb" Package Architecture Depends)" "Package: ublk
Architecture: amd64" "it depends on nothing"
dpkg-deb -x "$deb" "$tmp/root"
same "$tmp/root/usr/sbin/ublk" "$program" "the program is ours, byte for byte"
for file in usr/share/man/man8/ublk.8.gz usr/share/bash-completion/completions/ublk \
	usr/libexec/ublk/ublk-service usr/lib/systemd/system/ublk@.service \
	usr/lib/systemd/system/ublk-recover.service \
	usr/lib/systemd/system-generators/ublk-generator \
	usr/lib/systemd/system-shutdown/ublk.shutdown usr/lib/udev/rules.d/60-ublk.rules \
	usr/lib/udev/ublk-id usr/share/doc/ublk/copyright \
	usr/share/doc/ublk/examples/data.conf.example; do
	[ -f "$tmp/root/$file" ] && pass "$file" || fail "$file"
done
is "$(readlink "$tmp/root/usr/libexec/ublk/@ublk")" ../../sbin/ublk \
	"the program has a name that systemd spares"
is "$(readlink "$tmp/root/usr/lib/systemd/system/sysinit.target.wants/ublk-recover.service")" \
	../ublk-recover.service "the unit for shutdowns is always there"

initramfs=$tmp/debs/ublk-initramfs_${version}_all.deb
is "$(dpkg-deb -f "$initramfs" Depends)" "ublk (>= $version), initramfs-tools | dracut" \
	"what puts it into an initramfs needs both"
dpkg-deb -x "$initramfs" "$tmp/initramfs"
for file in hooks/ublk scripts/local-top/ublk; do
	ok "$file" test -x "$tmp/initramfs/usr/share/initramfs-tools/$file"
done
for file in module-setup.sh ublk-root.sh; do
	ok "$file" test -x "$tmp/initramfs/usr/lib/dracut/modules.d/90ublk/$file"
done
ok "what both source" test -f "$tmp/initramfs/usr/share/ublk/root"
dpkg-deb -e "$initramfs" "$tmp/control"
like "$(cat "$tmp/control/triggers")" '^activate-noawait update-initramfs$' \
	"initramfs are made again when it is installed or removed"

dpkg-deb -x "$tmp/debs/ublk-dkms_${version}_all.deb" "$tmp/dkms"
source=$tmp/dkms/usr/src/ublk-${version%-*}
ok "the driver is whole" diff -r linux/drivers "$source/drivers"
like "$(cat "$source/dkms.conf")" "^PACKAGE_VERSION=\"${version%-*}\"\$" \
	"DKMS knows its version"
unlike "$(cat "$source/dkms.conf")" 'ublk/1\.0/|#MODULE' "and no other one"

# An unreleased state sorts behind the release.
ok "another version" packaging/make-deb --binary amd64 "$program" "$tmp/debs" "$version+test1"
is "$(dpkg-deb -f "$out" Version)" "$version+test1" "is that of the package"
ok "which is a later one" dpkg --compare-versions "$version+test1" gt "$version"
fails 1 "one without a revision is refused" packaging/make-deb --binary amd64 \
	"$program" "$tmp/debs" 0.1+git
done_testing
