# alive-p2p completion for fish 3.4 or newer; `alive-p2p completion install` writes this file.

function __alive_p2p_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l plain (string unescape -- $current 2>/dev/null; or printf '%s' $current)
    set -l program (string replace -r '^~/' "$HOME/" -- $before[1])
    set -l option (string match -r '^--[a-z0-9-]+=' -- $current)
    set -l file (string replace -r '^--[a-z0-9-]+=' '' -- $current)
    set -l typed (string join -- \n $before "$plain" | string collect --no-trim-newlines)
    for line in (env _ALIVE_P2P_COMPLETE=fish_complete COMP_WORDS=$typed COMP_CWORD=(count $before) \
            $program 2>/dev/null </dev/null)
        set -l parts (string split -m 2 -- \t $line)
        switch $parts[1]
            case plain
                printf '%s\t%s\n' $parts[2] "$parts[3]"
            case folder
                __fish_complete_directories "$file" '' | string replace -r -- '^' "$option"
            case file
                __fish_complete_path "$file" '' | string replace -r -- '^' "$option"
            case package
                __fish_complete_path "$file" '' | string replace -r -- '^' "$option" \
                    | string match -r '.*(?:/|[.]walnut)(?:\t.*)?$'
        end
    end
end

complete --command alive-p2p --no-files --keep-order --arguments '(__alive_p2p_complete)'
