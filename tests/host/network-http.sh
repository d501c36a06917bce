# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: nginx-light lighttpd
#
# The commands that read images and disks read them from web servers, nginx and
# lighttpd. A server that is killed and started again is noticed by nobody. A file that
# changes while it is read is an error, never a mixture.
. "${0%/*}/../lib.sh"
. "${0%/*}/network.lib"
. "${0%/*}/../nginx.lib"
mkdir "$tmp/www" "$tmp/www/dir"
www=$tmp/www
make_disk

ok "an image is made" "$ublk" pack --chunk 16K "$tmp/disk" "$www/image.gz"
cp "$tmp/disk" "$www/dir/a disk"
: >"$www/empty"
chmod -R a+rX "$tmp"

# nginx [LINE]: serves the folder, at $port.
nginx() {
	nginx_conf "$port" "$www" "location /moved { return 302 /dir/; }
		location = /image { rewrite ^ /image.gz redirect; }
		${1:-}
		location /none { max_ranges 0; alias $www/dir; }"
	start_server command nginx -e stderr -c "$tmp/nginx.conf"
	wait_until 10 listens "$port"
}

free_port
nginx
url=http://127.0.0.1:$port
are_read "$url/image.gz" "$url/dir/a%20disk" 'nginx'
ok "behind a redirect" "$ublk" check "$url/image"
fails 1 "a file that is not there" "$ublk" info "$url/nonesuch"
like "$err" 'the server answers: 404 Not Found' "it says so"
fails 1 "ranges are switched off" "$ublk" pack "$url/none/a%20disk" -
like "$err" 'does not support ranges' "it says so"
fails 1 "an empty file" "$ublk" info "$url/empty"
like "$err" 'empty, not an image' "it says so"
stop_servers

# Killed and started again, while a slow one is read.
slow='limit_rate 6m;'
nginx "$slow"
"$ublk" pack --force --level 1 "$url/dir/a%20disk" "$tmp/killed.gz" 2>"$tmp/err" &
pack=$!
kill_while $pack 0.7 nginx "$slow"
wait $pack && pass "a server is killed and started again: nobody notices" ||
	fail "a server is killed and started again" "$(cat "$tmp/err")"
note "killed $kills times"
[ $kills -ge 2 ] && pass "while it was read" || fail "while it was read" "$kills times"
zcat "$tmp/killed.gz" >"$tmp/killed"
same "$tmp/killed" "$tmp/disk" "the image is the disk"

# Replaced by one of the same size.
"$ublk" pack "$url/dir/a%20disk" "$tmp/mixed" >"$tmp/out" 2>"$tmp/err" &
pack=$!
sleep 0.7
cp "$tmp/disk" "$tmp/new"
touch -d '2030-01-01' "$tmp/new"
mv "$tmp/new" "$www/dir/a disk"
wait $pack && fail "a file that changes is an error" ||
	pass "a file that changes is an error"
like "$(cat "$tmp/err")" 'it has changed on the server' "it says so"
[ -e "$tmp/mixed" ] && fail "no image is left" || pass "no image is left"
stop_servers

free_port
cat >"$tmp/lighttpd.conf" <<CONF
server.document-root = "$www"
server.port = $port
server.bind = "127.0.0.1"
server.errorlog = "$tmp/lighttpd.log"
mimetype.assign = ("" => "application/octet-stream")
CONF
start_server lighttpd -D -f "$tmp/lighttpd.conf"
wait_until 10 listens "$port"
url=http://localhost:$port
are_read "$url/image.gz" "$url/dir/a%20disk" 'lighttpd'
fails 1 "a file that is not there" "$ublk" info "$url/nonesuch"
stop_servers

free_port
fails 1 "nobody listens" "$ublk" info "http://localhost:$port/image.gz"
like "$err" 'cannot connect to localhost' "it says so"
fails 1 "https" "$ublk" info https://localhost/image.gz
like "$err" 'TLS is not supported: let a proxy' "it says what to do"
done_testing
