# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What bash completes on a command line: verbs, options and values from the help
# of this program, devices from its list, files where a file is expected, and
# nothing for a size or a number.
. "${0%/*}/../lib.sh"

command -v bash >/dev/null || skip_all "no bash"
here=$(pwd)

# The program, with devices.
mkdir "$tmp/bin" "$tmp/work"
cat >"$tmp/bin/ublk" <<SCRIPT
#!/bin/sh
[ "\$1" = list ] || exec "$here/ublk" "\$@"
cat <<'LIST'
ID   NODE          STATE     TARGET      SIZE QUEUES     PID SUPERVISED ARGUMENT
0    /dev/ublkb0   live      ram          64M      1    1234 yes         64M
7    /dev/ublkb7   live      file        100M      2    1240 yes         a b 9
12   /dev/ublkb12  quiesced  null          1G      1       - no          1G
LIST
SCRIPT
chmod +x "$tmp/bin/ublk"
cd "$tmp/work" || exit 1
mkdir folder
touch disk.img disk.img.gz 'my disk' folder/inner pci:00:1f 9volt

cat >"$tmp/complete" <<SCRIPT
. "$here/packaging/completions/ublk.bash"
COMP_WORDS=("\$@")
COMP_CWORD=\$((\$# - 1))
_ublk "\$1" "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
for word in "\${COMPREPLY[@]}"; do
	echo "\$word"
done
SCRIPT

# offers WANTED NAME WORD...: the completions of the last word, sorted and
# separated by commas. The words are split as readline does.
offers() {
	want=$1 name=$2
	shift 2
	run bash --norc "$tmp/complete" "$tmp/bin/ublk" "$@"
	is "$(LC_ALL=C sort "$tmp/out" | paste -s -d ,)$err" "$want" "$name: $*"
}

offers --help,--version,bench,check,features,file,help,index,info,init,list,null,\
pack,ram,recover,stat,stop,unpack,upgrade,zimg "all verbs" ''
offers features,file "verbs that begin so" f
offers stat,stop "two verbs" st
offers stop "one verb" sto
offers '' "no verb" x
offers --help,--version "options without a verb" --
offers check "verbs to help with" help c
offers '' "help takes one" help check c
offers '' "an unknown verb" frob ''
offers '' "an unknown verb and a dash" frob -

# Options.
offers --all,--force,--help "all options of stop" stop -
offers --force "one that is begun" stop --f
offers --help,--json "options of list" list --
offers --count,--help,--interval,--json,--latency,--prometheus "options of stat" \
	stat --
offers --batch,--bs,--depth,--destroy,--help,--ios,--json,--rw,--time \
	"options of bench" bench -
offers --block-size,--buffered "options of a target and of every device" file --b
offers --block-size,--cow,--depth,--foreground,--help,--id,--max-io,--no-supervise,\
--queues,--read-only,--rootfs "all options of ram" ram --
offers --cache,--cow "those of zimg" zimg --c
offers --cache,--cow "behind an argument" zimg disk.img.gz --c
offers --help "a verb without options" features -
offers '' "none behind --" file -- --b

# Values.
offers '' "a size" ram ''
offers '' "a size that is begun" ram 6
offers '' "a size behind options" null --queues 2 ''
offers '' "the size of an option" file --offset ''
offers '' "the size of an option, with =" file --offset = ''
offers '' "the number of an option" file --queues d
offers '' "the number of a short option" file -q d
offers '' "that of joined ones" file -rq d
offers disk.img,disk.img.gz "an argument behind a value" file --offset 4K d
offers disk.img,disk.img.gz "behind a short option and its value" file -q 2 d
offers disk.img,disk.img.gz "behind a short option with its value" file -q2 d
offers disk.img,disk.img.gz "behind an option with =" file --queues = 2 d
offers disk.img,disk.img.gz "behind a flag" file -r d
offers disk.img,disk.img.gz "the file of an option" zimg --index d
offers disk.img,disk.img.gz "the file of an option, with =" zimg --index = d
offers 9volt,disk.img,disk.img.gz,folder,"my disk",pci:00:1f \
	"any file, with =" zimg --index =
offers disk.img,disk.img.gz "a size or file" zimg x --cow d
offers disk.img,disk.img.gz "a file of counters" stat --prometheus d
offers randread,randrw,randwrite,read,write "patterns" bench --rw ''
offers randread,randrw,randwrite "patterns that begin so" bench --rw ran
offers randread,randrw,randwrite "with =" bench --rw = ran
offers '' "how long" bench --time ''
offers '' "a level" pack --level ''

# Files.
offers disk.img,disk.img.gz "a path" file d
offers "my disk" "with a space" file my
offers folder/inner "in a folder" file folder/
offers 00:1f "behind a colon" file pci : 0
offers 1f "behind two" file pci : 00 : 1
offers disk.img,disk.img.gz "what to pack" pack d
offers disk.img,disk.img.gz "and where" pack disk.img d
offers '' "no third" pack disk.img disk.img.gz d
offers disk.img,disk.img.gz "an image" info d
offers disk.img,disk.img.gz "its index" index disk.img.gz d
offers disk.img,disk.img.gz "a file behind --" unpack -- d
offers '' "no second path" file disk.img d

# Devices.
offers 0,12,7 "devices" stop ''
offers 12 "one that is begun" stop 1
offers 0,12,7 "a second device" stop 7 ''
offers /dev/ublkb0,/dev/ublkb12,/dev/ublkb7 "nodes" stop /
offers /dev/ublkb12 "a node" stop /dev/ublkb1
offers 0,12,7 "behind an option" stop --force ''
offers 12 "devices to list" list 1
offers 12 "to watch" stat --interval 1 1
offers 12 "to recover" recover 1
offers 12 "to upgrade" upgrade 1
offers disk.img,disk.img.gz "the program of an upgrade" upgrade 7 d
offers 0,12,7,9volt,disk.img,disk.img.gz,folder,"my disk",pci:00:1f \
	"a device or a program" upgrade 7 ''
offers /dev/ublkb12 "a node to measure" bench /dev/ublkb1

# If nothing can be queried, nothing is offered or printed.
cat >"$tmp/bin/ublk" <<'SCRIPT'
#!/bin/sh
echo "ublk: fails" >&2
exit 1
SCRIPT
offers --help,--version "a program that fails" ''
offers '' "its options" stop -
offers '' "its devices" stop ''
rm "$tmp/bin/ublk"
offers '' "no program" stop ''

done_testing
