# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: bash e2fsprogs
#
# tests/vm brings programs of this machine, in place of BusyBox's of that name.
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

run tests/vm --tool bash - <<'SCRIPT'
#!/usr/bin/bash
[[ $BASH_VERSION ]] && echo yes
SCRIPT
is "$out" yes "a script's own interpreter runs it"

fails 125 "a tool that is not there is said" tests/vm --tool no-such - </dev/null
like "$err" 'no-such' "by name"

done_testing
