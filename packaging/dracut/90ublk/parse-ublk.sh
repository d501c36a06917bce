#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tells dracut which root= it shall wait for and mount: that of ublk-root.sh, unless
# another one is named beside ublk.root=.
case ${root:-} in
ublk:*) root=block:/dev/ublk-root ;;
'') ! getarg ublk.root= >/dev/null || root=block:/dev/ublk-root ;;
esac
# shellcheck disable=SC2034 # for dracut
[ "${root:-}" != block:/dev/ublk-root ] || rootok=1
