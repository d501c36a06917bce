# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: squashfs-tools gzip pigz tabix zopfli
# packages: p7zip-full python3
#
# On boards of 32 and 64 MiB, any gzip file is the disk that zcat makes of it,
# and can be written with --cow. With one bit changed, no wrong data is read:
# the file is refused, or some sectors give errors, or the bit was harmless.
. "${0%/*}/../lib.sh"
: "${SEED:=1}" "${FLIPS:=3}"

# Two MiB of text, random data and zeroes in turn.
mkdir "$tmp/files"
disk=$tmp/files/disk
{
	pattern text 700000
	head -c 300000 /dev/urandom
	head -c 400000 /dev/zero
	pattern more 600000
	head -c 97152 /dev/urandom
} >"$disk"
is "$(wc -c <"$disk")" 2097152 'a disk'
with_python() {
	python3 -c 'import gzip, sys
sys.stdout.buffer.write(gzip.compress(open(sys.argv[1], "rb").read(), 6))' "$1"
}
# image NAME COMMAND...
image() {
	name=$1
	shift
	"$@" "$disk" >"$tmp/files/$name.gz" || fail "$name: $*"
	zcat "$tmp/files/$name.gz" | cmp -s - "$disk" ||
		fail "$name: zcat makes something else of it"
}
image gzip gzip -c
image pigz pigz -c
image bgzip bgzip -c
image zopfli zopfli -c --i1
image 7-zip 7z a -tgzip -mx=7 -so unused.gz
image python with_python
./ublk pack "$disk" "$tmp/files/ublk.gz"

# The same with one bit changed, several times for each of them.
note "SEED=$SEED FLIPS=$FLIPS"
python3 - "$tmp/files" "$SEED" "$FLIPS" <<'PYTHON'
import glob, random, sys
random.seed(int(sys.argv[2]))
for path in sorted(glob.glob(sys.argv[1] + "/*.gz")):
	for n in range(int(sys.argv[3])):
		data = bytearray(open(path, "rb").read())
		data[random.randrange(len(data))] ^= 1 << random.randrange(8)
		open("%s.bad%d" % (path, n), "wb").write(data)
PYTHON
# Reads are compared with these: piece.0 to piece.15.
split -b 128K -d -a 2 "$disk" "$tmp/files/piece."
for piece in "$tmp/files/piece.0"?; do
	mv "$piece" "${piece%0?}${piece##*.0}"
done
# What is written to each.
head -c 150001 /dev/urandom >"$tmp/files/new"
mksquashfs "$tmp/files" "$tmp/squashfs" -noI -noD -noF -quiet >/dev/null

cat >"$tmp/board.sh" <<'SCRIPT'
mkdir files
mount -t squashfs -o ro /dev/vda files || exit 1
echo "memory: $(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)"
# read_all FILE: reads a disk in pieces and compares them with the right ones. A
# read ends where an error begins.
read_all() {
	for piece in files/piece.*; do
		dd if="$1" bs=128k skip=${piece#*.} count=1 2>/dev/null |
			cmp - "$piece" 2>&1
	done >said
	grep -q differ said && printf 'wrong '
	grep -q EOF said && echo error
}
# stop NODE
stop() {
	ublk stop "$1" 2>said || echo "not stopped: $(cat said)"
}
for file in files/*.gz; do
	if dev=$(ublk zimg -q 2 "$file"); then
		echo "${file#*/}: $(cmp $dev files/disk && echo the disk)"
		stop $dev
	fi
	dev=$(ublk zimg --cow 1M --spacing 128K "$file") || continue
	. "/run/ublk/${dev#/dev/ublkb}"
	echo "depth: $depth"
	dd if=files/new of=$dev bs=512 seek=1000 conv=notrunc,fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	{
		head -c 512000 files/disk
		cat files/new
		tail -c +662002 files/disk
	} | cmp - $dev && echo "${file#*/}: written"
	stop $dev
done
for file in files/*.bad*; do
	if dev=$(ublk zimg "$file" 2>err); then
		echo "${file#*/}: served: $(read_all $dev)"
		stop $dev
	elif [ -s err ]; then
		echo "${file#*/}: refused"
	fi
done
dmesg | grep -iE 'oom|out of memory|allocation failure'
echo "devices left: $(ublk list --json | grep -c id)"
ublk list
SCRIPT

kernel=${TESTS_KERNEL:-$(linux/default-kernel)}
for size in 64 32; do
	run tests/vm --kernel "$kernel" --mem ${size}M --timeout 400 \
		--allow-log 'I/O error|Buffer I/O' --disk "$tmp/squashfs" \
		"$tmp/board.sh"
	is "$status" 0 "${size}M: the board's script ends"
	[ "$status" -eq 0 ] || seen
	like "$out" '^memory: [1-6][0-9]$' "${size}M: it has no more"
	like "$out" "^depth: $((size / 4))$" \
		"${size}M: the memory for requests is what suits it"
	for maker in gzip pigz bgzip zopfli 7-zip python ublk; do
		like "$out" "^$maker.gz: the disk$" "${size}M: $maker: the disk"
		like "$out" "^$maker.gz: written$" "${size}M: $maker: with --cow"
	done
	is "$(echo "$out" | grep -cE '\.bad[0-9]+: (refused|served: (error)?)$')" \
		$((7 * FLIPS)) "${size}M: damage is told, or does no harm"
	unlike "$out" 'wrong' "${size}M: nothing wrong is read"
	unlike "$out" 'oom|ut of memory|allocation failure' \
		"${size}M: the memory is enough"
	like "$out" '^devices left: 0$' "${size}M: nothing is left"
done

done_testing
