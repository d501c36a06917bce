# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the pages refer to exists: each link leads to a file, and to a heading in
# it; each file that they name; and each function.
. "${0%/*}/../lib.sh"

pages=$(find . -name '*.md' ! -path './build/*' | sed 's|^\./||' | sort)

# prose PAGE: prints it without its code blocks, each line with its number.
prose() {
	awk '/^```/ { block = !block; next } !block { print NR ":" $0 }' "$1"
}

# headings PAGE: prints the anchor of each heading.
headings() {
	prose "$1" | sed -n 's/^[0-9]*:##* //p' | sed 's/\[\([^]]*\)\]([^)]*)/\1/g' |
		tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# links PAGE: prints LINE TARGET for each. A link may continue on the next line.
links() {
	prose "$1" | awk '
		{
			line = $0
			number = line
			sub(/:.*/, "", number)
			sub(/^[0-9]*:/, "", line)
			while (match(line, /\]\([^)]*\)/)) {
				print number, substr(line, RSTART + 2, RLENGTH - 3)
				line = substr(line, RSTART + RLENGTH)
			}
			if (line ~ /\]\([^)]*$/)
				print number, "(not on one line)"
		}'
}

# quoted PAGE: prints LINE WORD for each word in backquotes.
quoted() {
	prose "$1" | awk '
		{
			number = $0
			sub(/:.*/, "", number)
			sub(/^[0-9]*:/, "")
			# An empty line ends an unclosed backquote.
			if (/^ *$/)
				open = ""
			$0 = open $0
			open = ""
			parts = split($0, part, "`")
			for (i = 2; i < parts; i += 2) {
				words = split(part[i], word, " ")
				for (j = 1; j <= words; j++)
					print number, word[j]
			}
			if (parts % 2 == 0)
				open = "`" part[parts] " "
		}'
}

# folder PAGE: prints the directory that it is in.
folder() {
	case $1 in */*) echo "${1%/*}" ;; *) echo . ;; esac
}

# leads PAGE TARGET: succeeds if the target exists; else prints what is wrong.
leads() {
	case $2 in
	https://*) return ;;
	'#'*) file=$1 ;;
	*) file=$(folder "$1")/${2%%#*} ;;
	esac
	if [ ! -e "$file" ]; then
		echo "no such file"
		return
	fi
	case $2 in
	*'#'*) headings "$file" | grep -qxF -e "${2#*#}" || echo "no such heading" ;;
	esac
}

# is_there PAGE NAME: a file of this tree, or a pattern for some, relative to
# its root or the page's directory; without a directory, anywhere.
is_there() {
	case $2 in
	*/*) ;;
	*) printf '%s\n' "$all_files" | grep -qxF -e "$2"; return ;;
	esac
	for there in $2 "$(folder "$1")"/$2; do
		[ ! -e "$there" ] || return 0
	done
	return 1
}

# A name of ours starts with a directory of this tree, or ends like a source
# file.
top=$(find . -mindepth 1 -maxdepth 1 -type d ! -name build ! -name .git |
	sed 's|^\./||' | paste -s -d '|')

# names PAGE: prints LINE NAME for each file that it names.
names() {
	# A sign at the end belongs to the sentence or the command.
	quoted "$1" | sed 's/[,;:.)]*$//; s/ [(]*/ /' | grep -E \
		"^[0-9]+ (($top)/[][A-Za-z0-9._/*-]*|[A-Za-z0-9_-]+\.(c|h|sh|md|mk|pml|lib|config))\$"
}

# Of other programs: files of the kernel and of SPDK that pages mention.
others='pushtable.h lib/ublk'

# found KIND PAGE PROBLEMS
found() {
	is "$3" "" "$2: $1"
}

all_files=$(find . -name build -prune -o -type f -print | sed 's|.*/||' | sort -u)
all_functions=$(grep -rhoE '[A-Za-z_][A-Za-z0-9_]*\(' --include='*.[ch]' \
	--include='*.pml' --include='*.sh' . --exclude-dir=build | sort -u)

for page in $pages; do
	problems=$(links "$page" | while read -r line target; do
		why=$(leads "$page" "$target")
		[ -z "$why" ] || echo "$line: $target: $why"
	done)
	found "links lead to what is there" "$page" "$problems"
	problems=$(names "$page" | while read -r line name; do
		case " $others " in *" $name "*) continue ;; esac
		is_there "$page" "$name" || echo "$line: $name"
	done)
	found "files are there" "$page" "$problems"
	problems=$(quoted "$page" | grep -E '^[0-9]+ [A-Za-z_]+\(\)[.,;:]*$' |
		while read -r line name; do
			printf '%s\n' "$all_functions" |
				grep -qxF -e "${name%%)*}" || echo "$line: $name"
		done)
	found "functions are there" "$page" "$problems"
done

# The checks find such errors.
mkdir "$tmp/tree" "$tmp/tree/docs"
cd "$tmp/tree" || exit
printf '%s\n' '# One `two`: three' '[a](docs/b.md#b-c) [d](docs/none.md)' \
	'[e](#one-two-three) [f](docs/b.md#none)' '`docs/b.md docs/no` `b.md` `no.c`' \
	'`docs/*.md` `docs/*.c` `/docs/not-ours` `go on' 'docs/next`' '```' \
	'[g](none) `docs/none`' '```' >a.md
echo '## B, c' >docs/b.md
top=docs
all_files='a.md
b.md'
is "$(links a.md | while read -r line target; do
	echo "$line $target$(leads a.md "$target")"
done)" "2 docs/b.md#b-c
2 docs/none.mdno such file
3 #one-two-three
3 docs/b.md#noneno such heading" "wrong links are found"
is "$(names a.md | while read -r line name; do
	is_there a.md "$name" || echo "$line $name"
done)" "4 docs/no
4 no.c
5 docs/*.c
6 docs/next" "and names of files that are not there"

done_testing
