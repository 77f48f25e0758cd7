# alive-p2p completion for bash 4.4 or newer; `alive-p2p completion install` writes this file.

((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))) || return 0

_alive_p2p_complete() {
    local kind value
    COMPREPLY=()
    while IFS=$'\t' read -r kind value; do
        # What comes as `plain` is quoted for the command line already; names of files bash quotes itself.
        case $kind in
        plain) COMPREPLY+=("$value") ;;
        folder)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$value")
            ;;
        file)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            ;;
        package)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$value"; compgen -f -X '!*.walnut' -- "$value")
            ;;
        esac
    done < <(
        IFS=$'\n'
        env _ALIVE_P2P_COMPLETE=bash_complete COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
            "${1/#\~\//$HOME/}" 2>/dev/null </dev/null
    )
}

complete -o nosort -F _alive_p2p_complete alive-p2p
