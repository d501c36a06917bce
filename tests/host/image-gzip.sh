# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: gzip pigz tabix zopfli p7zip-full python3
#
# Any gzip file is a disk: what gzip, pigz, bgzip, zopfli, 7-Zip and Python make
# is expanded from restart points as zcat does, and damage is reported.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}

# Text, random data and zeroes in turn, always the same.
python3 -c 'import random, sys
random.seed(7)
for i in range(12):
	kind = i % 4
	sys.stdout.buffer.write(
		b"".join(b"%d of %d\n" % (n, i) for n in range(20000))
		if kind == 0 else random.randbytes(150000) if kind == 1
		else bytes(700000) if kind == 2
		else bytes(random.choices(b"abc ", k=100000)))
sys.stdout.buffer.write(b"the end")' >"$tmp/disk"

with_python() {
	python3 -c 'import gzip, sys
sys.stdout.buffer.write(gzip.compress(open(sys.argv[1], "rb").read(), 6))' "$1"
}

# same_disk NAME [OPTION]...: $tmp/x.gz expands to $tmp/disk.
same_disk() {
	name=$1
	shift
	rm -f "$tmp/back"
	ok "$name: unpack" "$ublk" unpack "$@" "$tmp/x.gz" "$tmp/back"
	zcat "$tmp/x.gz" | cmp - "$tmp/back" >"$tmp/cmp" 2>&1 &&
		pass "$name: as zcat does" || fail "$name" "$(cat "$tmp/cmp")"
}

# serves NAME COMMAND...: tests the gzip file that the command makes.
serves() {
	what=$1
	shift
	"$@" "$tmp/disk" >"$tmp/x.gz" || fail "$what" "$*"
	same_disk "$what"
	ok "$what: check" "$ublk" check "$tmp/x.gz"
}

serves gzip gzip -c
serves 'gzip -1' gzip -1c
serves 'gzip --rsyncable' gzip --rsyncable -9c
serves pigz pigz -c
serves 'pigz -i' pigz -ic -b 32
serves 'pigz -0' pigz -0c
serves 'pigz -11' pigz -11c -I 1
serves zopfli zopfli -c --i1
serves 7-Zip 7z a -tgzip -mx=7 -so unused.gz
serves Python with_python

"$ublk" info "$tmp/x.gz" >"$tmp/info"
like "$(cat "$tmp/info")" '^format: gzip$' 'info knows the format'
like "$(cat "$tmp/info")" "^disk size: $(wc -c <"$tmp/disk") " 'the size'
like "$(cat "$tmp/info")" '^chunk size: 1048576 ' 'the spacing'
like "$(cat "$tmp/info")" '^chunks: 4$' 'the sections'
like "$(cat "$tmp/info")" '^index size: [1-9]' 'and the memory they take'

# Members of several programs in one file.
head -c 1000000 "$tmp/disk" >"$tmp/a"
tail -c +1000001 "$tmp/disk" >"$tmp/b"
for first in 'gzip -c' 'bgzip -c'; do
	{ $first "$tmp/a"; gzip -c /dev/null; pigz -c "$tmp/b"; } >"$tmp/x.gz"
	same_disk "cat of $first, nothing and pigz"
done
same "$tmp/disk" "$tmp/back" 'which is the disk'
gzip -c "$tmp/disk" >"$tmp/x.gz"
cp "$tmp/x.gz" "$tmp/larger.gz"
head -c 5000 /dev/zero >>"$tmp/larger.gz"
ok 'on a larger partition' "$ublk" check "$tmp/larger.gz"

# A member of more than 4 GiB.
truncate -s 4300M "$tmp/sparse"
echo end >>"$tmp/sparse"
case $ublk in
*asan*) skip 'more than 4 GiB' 'with sanitizers that takes long' ;;
*)
	pigz -1c "$tmp/sparse" >"$tmp/large.gz"
	ok 'more than 4 GiB: unpack' "$ublk" unpack "$tmp/large.gz" "$tmp/back2"
	same "$tmp/sparse" "$tmp/back2" 'more than 4 GiB: the same' ;;
esac
rm -f "$tmp/sparse" "$tmp/back2" "$tmp/large.gz"

# The index in a file.
ok 'index' "$ublk" index "$tmp/x.gz"
ok 'is beside the image' test -s "$tmp/x.gz.index"
same_disk 'with it' --index "$tmp/x.gz.index"
fails 1 'index: what is there stays' "$ublk" index "$tmp/x.gz"
like "$err" 'exists; --force' 'index: unless it is forced'
ok 'index: with another name and spacing' \
	"$ublk" index --spacing 64K "$tmp/x.gz" "$tmp/fine"
run "$ublk" info --index "$tmp/fine" "$tmp/x.gz"
like "$out" '^chunk size: 65536 ' 'info: of the file, not the default'
same_disk 'sections of 64K' --index "$tmp/fine"
rm "$tmp/fine"
# A path from another directory.
ok '--index makes it' sh -c 'cd "$1" && "$2" check --index fine x.gz' - \
	"$tmp" "$PWD/$ublk"
ok 'where it was said' test -s "$tmp/fine"
same "$tmp/fine" "$tmp/x.gz.index" 'the same as that of index'
fails 2 'a spacing too small' "$ublk" index --spacing 1K "$tmp/x.gz" "$tmp/y"

cp "$tmp/x.gz" "$tmp/before.gz"
fails 1 'index: onto the image' "$ublk" index --force "$tmp/x.gz" "$tmp/x.gz"
like "$err" 'the same file' 'index: says why'
ln -s x.gz "$tmp/link.gz"
ln "$tmp/x.gz" "$tmp/hard.gz"
for other in link hard; do
	fails 1 "index: by a $other link" \
		"$ublk" index --force "$tmp/x.gz" "$tmp/$other.gz"
done
same "$tmp/before.gz" "$tmp/x.gz" 'index: the image is as before'
rm "$tmp/link.gz" "$tmp/hard.gz"
# shellcheck disable=SC2016 # for the shell within
ok 'index: to standard output' \
	sh -c '"$1" index "$2" - >"$3"' - "$ublk" "$tmp/x.gz" "$tmp/piped"
same "$tmp/x.gz.index" "$tmp/piped" 'index: the same'
# shellcheck disable=SC2016 # for the shell within
fails 2 'index: of standard input' sh -c '"$1" index - <"$2"' - "$ublk" "$tmp/x.gz"
like "$err" 'ublk index - FILE' 'index: wants a name'
fails 1 'an index from standard input' "$ublk" check --index - "$tmp/x.gz"
like "$err" 'has to be a file' 'is told'

# Two processes that make one index: the later one finds the index of the other.
head -c 40000000 /dev/urandom | gzip -1c >"$tmp/slow.gz"
rm -f "$tmp/slow.index"
"$ublk" check --index "$tmp/slow.index" "$tmp/slow.gz" 2>"$tmp/err1" &
first=$!
"$ublk" check --index "$tmp/slow.index" "$tmp/slow.gz" 2>"$tmp/err2" &
second=$!
wait $first && wait $second && pass 'two make one index at once' ||
	fail 'two make one index at once'
is "$(cat "$tmp/err1" "$tmp/err2")" '' 'without a word'
ok 'it is one' "$ublk" check --index "$tmp/slow.index" "$tmp/slow.gz"
rm -f "$tmp"/slow.*

# A name that no program writes, but that the format allows.
python3 - "$tmp/disk" "$tmp/named.gz" <<'PYTHON'
import gzip, sys
data = gzip.compress(open(sys.argv[1], "rb").read(), 1)
assert data[3] == 0
open(sys.argv[2], "wb").write(data[:3] + b"\x08" + data[4:10] +
			      b"n" * (1 << 20) + b"\0" + data[10:])
PYTHON
fails 1 'a name of 1 MB' "$ublk" check "$tmp/named.gz"
like "$err" 'header longer than 128K.*zcat .*ublk pack' 'is told, with a way out'

# Ours, followed by other members: the same as zcat's output.
head -c 1000000 "$tmp/disk" >"$tmp/a"
"$ublk" pack -f "$tmp/a" "$tmp/a.gz"
"$ublk" pack -f -c 1M "$tmp/disk" "$tmp/ours.gz"
cat "$tmp/ours.gz" "$tmp/a.gz" >"$tmp/x.gz"
same_disk 'two images of ours'
ok 'two images of ours: check' "$ublk" check "$tmp/x.gz"
like "$("$ublk" info "$tmp/x.gz")" \
	"^disk size: $(zcat "$tmp/x.gz" | wc -c) " 'two images of ours: info'
{ cat "$tmp/a.gz"; gzip -c "$tmp/b"; } >"$tmp/x.gz"
same_disk 'ours and a gzip'
{ cat "$tmp/a.gz"; bgzip -c "$tmp/b"; } >"$tmp/x.gz"
same_disk 'ours and BGZF'
{ cat "$tmp/a.gz"; gzip -c "$tmp/b" | head -c 1000; } >"$tmp/x.gz"
fails 1 'ours and a gzip that is cut' "$ublk" check "$tmp/x.gz"
{ cat "$tmp/a.gz"; head -c 5000 /dev/zero; } >"$tmp/x.gz"
like "$("$ublk" info "$tmp/x.gz")" '^format: ublk 1' 'ours with zeroes behind it'
cp "$tmp/before.gz" "$tmp/x.gz"

# refused PATTERN NAME [OPTION]...
refused() {
	pattern=$1
	name=$2
	shift 2
	fails 1 "$name" "$ublk" check "$@" "$tmp/x.gz"
	like "$err" "$pattern" "$name: says why"
}
cp "$tmp/fine" "$tmp/bad"
printf x | dd of="$tmp/bad" bs=1 seek=100 conv=notrunc 2>/dev/null
refused 'bad: damaged: wrong checksum' 'a damaged index' --index "$tmp/bad"
head -c 100 "$tmp/fine" >"$tmp/bad"
refused 'bad: damaged or truncated' 'a truncated index' --index "$tmp/bad"
refused 'disk: not an index' 'no index' --index "$tmp/disk"
bgzip -c "$tmp/disk" >"$tmp/x.bgzf"
fails 1 'bgzip needs none' "$ublk" index "$tmp/x.bgzf"
like "$err" 'needs no index' 'and says so'
size=$(wc -c <"$tmp/x.gz")
python3 - "$tmp/disk" "$tmp/x.gz" <<'PYTHON'
import gzip, sys, zlib
disk = bytearray(open(sys.argv[1], "rb").read())
old = open(sys.argv[2], "rb").read()
# Stored random data has the same length, whatever it is.
place = disk.find(bytes(1000)) - 5000
for n in range(256):
	disk[place] = n
	c = zlib.compressobj(6, zlib.DEFLATED, -15)
	new = c.compress(bytes(disk)) + c.flush()
header = old[:old.index(b"\0", 10) + 1] if old[3] & 8 else old[:10]
new = header + new + zlib.crc32(disk).to_bytes(4, "little") + old[-4:]
open(sys.argv[2], "wb").write((new + bytes(len(old)))[:len(old)])
PYTHON
refused 'fine: of another image' 'an index of another image' --index "$tmp/fine"

# Damage is reported with its place, or is harmless.
gzip -9nc "$tmp/disk" >"$tmp/good.gz"
python3 - "$tmp/good.gz" "$tmp" "$ublk" "$tmp/disk" <<'PYTHON' >"$tmp/flips"
import random, subprocess, sys
random.seed(11)
good = open(sys.argv[1], "rb").read()
disk = open(sys.argv[4], "rb").read()
bad = sys.argv[2] + "/flip.gz"
told = harmless = wrong = 0
for i in range(60):
	data = bytearray(good)
	at = random.randrange(len(data) if i % 3 else 30)
	data[at] ^= 1 << random.randrange(8)
	open(bad, "wb").write(data)
	done = subprocess.run([sys.argv[3], "unpack", bad, "-"],
			      capture_output=True)
	if done.returncode:
		told += b"flip.gz: " in done.stderr
		wrong += b"flip.gz: " not in done.stderr
	elif done.stdout == disk:
		harmless += 1
	else:
		wrong += 1
print(told, harmless, wrong)
PYTHON
like "$(cat "$tmp/flips")" '^[0-9]+ [0-9]+ 0$' \
	"a bit that changes is told or does no harm"
size=$(wc -c <"$tmp/good.gz")
for cut in 1 9 100 $((size / 2)) $((size - 1)) $((size - 8)); do
	head -c $cut "$tmp/good.gz" >"$tmp/x.gz"
	refused 'x.gz: ' "cut to $cut bytes"
done
head -c $((size / 2)) "$tmp/good.gz" >"$tmp/x.gz"
refused 'x.gz: truncated \(at byte [0-9]+, sector [0-9]+' 'with the place'

done_testing
