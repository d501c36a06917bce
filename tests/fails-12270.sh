. "${0%/*}/lib.sh"
is here there "it fails"
done_testing
