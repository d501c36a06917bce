# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Completion of `ublk` for bash. It knows no verb and no option: it asks the program
# that is called for its help. To be installed as
# /usr/share/bash-completion/completions/ublk, or read by `.`; it does not need the
# package bash-completion.

# _ublk_verbs PROGRAM: prints the verbs, a line each.
_ublk_verbs() {
	"$1" help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

# _ublk_options HELP: prints the options that the help has, a line each:
# --name, -l (or nothing), what the value is called (or nothing), explanation. The
# fields are separated by tabs.
_ublk_options() {
	sed -n 's/^  \(-[a-z]\)*,* *\(--[a-z-]*\) \([^ ]*\) *\(.*\)/\2\t\1\t\3\t\4/p' \
		<<<"$1"
}

# _ublk_value HELP OPTION: prints what the value of the option is called, and its
# explanation, separated by a tab; fails for an option that takes none.
_ublk_value() {
	local name letter value text

	while IFS= read -r text; do
		name=${text%%$'\t'*} text=${text#*$'\t'}
		letter=${text%%$'\t'*} text=${text#*$'\t'}
		value=${text%%$'\t'*} text=${text#*$'\t'}
		if [[ $2 == "$name" || $2 == "$letter" ]]; then
			printf '%s\t%s\n' "$value" "$text"
			[[ $value ]]
			return
		fi
	done < <(_ublk_options "$1")
	return 1
}

# _ublk_devices PROGRAM CURRENT: prints the devices there are, as nodes where a path
# has been begun, else as numbers.
_ublk_devices() {
	local column=1

	[[ $2 != /* ]] || column=2
	"$1" list 2>/dev/null | awk -v column=$column 'NR > 1 { print $column }'
}

# _ublk_offer CURRENT WORD...: those words that begin so are candidates.
_ublk_offer() {
	local current=$1 word

	shift
	for word; do
		[[ $word != "$current"* ]] || COMPREPLY+=("$word")
	done
}

# _ublk_offer_files CURRENT: so are files. Readline quotes and marks them.
_ublk_offer_files() {
	local file

	compopt -o filenames 2>/dev/null
	while IFS= read -r file; do
		COMPREPLY+=("$file")
	done < <(compgen -f -- "$1")
}

# _ublk_offer_value NAME EXPLANATION CURRENT: candidates for the value of an option.
# Nobody can guess a size or a number.
_ublk_offer_value() {
	local -a values

	case $1 in
	*FILE*) _ublk_offer_files "$3" ;;
	PATTERN)
		# The values are in the explanation: a, b, c (a).
		IFS=', ' read -r -a values <<<"${2%%(*}"
		_ublk_offer "$3" "${values[@]}"
		;;
	esac
}

# _ublk_offer_argument PROGRAM HELP COUNT CURRENT: candidates for an argument of a
# verb, of which there are COUNT before it.
_ublk_offer_argument() {
	local program=$1 usage=${2%%$'\n'*} count=$3 current=$4
	local -a names

	# usage: ublk VERB [OPTIONS] ARGUMENT...
	read -r -a names <<<"${usage/ \[OPTIONS\]/}"
	names=("${names[@]:3}")
	case ${names[0]-} in
	*'ID|NODE...'*)
		# shellcheck disable=SC2046 # a word each
		_ublk_offer "$current" $(_ublk_devices "$program" "$current")
		# The program of an upgrade comes behind them.
		if [[ ${names[*]} == *PROGRAM* && $current != [0-9]* ]]; then
			_ublk_offer_files "$current"
		fi
		return
		;;
	esac
	case ${names[$count]-} in
	NODE)
		# shellcheck disable=SC2046
		_ublk_offer "$current" $(_ublk_devices "$program" /)
		_ublk_offer_files "$current"
		;;
	PATH | IN | OUT | IMAGE | *FILE*) _ublk_offer_files "$current" ;;
	esac
}

# _ublk_complete PROGRAM VERB CURRENT WORD...: candidates for the word CURRENT, before
# which the words stand behind the verb.
_ublk_complete() {
	local program=$1 verb=$2 current=$3 option='' value='' text word help
	local count=0 ended=''

	shift 3
	if [[ $verb == help ]]; then
		# shellcheck disable=SC2046
		[[ $# -gt 0 ]] || _ublk_offer "$current" $(_ublk_verbs "$program")
		return
	fi
	help=$("$program" help "$verb" 2>/dev/null) || return
	for word; do
		if [[ $option ]]; then
			option=''
		elif [[ $ended || $word != -?* ]]; then
			count=$((count + 1))
		elif [[ $word == -- ]]; then
			ended=1
		elif [[ $word == --*=* ]]; then
			:
		elif [[ $word == --* ]]; then
			_ublk_value "$help" "$word" >/dev/null && option=$word
		elif _ublk_value "$help" "-${word: -1}" >/dev/null; then
			option=-${word: -1}
		fi
	done
	if [[ ! $option && ! $ended && $current == --*=* ]]; then
		option=${current%%=*} current=${current#*=}
	fi
	if [[ $option ]]; then
		value=$(_ublk_value "$help" "$option") || return
		text=${value#*$'\t'} value=${value%%$'\t'*}
		_ublk_offer_value "$value" "$text" "$current"
	elif [[ ! $ended && $current == -?* || $current == - && ! $ended ]]; then
		# shellcheck disable=SC2046
		_ublk_offer "$current" --help \
			$(_ublk_options "$help" | cut -f 1)
	else
		_ublk_offer_argument "$program" "$help" "$count" "$current"
	fi
}

# Readline breaks words at `=` and `:`, and wants no more than the piece behind them:
# the words are put together again first.
_ublk() {
	local -a words=()
	local i piece current cut joined=''

	COMPREPLY=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]}
		if ((i > 1)) && [[ $joined || $piece == [=:]* ]]; then
			words[-1]+=$piece
		else
			words+=("$piece")
		fi
		joined=''
		[[ $piece != [=:]* ]] || joined=1
	done
	current=${words[-1]}
	if ((${#words[@]} == 2)); then
		# shellcheck disable=SC2046
		_ublk_offer "$current" $(_ublk_verbs "$1") --help --version
	elif ((${#words[@]} > 2)); then
		_ublk_complete "$1" "${words[1]}" "$current" \
			"${words[@]:2:${#words[@]}-3}"
	fi
	# The candidates of a value in --option=VALUE have no --option= in front.
	[[ $current != --*=* ]] || current=${current#*=}
	cut=${current%"${current##*[=:]}"}
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"$cut"}
	done
}

complete -F _ublk ublk
