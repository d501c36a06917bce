# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# An image appears completely or not at all: what pack may replace, what it
# refuses, and that nothing is left when it fails or is interrupted.
. "${0%/*}/../lib.sh"
ublk=${UBLK:-./ublk}
mkdir "$tmp/dir"
image=$tmp/dir/image

# only FILE... NAME: nothing else is in the directory.
only() {
	for name; do :; done
	wanted=
	while [ $# -gt 1 ]; do
		wanted="$wanted${wanted:+ }$1"
		shift
	done
	# shellcheck disable=SC2012 # our own names
	is "$(ls "$tmp/dir" | tr '\n' ' ' | sed 's/ $//')" "$wanted" "$name"
}

pattern disk 300000 >"$tmp/disk"
ok 'a new file' "$ublk" pack "$tmp/disk" "$image"
is "$(stat -c %a "$image")" "$(printf '%o' $((0666 & ~$(umask))))" \
	'has the usual mode'
is "$out$err" '' 'and no words are lost over it'
chmod 640 "$image"
ok 'an image is replaced' "$ublk" pack -c 4K "$tmp/disk" "$image"
like "$("$ublk" info "$image")" '^chunk size: 4096 ' 'by the new one'
is "$(stat -c %a "$image")" 640 'and keeps its mode'
only image 'and it alone is there'

echo precious >"$tmp/dir/notes"
fails 1 'another file is not replaced' "$ublk" pack "$tmp/disk" "$tmp/dir/notes"
like "$err" 'notes: exists.*--force' 'and the message says how'
is "$(cat "$tmp/dir/notes")" precious 'and it is as before'
ok 'but with --force' "$ublk" pack --force "$tmp/disk" "$tmp/dir/notes"
same "$tmp/disk" "$tmp/disk" 'which left the input alone'
: >"$tmp/dir/notes"
ok 'an empty file is replaced' "$ublk" pack "$tmp/disk" "$tmp/dir/notes"
rm "$tmp/dir/notes"
ln -s image "$tmp/dir/link"
ok 'through a symbolic link' "$ublk" pack "$tmp/disk" "$tmp/dir/link"
ok 'which stays one' test -L "$tmp/dir/link"
rm "$tmp/dir/link"
ok 'in the working directory' \
	sh -c 'cd "$2" && "$1" pack ../disk image' - \
	"$(realpath "$ublk")" "$tmp/dir"
only image 'and nothing else is there'
rm "$image"

ok 'with --verify' "$ublk" pack --verify "$tmp/disk" "$image"
is "$out$err" '' 'no words are lost over it'
only image 'and nothing else is there'
ok 'it is' "$ublk" check "$image"
rm "$image"
: >"$tmp/empty"
ok 'an empty disk with --verify' "$ublk" pack --verify "$tmp/empty" "$image"
rm "$image"
# shellcheck disable=SC2016 # for the shell within
ok 'a pipe with --verify' sh -c 'cat "$2" | "$1" pack -c 1M --verify - "$3"' - \
	"$ublk" "$tmp/disk" "$image"
rm "$image"

fails 1 'no input' "$ublk" pack "$tmp/nothing" "$image"
like "$err" 'nothing: No such file' 'is told by its name'
fails 1 'a directory as input' "$ublk" pack "$tmp" "$image"
like "$err" 'Is a directory' 'is told'
fails 1 'a directory as output' "$ublk" pack "$tmp/disk" "$tmp/dir"
like "$err" 'Is a directory' 'is told'
fails 1 'a directory that is not there' \
	"$ublk" pack "$tmp/disk" "$tmp/no/image"
like "$err" 'No such file' 'is told'
fails 1 'a device as output' "$ublk" pack "$tmp/disk" /dev/null
like "$err" 'write to a file and copy' 'is told what to do'
fails 1 'a full device as output' "$ublk" pack "$tmp/disk" /dev/full
fails 1 'the input as output' "$ublk" pack -f "$tmp/disk" "$tmp/disk"
like "$err" 'the same file' 'is told'
ln "$tmp/disk" "$tmp/other"
fails 1 'the input by another name' "$ublk" pack -f "$tmp/disk" "$tmp/other"
is "$(wc -c <"$tmp/disk")" 300000 'and it is as before'
only 'and nothing was made'

# Through a pipe, data that is not written in the order it is read.
export TMPDIR="$tmp/spool"
mkdir "$TMPDIR"
ok 'an image to compare with' "$ublk" pack "$tmp/disk" "$tmp/wanted"
# shellcheck disable=SC2016 # for the shell within
ok 'to standard output' sh -c 'cd "$3" && "$1" pack "$2" - | cat >"$3/piped"' - \
	"$(realpath "$ublk")" "$tmp/disk" "$tmp/dir"
same "$tmp/wanted" "$tmp/dir/piped" 'it is the same image'
only piped 'and there is no file called -'
rm "$tmp/dir/piped"
# shellcheck disable=SC2016 # for the shell within
ok 'from a pipe to a pipe, with --verify' \
	sh -c 'cat "$2" | "$1" pack --verify - - | cmp - "$3"' - \
	"$ublk" "$tmp/disk" "$tmp/wanted"
is "$(ls "$TMPDIR")" '' 'nothing is left in TMPDIR'
# shellcheck disable=SC2016 # for the shell within
fails 1 'to a full device by standard output' \
	sh -c '"$1" pack "$2" - >/dev/full' - "$ublk" "$tmp/disk"
like "$err" 'standard output: No space left' 'is told'
# shellcheck disable=SC2016 # for the shell within
fails 1 'onto its input by standard output' \
	sh -c '"$1" pack "$2" - 1<>"$2"' - "$ublk" "$tmp/disk"
like "$err" 'the same file' 'is told'
pattern disk 300000 | cmp - "$tmp/disk" && pass 'which is as before' ||
	fail 'which is as before'
unset TMPDIR

if [ "$(id -u)" -eq 0 ]; then
	cp "$tmp/wanted" "$image"
	chown 1234:5678 "$image"
	chmod 604 "$image"
	ok "an image of another owner" "$ublk" pack -c 8K "$tmp/disk" "$image"
	is "$(stat -c '%u:%g %a' "$image")" '1234:5678 604' 'stays theirs'
	like "$("$ublk" info "$image")" '^chunk size: 8192 ' 'with a new image'
	rm "$image"
	"$ublk" unpack "$tmp/wanted" "$image"
	chown 1234:5678 "$image"
	ok "a disk of another owner" "$ublk" unpack -f "$tmp/wanted" "$image"
	is "$(stat -c %u:%g "$image")" '1234:5678' 'stays theirs, too'
	rm "$image"
	# A user who cannot give a file away keeps the new file.
	chmod 711 "$tmp"
	chmod 777 "$tmp/dir"
	cp "$ublk" "$tmp/ublk"
	cp "$tmp/wanted" "$image"
	chown 0:5678 "$image"
	chmod 6757 "$image"
	cp "$tmp/disk" "$tmp/dir/disk"
	ok "over root's, as somebody else" setpriv --reuid 1234 --regid 5678 \
		--clear-groups "$tmp/ublk" pack "$tmp/dir/disk" "$image"
	is "$(stat -c '%u:%g %a' "$image")" '1234:5678 757' \
		"is one's own, without the bits that lend rights"
	rm "$image"
	# A directory that can be written may be unreadable.
	mkdir -m 333 "$tmp/blind"
	ok "into a directory that one cannot read" setpriv --reuid 1234 \
		--regid 5678 --clear-groups "$tmp/ublk" pack "$tmp/dir/disk" \
		"$tmp/blind/image"
	same "$tmp/wanted" "$tmp/blind/image" 'it is there'
	rm "$tmp/dir/disk"
else
	skip 'an image of another owner' 'not root'
fi
only 'and nothing else is there'

head -c 500000 /dev/urandom >"$tmp/noise"
mkdir "$tmp/small"
if mount -t tmpfs -o size=64k none "$tmp/small" 2>/dev/null; then
	at_exit 'umount "$tmp/small"'
	fails 1 'no space' "$ublk" pack "$tmp/noise" "$tmp/small/image"
	like "$err" 'image: No space left' 'is told'
	is "$(ls "$tmp/small")" '' 'and nothing is left'
else
	skip 'no space' 'cannot mount'
fi
# shellcheck disable=SC2016 # for the shell within
for trap in '' 'trap "" XFSZ'; do
	fails 1 'a file too large' sh -c 'ulimit -f 8; '"$trap"'
		exec "$1" pack "$2" "$3"' - "$ublk" "$tmp/noise" "$image"
	like "$err" 'image: File too large .*ulimit -f' 'is told'
	only 'and nothing is left'
	fails 1 'as is one for standard output' sh -c 'ulimit -f 8; '"$trap"'
		exec "$1" pack "$2" - >/dev/null' - "$ublk" "$tmp/noise"
	like "$err" 'File too large .*ulimit -f' 'is told'
done
ok 'an image' "$ublk" pack "$tmp/disk" "$image"
cp "$image" "$tmp/before"
# shellcheck disable=SC2016 # for the shell within
fails 1 'another one that fails' sh -c 'ulimit -f 8; trap "" XFSZ
	exec "$1" pack "$2" "$3"' - "$ublk" "$tmp/noise" "$image"
same "$tmp/before" "$image" 'leaves the image that was there'
only image 'and nothing else'
rm "$image"

# interrupted SIGNAL: a pack that has begun and waits for input gets the signal.
mkfifo "$tmp/fifo"
interrupted() {
	"$ublk" pack "$tmp/fifo" "$image" 2>"$tmp/err" &
	pid=$!
	exec 9>"$tmp/fifo"
	cat "$tmp/disk" >&9
	wait_until 10 sh -c 'ls "$1"/image.*' - "$tmp/dir" ||
		fail "SIG$1: it has begun"
	kill "-$1" $pid
	status=0
	wait $pid || status=$?
	exec 9>&-
	ok "SIG$1: it ends by it" test $status -gt 128
}

# The shell starts background commands with SIGINT ignored, and they keep that.
for signal in TERM HUP; do
	interrupted $signal
	only "SIG$signal: and nothing is left"
done
interrupted KILL
ok 'SIGKILL: there is no image' test ! -e "$image"
for left in "$tmp/dir"/image.*; do
	fails 1 'SIGKILL: and what is left is not taken for one' \
		"$ublk" info "$left"
done

done_testing
