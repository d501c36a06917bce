# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# board: --add tests/driver.lib --add $O/driver/server --mem 1G
# board: --add tests/files.lib
# board: --tool mkfs.ext4 --tool e2fsck --tool mkfs.xfs --tool xfs_repair
# board: --tool stress-ng --timeout 1800
# kernel: tests
#
# Filesystems whose server is killed and replaced while files are copied and
# stress-ng works on them: nobody sees an error, fsck finds nothing to repair,
# and every file is intact.
. "${0%/*}/lib.sh"
. "${0%/*}/driver.lib"
. "${0%/*}/files.lib"

mkdir "$tmp/mnt" "$tmp/store"
mount -t tmpfs -o size=640M store "$tmp/store"
at_exit 'umount "$tmp/store" 2>/dev/null'
at_exit 'umount "$tmp/mnt" 2>/dev/null'

# loaded_or_over: there were requests, or whoever makes them has ended.
loaded_or_over() {
	loaded || { ended "$stress" && ended "$copy"; }
}

# deaths COUNT: the server dies and is replaced so many times.
deaths() {
	left=$1
	while [ "$left" -gt 0 ] && [ -z "$problem" ]; do
		seen_before=$(seen_requests)
		wait_until 2 loaded_or_over
		dies
		takes_over "$tmp/store/file"
		left=$((left - 1))
	done
}

# filesystem NAME QUEUES MAKE CHECK
filesystem() {
	fs="$1, $2 queues"
	rm -f "$tmp/store/file"
	truncate -s 400M "$tmp/store/file"
	# shellcheck disable=SC2086 # words are meant to be split
	ok "$fs: serve" launch --id 12 --queues "$2" --recovery reissue \
		$spare --file "$tmp/store/file"
	# shellcheck disable=SC2086 # words are meant to be split
	ok "$fs: make it" $3 "$dev"
	ok "$fs: mount it" mount "$dev" "$tmp/mnt"
	mkdir "$tmp/mnt/stress"
	stress-ng --temp-path "$tmp/mnt/stress" --hdd 1 \
		--timeout $((${ROUNDS:-6} + 2)) \
		--hdd-bytes 8M --rename 1 --link 1 --dentry 1 --dentries 64 \
		--utime 1 --iomix 1 --iomix-bytes 8M >"$tmp/stress" 2>&1 &
	stress=$!
	cp -a "$files" "$tmp/mnt/first" &
	copy=$!
	loads="$loads $stress $copy"
	deaths "${ROUNDS:-6}"
	must "the copy fails" wait "$copy"
	must "the second copy fails" cp -a "$files" "$tmp/mnt/second"
	answer "$fs: deaths under it do not show"
	status=0
	wait "$stress" || status=$?
	is $status 0 "$fs: stress-ng is content"
	[ $status -eq 0 ] || note "$(cat "$tmp/stress")"
	ok "$fs: unmount it" umount "$tmp/mnt"
	# shellcheck disable=SC2086 # words are meant to be split
	ok "$fs: nothing to repair" $4 "$dev"
	forget
	ok "$fs: mount it again" mount "$dev" "$tmp/mnt"
	for copy in first second; do
		whole "$tmp/mnt/$copy" "$fs: the $copy copy is whole"
	done
	ok "$fs: unmount it again" umount "$tmp/mnt"
	ok "$fs: delete it" "$server" --delete 12
}

for queues in 2 4; do
	filesystem ext4 $queues "mkfs.ext4 -q -F" "e2fsck -fn"
	if grep -qw xfs /proc/filesystems; then
		filesystem xfs $queues "mkfs.xfs -q -f" "xfs_repair -n"
	else
		skip "xfs, $queues queues" "this kernel has no xfs"
	fi
done

done_testing
