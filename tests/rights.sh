# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --tool blkdiscard --mem 512M
#
# What serves has no rights: no capability, no new ones, few system calls, and a
# ring that reaches its own files alone. All that disks do works all the same.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# status TASK FIELD: prints a field of a thread's status.
status() {
	sed -n "s/^$2:[^0-9a-f]*//p" "$1/status"
}
# rights NAME PROCESS: the check of each of its threads that is not the kernel's.
rights() {
	wrong=''
	threads=0
	for task in /proc/"$2"/task/*; do
		case $(cat "$task/comm") in iou-*) continue ;; esac
		# Unsupervised, the first thread has the device's control.
		[ -n "$3" ] && [ "${task##*/}" = "$2" ] && continue
		threads=$((threads + 1))
		for right in CapPrm CapEff CapInh; do
			[ "$(status "$task" $right)" = 0000000000000000 ] ||
				wrong="$wrong, $right of ${task##*/}"
		done
		[ "$(status "$task" NoNewPrivs)" = 1 ] ||
			wrong="$wrong, NoNewPrivs of ${task##*/}"
		[ "$(status "$task" Seccomp)" = 2 ] ||
			wrong="$wrong, Seccomp of ${task##*/}"
	done
	if [ -z "$wrong" ] && [ $threads -gt 0 ]; then
		pass "$1: $threads threads without rights"
	else
		fail "$1: threads without rights" "${wrong#, } of $threads"
	fi
}

pattern data 1048576 >"$tmp/data"
truncate -s 8M "$tmp/file"
ublk pack "$tmp/data" "$tmp/image.gz"
for target in "ram 8M -q 2" "file $tmp/file -q 2" "file $tmp/file --buffered" \
	"zimg $tmp/image.gz -q 2" "null 8M" "file $tmp/file -q 2 --cow 4M" \
	"file $tmp/file --cow $tmp/kept"; do
	for how in "" --no-supervise; do
		# shellcheck disable=SC2086 # words are meant to be split
		served "$target $how" $target $how
		worker=$(worker_of "$id")
		if [ -n "$worker" ]; then
			rights "$target $how" "$worker"
		else
			rights "$target $how" "$(server_of "$id")" alone
		fi
		case $target in
		zimg*) ;;
		*)
			put "$dev" 0 <"$tmp/data"
			ok "$target $how: discard" blkdiscard -o 2M -l 1M "$dev"
			ok "$target $how: zeroes" blkdiscard -z -o 4M -l 1M "$dev"
			ok "$target $how: flush" sync "$dev" ;;
		esac
		case $target in
		null*) ;;
		*) is "$(read_back "$dev" 1048576 | sum -)" \
			"$(sum "$tmp/data")" "$target $how: read" ;;
		esac
		stopped "$target $how: stop it" "$dev"
	done
done

done_testing
