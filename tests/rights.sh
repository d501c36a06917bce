# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib --add $O/driver/strike
# board: --tool blkdiscard --mem 512M --timeout 900
#
# Processes that serve have no rights: no capabilities, no new ones, few system
# calls, and a ring with their own files only. Everything that disks do still
# works. A process that cannot drop a right does not serve, and says which.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

# status TASK FIELD: prints a field of a thread's status.
status() {
	sed -n "s/^$2:[^0-9a-f]*//p" "$1/status"
}
# rights NAME PROCESS: a check of each of its threads, without the kernel's.
rights() {
	wrong=''
	threads=0
	for task in /proc/"$2"/task/*; do
		case $(cat "$task/comm") in iou-*) continue ;; esac
		# Without a supervisor, the first thread has the control device.
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

# without CALL REGEX TARGET...: each call of that name that the servers make
# fails once. Then there is no disk, and a message matches REGEX; or, if the
# disk existed already, there is another worker without rights.
without() {
	call=$1
	regex=$2
	shift 2
	problem='' n=1
	while :; do
		# shellcheck disable=SC2048,SC2086 # words are meant to be split
		serve_with "$n" "$call" $*
		[ $status -ne 3 ] || break
		if [ -b "$dev" ]; then
			wait_until 10 powerless ||
				problem="$problem $n: served with rights"
			run ublk stop "$dev"
			[ $status -eq 0 ] || problem="$problem $n: $err"
		else
			[ $status -eq 1 ] || problem="$problem $n: status $status"
			printf '%s\n' "$err" | grep -qE "^ublk: $regex" ||
				problem="$problem $n: says '$err'"
		fi
		[ "$(what_is)" = "$was" ] || problem="$problem $n: left $(what_is)"
		n=$((n + 1))
		[ -z "$problem" ] || break
	done
	[ $n -gt 1 ] || problem="no such call"
	note "$*: $((n - 1)) times $call"
	is "$problem" "" "$*: $call fails"
}
# serve_with N CALL ARGUMENT...: like serve.
serve_with() {
	run "${0%/*}/strike" "$1" -c "$2" -e EPERM -o "$tmp/call" ublk "$3" "$4" \
		${5:+"$5"}
	dev=$out
	id=${dev#/dev/ublkb}
	[ $status -ne 3 ] || { ublk stop "$dev" && wait_until 5 [ ! -e "$dev" ]; }
}
# powerless: no thread of the worker of $id, or of its only process except the
# first, has a right.
powerless() {
	first=''
	serves=$(worker_of "$id")
	[ -n "$serves" ] || serves=$(server_of "$id") first=$serves
	for task in /proc/"$serves"/task/*; do
		case $(cat "$task/comm") in iou-*) continue ;; esac
		[ "${task##*/}" != "$first" ] || continue
		[ "$(status "$task" CapEff)" = 0000000000000000 ] &&
			[ "$(status "$task" NoNewPrivs)" = 1 ] &&
			[ "$(status "$task" Seccomp)" = 2 ] || return 1
	done
}

before
for target in "ram 1M" "zimg $tmp/image.gz" "ram 1M --no-supervise"; do
	without prlimit64 "cannot lock memory without limit: " "$target"
	without capset "cannot give capabilities away: " "$target"
	without prctl "cannot (do without new rights|serve the writeback)" \
		"$target"
	without seccomp "cannot restrict system calls: " "$target"
	without mlock "cannot lock (the program|memory)" "$target"
	without mlockall "cannot lock memory: " "$target"
done
for call in unshare mount; do
	without $call "(a mount namespace|ram)" "ram 1M --rootfs"
done

done_testing
