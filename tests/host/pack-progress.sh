# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: bsdutils
#
# A user at a terminal sees the progress, and an empty line at the end. Without
# a terminal there is nothing.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}

# A disk that comes in two parts, one second apart, so that there is time.
pattern disk 20000000 >"$tmp/disk"
slowly='{ head -c 10000000 "$disk"; sleep 1; tail -c 10000000 "$disk"; }'
export ublk disk="$tmp/disk" image="$tmp/image"
clear=$(printf '\r\033\\[K')

run script -qec "$slowly"' | "$ublk" pack - "$image"' /dev/null
is $status 0 'a pipe'
like "$out" "${clear}[0-9.]+M  [0-9.]+[KMG]/s" 'shows what is done, and how fast'
like "$out" "${clear}\$" 'and clears the line'
unlike "$out" '%' 'but not how much there is'

# A file has a size. One thread needs more than the fifth of a second after
# which progress is shown.
run script -qec '"$ublk" pack -f -j 1 -c 1M "$disk" "$image"' /dev/null
is $status 0 'a file'
like "$out" "${clear} *[0-9]+ %  [0-9.]+M of 19M  [0-9.]+[KMG]/s  [0-9]+:[0-5][0-9] left" \
	'shows how much there is, and the time left'
like "$out" "${clear}\$" 'and clears the line'

# Without a terminal, nothing at all.
ok 'no terminal' sh -c "$slowly"' | "$ublk" pack -f - "$image"'
is "$out$err" '' 'has no progress'
done_testing
