#compdef alive-p2p
# alive-p2p completion for zsh; `alive-p2p completion install` writes this file.

_alive_p2p() {
    local kind value help answer
    local -a described
    # The words as the program will get them, without their quotes.
    local -a typed=("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}")
    typed[1]=${typed[1]/#\~\//$HOME/}

    answer=$(env _ALIVE_P2P_COMPLETE=zsh_complete COMP_WORDS="${(pj:\n:)typed}" COMP_CWORD=$((CURRENT - 1)) \
        $typed[1] 2>/dev/null </dev/null) || return 1
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='

    while IFS=$'\t' read -r kind value help; do
        case $kind in
        plain) described+=("${${value//\\/\\\\}//:/\\:}${help:+:$help}") ;;
        folder) _files -/ && return ;;
        file) _files && return ;;
        package) _files -g '*.walnut' && return ;;
        esac
    done <<<"$answer"
    (( $#described )) && _describe -V 'alive-p2p' described
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _alive_p2p "$@"
else
    compdef _alive_p2p alive-p2p
fi
