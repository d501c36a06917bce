# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tests/run adds up the results of tests, and reports one that breaks off as
# failed.
. "${0%/*}/../lib.sh"

# A tree of its own, with tests that print what they are given.
mkdir -p "$tmp/tree/tests/host" "$tmp/tree/deps"
cp tests/run tests/lib.sh "$tmp/tree/tests"
cp deps/packages "$tmp/tree/deps"
says() {
	cat >"$tmp/tree/tests/host/$1.sh"
}
result() {
	run "$tmp/tree/tests/run" "host/$1"
	last=$(echo "$out" | tail -n 1)
}

says good <<'TEST'
echo "ok 1 - one"
echo "ok 2 - two # SKIP no reason"
echo "ok 3"
echo "1..3"
TEST
result good
is "$status $last" "0 2 passed, 0 failed, 1 skipped" "passed and skipped"

says bad <<'TEST'
echo 1..2
echo "ok 1"
echo "not ok 2 - the reason"
echo "a remark" >&2
exit 1
TEST
result bad
is "$status $last" "1 1 passed, 1 failed, 0 skipped" "a failed check"
like "$out" 'not ok 2 - the reason' "shows its output"
like "$out" 'a remark' "and its standard error"

says none <<'TEST'
echo "1..0 # SKIP wrong moon"
TEST
result none
is "$status $last" "1 0 passed, 0 failed, 1 skipped" "nothing was tested"
like "$out" 'wrong moon' "for a reason"

says broken <<'TEST'
echo "ok 1"
exit 0
TEST
result broken
is "$status $last" "1 1 passed, 1 failed, 0 skipped" "no plan is a failure"

says short <<'TEST'
echo 1..3
echo "ok 1"
TEST
result short
is "$status $last" "1 1 passed, 1 failed, 0 skipped" "a missing check is one"

says status <<'TEST'
echo 1..1
echo "ok 1"
exit 3
TEST
result status
is "$status $last" "1 1 passed, 1 failed, 0 skipped" "an exit status is one"

run "$tmp/tree/tests/run"
is "$(echo "$out" | tail -n 1)" "6 passed, 4 failed, 2 skipped" "all are summed"
run "$tmp/tree/tests/run" --list
is "$out" "host/bad
host/broken
host/good
host/none
host/short
host/status" "all are listed"
fails 2 "a test that is not there is wrong usage" \
	"$tmp/tree/tests/run" host/missing
fails 2 "so is an unknown option" "$tmp/tree/tests/run" --missing

done_testing
