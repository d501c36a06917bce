# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: bash e2fsprogs
#
# tests/vm takes programs of this machine to the board, where they replace
# BusyBox's of the same name.
. "${0%/*}/../lib.sh"

cat >"$tmp/tools.sh" <<'SCRIPT'
sync --version | head -n 1
env sync --version | head -n 1
/bin/sync --version | head -n 1
command -v mkfs.ext4
mkfs.ext4 -V 2>&1 | head -n 1
bash -c 'echo bash ${BASH_VERSION%%.*}'
tar --version
SCRIPT
run tests/vm --tool sync --tool mkfs.ext4 --tool /bin/bash "$tmp/tools.sh"
is "$status" 0 "tools run with their libraries"
gnu=$(sync --version | head -n 1)
is "$(echo "$out" | sed -n 1,3p)" "$gnu
$gnu
$gnu" "a tool wins over the applet, however it is called"
like "$out" '^mke2fs 1\.' "a tool that is a symbolic link"
like "$out" '^bash [0-9]' "a tool named with its path"
like "$out" 'busybox' "other applets stay"

# The board boots and shuts down without the programs that a test uses in place
# of BusyBox's. Files below /tmp of this machine must not be visible there.
mkdir "$tmp/tools"
for name in cat echo ip kill ln mkdir mkfifo mount reboot setsid sleep sync usleep; do
	printf '#!/bin/sh\nexit 1\n' >"$tmp/tools/$name"
	chmod 755 "$tmp/tools/$name"
	set -- "$@" --tool "$tmp/tools/$name"
done
run tests/vm "$@" - <<'SCRIPT'
grep -c ' /run ' /proc/mounts
mount 2>/dev/null || printf 'no mount\n'
SCRIPT
is "$out" '1
no mount' "what /init calls does not depend on tools"
run tests/vm --tool mount - <<'SCRIPT'
mount --version
SCRIPT
like "$out" '^mount from util-linux' "one's own mount"

run tests/vm --tool bash - <<'SCRIPT'
#!/usr/bin/bash
[[ $BASH_VERSION ]] && echo yes
SCRIPT
is "$out" yes "a script's own interpreter runs it"

fails 125 "a tool that is not there is said" tests/vm --tool no-such - </dev/null
like "$err" 'no-such' "by name"

done_testing
