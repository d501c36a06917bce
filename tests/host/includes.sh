# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tests/includes finds includes that break the order of the directories, and
# circles.
. "${0%/*}/../lib.sh"

includes=$PWD/tests/includes
mkdir -p "$tmp/tree"
cd "$tmp/tree" || exit
mkdir lib core image targets targets/zimg commands initramfs

# file NAME INCLUDED...: makes a file that includes these.
file() {
	name=$1
	shift
	: >"$name"
	for included; do
		echo "#include \"$included\"" >>"$name"
	done
}
file ublk.c initramfs/init.h core/device.h
file initramfs/init.h commands/verb.h
file initramfs/init.c initramfs/init.h lib/message.h
file commands/verb.h lib/message.h
file targets/zimg/zimg.c targets/zimg/zimg.h core/device.h image/image.h
file targets/zimg/zimg.h targets/backing.h
file targets/backing.h
file core/device.h lib/message.h
file core/device.c core/device.h core/node.h
file core/node.h
file image/image.h lib/message.h
file lib/message.h
# shellcheck disable=SC2046 # words are meant to be split
all() {
	"$includes" $(find . -name '*.[ch]' | sed 's|^./||' | sort)
}
ok "all point downwards" all
is "$out" "" "and nothing is said"

# shows TEXT: the check prints this about the current tree, and fails.
shows() {
	run all
	is "$status $out" "1 $1" "it says: $1"
}
file lib/message.h core/device.h
shows "lib/message.h: includes core/device.h, which is not below it
a circle: lib/message -> core/device -> lib/message"
file lib/message.h
file image/image.h core/node.h
shows "image/image.h: includes core/node.h, which is not below it"
file image/image.h
file commands/verb.h initramfs/init.h
shows "commands/verb.h: includes initramfs/init.h, which is not below it
a circle: commands/verb -> initramfs/init -> commands/verb"
file commands/verb.h
file core/node.h core/record.h
file core/record.c core/record.h core/device.h
file core/record.h
shows "a circle: core/device -> core/node -> core/record -> core/device"
file core/record.c core/record.h
ok "without it all is well" all
file core/record.c extra/thing.h
shows "core/record.c: includes extra/thing.h, and one is in no folder that is known"
run "$includes"
is $status 2 "without files it is wrong usage"
done_testing
