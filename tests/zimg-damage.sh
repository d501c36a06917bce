# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/devices.lib
#
# A damaged chunk gives errors for its own sectors, and one line in the log; the
# rest of the disk works. An image that is damaged in a vital place is refused.
. "${0%/*}/lib.sh"
. "${0%/*}/devices.lib"

head -c 1000000 /dev/urandom >"$tmp/disk"
truncate -s 2000384 "$tmp/disk"
ublk pack -c 60K "$tmp/disk" "$tmp/image"
size=$(wc -c <"$tmp/image")
chunk=120	# sectors

# damage PLACE...: an image in $tmp/bad with other bytes there.
damage() {
	cp "$tmp/image" "$tmp/bad"
	for place; do
		byte=$(dd if="$tmp/bad" bs=1 skip="$place" count=1 \
			2>/dev/null | od -An -tu1 | tr -d ' ')
		# shellcheck disable=SC2059 # the format is the data
		printf "\\$(printf '%o' $((byte ^ 4)))" |
			dd of="$tmp/bad" bs=1 seek="$place" conv=notrunc \
				2>/dev/null
	done
}

# good SECTOR COUNT NAME, bad SECTOR COUNT NAME: these sectors have the right
# contents, or cannot be read.
good() {
	is "$(sectors "$dev" "$1" "$2" | sum -)" \
		"$(dd if="$tmp/disk" bs=512 skip="$1" count="$2" 2>/dev/null |
			sum -)" "$3"
}
bad() {
	for sector in "$1" $(($1 + $2 / 2)) $(($1 + $2 - 1)); do
		if sectors "$dev" "$sector" 1 | grep -q .; then
			fail "$3" "sector $sector was read"
			return
		fi
	done
	pass "$3"
}

# told PATTERN: prints how many lines of the kernel log match.
told() {
	dmesg | grep -cE "ublk: $tmp/bad: damaged: $1"
}

# Random data is stored, so that members have 61471 bytes each.
member=61471
damage $((66 + 3 * member + 1000)) $((66 + 10 * member + 61000))
for how in '-q 1' '-q 2'; do
	dmesg -c >/dev/null
	# shellcheck disable=SC2086 # words are meant to be split
	served "two chunks are damaged, $how" zimg $how "$tmp/bad"
	good 0 $((3 * chunk)) 'what comes before is good'
	bad $((3 * chunk)) $chunk 'the first of them is not'
	good $((4 * chunk)) $((6 * chunk)) 'what lies between is good'
	bad $((10 * chunk)) $chunk 'the second is not'
	good $((11 * chunk)) 500 'the rest is good'
	like "$(told "sectors 360-479: chunk 3 at byte $((66 + 3 * member)): ")" \
		'^1$' 'the first is told once'
	like "$(told 'sectors 1200-1319: chunk 10 at byte ')" '^1$' \
		'the second is too'
	is "$(told .)" 2 'and nothing else'
	stopped 'stop it' "$dev"
done

# The file is cut while it is served, and then restored.
cp "$tmp/image" "$tmp/bad"
served 'an image' zimg "$tmp/bad"
truncate -s 300000 "$tmp/bad"
good 0 $((4 * chunk)) 'cut short, what is left is good'
bad $((5 * chunk)) $chunk 'what is not there is an error'
cat "$tmp/image" >"$tmp/bad"
good $((5 * chunk)) $chunk 'there again, it is good again'
stopped 'stop it' "$dev"

before
# refused NAME PATTERN
refused() {
	fails 1 "$1" ublk zimg "$tmp/bad"
	like "$err" "$2" 'the message says why'
	leaves_nothing 'and nothing is left'
}
for place in 0 3 9 12 16 20 24 32 40 55 57 65; do
	damage $place
	refused "byte $place is another" 'bad: '
done
index=$((size - 28 - 50 - 4 * 33))
for place in $index $((index + 14)) $((index + 50)) $((size - 30)) \
	$((size - 28)) $((size - 1)); do
	damage $place
	refused "byte $place is another" 'bad: .*\(at byte [0-9]+\)'
done
for length in 0 1 17 66 1000 $((size / 2)) $((size - 1)); do
	head -c $length "$tmp/image" >"$tmp/bad"
	refused "cut to $length bytes" 'bad: '
done
cp "$tmp/disk" "$tmp/bad"
refused 'no image' 'not a compressed image'
: >"$tmp/empty"
ublk pack --force "$tmp/empty" "$tmp/bad"
refused 'a disk of no bytes' 'no bytes'
rm "$tmp/bad"
refused 'no file' 'No such file'
mkdir "$tmp/bad"
refused 'a directory' '[Dd]irectory'
fails 2 'no argument' ublk zimg
fails 2 'two arguments' ublk zimg a b
fails 2 'a cache of nonsense' ublk zimg --cache 12Q "$tmp/image"

done_testing
