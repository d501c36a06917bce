# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: systemd
#
# What systemd is told of disks: the units are what it understands, and the generator
# names the mounts and devices that a disk lies on.
. "${0%/*}/../lib.sh"

mkdir "$tmp/conf" "$tmp/units" "$tmp/system"
export UBLK_CONF="$tmp/conf" UBLK_SERVICE=packaging/service/ublk-service
cat >"$tmp/conf/plain.conf" <<'CONF'
file /srv/data.img --id 7
CONF
cat >"$tmp/conf/image.conf" <<'CONF'
# on a device
zimg /dev/vdb2
--cow "/srv/100% my/changes.cow" --id 8
CONF
echo 'zimg /srv/a.gz --cow=/var/a.cow --index /var/a.idx' >"$tmp/conf/equals.conf"
echo 'ram 64M' >"$tmp/conf/ram.conf"
: >"$tmp/conf/empty.conf"
echo 'file "unfinished' >"$tmp/conf/bad.conf"
ok "the generator" packaging/systemd/ublk-generator "$tmp/units"
lines() {
	sed '/^#/d; /^\[Unit\]$/d' "$tmp/units/ublk@$1.service.d/50-ublk.conf"
}
is "$(lines plain)" 'RequiresMountsFor="/srv/data.img"' "a file needs its mount"
is "$(lines image)" 'Requires=dev-vdb2.device
After=dev-vdb2.device
RequiresMountsFor="/srv/100%% my/changes.cow"' "a device is waited for"
is "$(lines equals)" 'RequiresMountsFor="/srv/a.gz"
RequiresMountsFor="/var/a.cow"
RequiresMountsFor="/var/a.idx"' "all files of options count"
is "$(cd "$tmp/units" && echo *)" \
	'ublk@equals.service.d ublk@image.service.d ublk@plain.service.d' \
	"others need nothing, and one that cannot be read does no harm"

# systemd's own check wants the programs that units name to be there.
for unit in ublk@.service ublk-recover.service; do
	sed "s|/usr/libexec/ublk/ublk-service|$PWD/packaging/service/ublk-service|" \
		"packaging/systemd/$unit" >"$tmp/system/$unit"
done
cp "$tmp/system/ublk@.service" "$tmp/system/ublk@plain.service"
cp -R "$tmp/units/." "$tmp/system"
run env SYSTEMD_UNIT_PATH="$tmp/system:/usr/lib/systemd/system:/lib/systemd/system" \
	systemd-analyze verify --man=no "$tmp/system/ublk@plain.service" \
	"$tmp/system/ublk-recover.service"
is "$status" 0 "systemd has nothing against the units" || seen
unlike "$err" 'ublk' "not even a warning"
done_testing
