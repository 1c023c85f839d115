# SPDX-License-Identifier: BSD-3-Clause
# bash completion for nodepass(1)

_nodepass_query() { # word: completes the query key after the last ? or &
    local word=$1 head keys key
    case $word in
    server://*) keys="log tls crt key max mode read rate slot mem proxy notcp noudp dial dns" ;;
    client://*) keys="log tls min mode read rate slot mem proxy notcp noudp dial dns sni ca pin" ;;
    *) keys="log tls crt key state mem" ;;
    esac
    head=${word%"${word##*[?&]}"}
    for key in $keys; do
        case $word in
        *[?\&]"$key="*) ;;
        *) printf '%s\n' "$head$key=" ;;
        esac
    done
}

_nodepass_ctl() { # word, word before
    local verbs="list show add edit rename start stop restart reset rm events info key help"
    local switches="--json --master --state-dir --pin --insecure --show-key --no-color --help"
    case $2 in
    ctl) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$1") ;;
    key) mapfile -t COMPREPLY < <(compgen -W "rotate" -- "$1") ;;
    show | edit | rename | start | stop | restart | reset | rm | events)
        mapfile -t COMPREPLY < <(compgen -W "$(nodepass ctl list 2> /dev/null |
            awk 'NR > 1 { print $1 }')" -- "$1") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$switches" -- "$1") ;;
    esac
}

_nodepass() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local switches="-c --check --version -V --help -h --user --state-dir --url-file --syslog"
    switches="$switches --no-color"
    # readline splits words at ':' and '='; the URL is what stands since the last blank.
    local whole=${COMP_LINE:0:COMP_POINT}
    whole=${whole##*[[:space:]]}
    whole=${whole#[\'\"]}
    COMPREPLY=()
    if [ "${COMP_WORDS[1]}" = ctl ] && [ "$COMP_CWORD" -gt 1 ]; then
        _nodepass_ctl "$word" "$before"
        return
    fi
    case $before in
    -c | --url-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --state-dir)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --user)
        mapfile -t COMPREPLY < <(compgen -u -- "$word")
        return
        ;;
    esac
    case $whole in
    -*) mapfile -t COMPREPLY < <(compgen -W "$switches" -- "$word") ;;
    *://*[?]*)
        mapfile -t COMPREPLY < <(compgen -W "$(_nodepass_query "$whole")" -- "$whole")
        # Give back only what follows the part that readline already holds.
        local i prefix=${whole%"$word"}
        for i in "${!COMPREPLY[@]}"; do
            COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}
        done
        compopt -o nospace 2> /dev/null
        ;;
    *://*) ;;
    *)
        local words="server:// client:// master:// ctl $switches"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        compopt -o nospace 2> /dev/null
        ;;
    esac
}

complete -o default -F _nodepass nodepass
