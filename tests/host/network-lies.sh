# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Servers that lie, send garbage or fail half-way do no harm: each lie is refused with
# its reason, and no command ends as if all were well. Old servers and accidents that
# pass are read.
. "${0%/*}/../lib.sh"
. "${0%/*}/network.lib"
[ -x "$liar" ] || skip_all "no $liar: run make driver-programs"
make_disk

# reads PROTOCOL LIE: the disk is read from such a server, and is what it should be.
reads() {
	start_liar "$1" "$2" "$tmp/disk"
	ok "$1, $2: it is read" "$ublk" pack --force --level 1 \
		"$1://127.0.0.1:$port/a/b" "$tmp/out.gz"
	zcat "$tmp/out.gz" >"$tmp/out.disk"
	same "$tmp/out.disk" "$tmp/disk" "$1, $2: and is the disk"
	stop_servers
}

# refused PROTOCOL LIE WHY: the disk is not read, and why is said.
refused() {
	rm -f "$tmp/no.gz"
	start_liar "$1" "$2" "$tmp/disk"
	fails 1 "$1, $2: it is refused" "$ublk" pack "$1://127.0.0.1:$port/a/b" "$tmp/no.gz"
	like "$err" "$3" "$1, $2: why"
	[ -e "$tmp/no.gz" ] && fail "$1, $2: no image is left" ||
		pass "$1, $2: no image is left"
	kill -0 "$server" || fail "$1, $2: the server is still there"
	stop_servers
}

for good in none no-go simple no-go-simple cut shutdown; do
	reads nbd $good
done
refused nbd hello 'not a server of NBD'
refused nbd old 'only the old handshake'
refused nbd unfixed 'fixed newstyle'
refused nbd reply-magic 'garbage instead of a reply to an option'
refused nbd reply-option 'a reply to another option'
refused nbd reply-long 'of an impossible length'
refused nbd reply-odd 'what cannot be one'
refused nbd endless 'does not come to an end'
refused nbd tls 'it wants TLS; let a proxy on this machine do that, such as stunnel: stranger[?]$'
refused nbd no-size 'does not say how large'
refused nbd info-short 'of a wrong length'
refused nbd huge 'an impossible size'
refused nbd block-3 'block sizes that make no sense'
refused nbd block-0 'a block size of 0'
refused nbd ragged 'not of whole blocks'
refused nbd magic 'garbage instead of a reply'
refused nbd cookie 'a reply to another request'
refused nbd unasked 'though structured ones were agreed on'
refused nbd outside 'data that was not asked for'
refused nbd long 'data that was not asked for'
refused nbd short 'less than was asked for'
refused nbd twice 'data that was not asked for'
refused nbd hole-outside 'data that was not asked for'
refused nbd kind 'of a kind that is not known'
refused nbd error 'cannot read: (I/O error|Input/output error)'
refused nbd shrunk 'another size'

# Of an image, a place that cannot be read is the chunk's damage, and no other's.
ok "an image is made" "$ublk" pack --chunk 4K "$tmp/disk" "$tmp/image.gz"
start_liar nbd error "$tmp/image.gz"
fails 1 "nbd, error: check" "$ublk" check "nbd://127.0.0.1:$port/"
is "$(grep -c 'it cannot be read' "$tmp/out")" 1 "nbd, error: one chunk is lost"
like "$err" ': 1 of [0-9]* chunks are damaged' "nbd, error: and it says so"
stop_servers

for good in none close redirect interim weak conditional busy cut; do
	reads http $good
done
refused http garbage 'not a server of HTTP/1.1'
refused http long-head 'the head of an answer is longer'
refused http no-range 'does not support ranges'
refused http no-content-range 'a range without Content-Range'
refused http other-range 'another range than was asked for'
refused http other-length 'length is another one'
refused http more '(garbage|more bytes than|Content-Range|a line of a head)'
refused http no-size 'does not say how large'
refused http no-validator 'neither ETag nor Last-Modified'
refused http chunked 'encodes what it sends'
refused http gzip 'encodes what it sends'
refused http loop 'more than 8 redirects'
refused http to-https 'redirected to https://example.com/: TLS is not supported'
refused http interim-loop 'does not come to an answer'
refused http missing 'the server answers: 404$'
for change in changed dated shrunk precondition vanished; do
	refused http $change 'it has changed on the server'
done
done_testing
