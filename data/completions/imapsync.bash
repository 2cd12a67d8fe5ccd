# bash completion for imapsync                              -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later

_imapsync()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local folder=${XDG_CONFIG_HOME:-~/.config} name
    local options="--config --oneshot --repair --check --dry-run --setup --address --host
        --user --autoconfig --ca-file --password-in --store-password --import-interimap --name
        --resolve --quiet --debug --help
        --version"

    COMPREPLY=()
    # "--config=x" comes in three words
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" && $COMP_CWORD -ge 2 ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    --config)
        for name in "$folder"/imapsync/*.conf; do
            [[ -e $name ]] && COMPREPLY+=($(compgen -W "${name#"$folder"/}" -- "$cur"))
        done
        COMPREPLY+=($(compgen -f -- "$cur"))
        return
        ;;
    --password-in)
        COMPREPLY=($(compgen -W "keyring file none" -- "$cur"))
        return
        ;;
    --ca-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --name | --resolve | --address | --host | --user | --autoconfig)
        return
        ;;
    --store-password)
        COMPREPLY=($(compgen -W "local remote" -- "$cur"))
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options -1 -q -h" -- "$cur"))
    fi
}

complete -F _imapsync imapsync
complete -W "--help --version" imapsync-applet
