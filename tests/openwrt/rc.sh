#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Stands for OpenWrt's rc.common, functions.sh and procd.sh, as far as an init script sees them, and
# writes down what it is asked for. Its rules of scope are theirs: what uci_load_validate sets is
# local to its callback, and an option that is not set is left alone, so it inherits.
# Usage: SHELL rc.sh start|stop|reload|triggers [ARGUMENT...]
# Environment: STUB_INIT the init script, STUB_RECORD where to write, STUB_CONFIG the configuration
#              as calls of config, option and list, STUB_VALIDATE the command that checks a section
# shellcheck shell=dash disable=SC2034,SC1090,SC2154
stub_inside="" # what is open: service, instance, data

record() {
    local field
    {
        printf '%s' "$1"
        shift
        for field; do printf '\037%s' "$field"; done
        printf '\036'
    } >> "$STUB_RECORD"
}
stub_fail() { record fault "$*"; }

# ---- tools of the system that would touch it ----
logger() {
    [ "$1" = -t ] && [ "$3" = -p ] || stub_fail "logger $*: want -t TAG -p PRIORITY TEXT"
    record log "$2" "$4" "$5"
}
chown() { record chown "$@"; }

# ---- functions.sh ----
reset_cb() {
    config_cb() { return 0; }
    option_cb() { return 0; }
    list_cb() { return 0; }
}
reset_cb
config() {
    CONFIG_SECTION="$2"
    CONFIG_SECTIONS="$CONFIG_SECTIONS $2"
    eval "CONFIG_${2}_TYPE=\$1"
    config_cb "$1" "$2"
}
option() {
    eval "CONFIG_${CONFIG_SECTION}_$1=\$2"
    option_cb "$1" "$2"
}
list() {
    local before
    eval "before=\$CONFIG_${CONFIG_SECTION}_$1"
    eval "CONFIG_${CONFIG_SECTION}_$1=\"\${before:+\$before }\$2\""
    list_cb "$1" "$2"
}
config_load() {
    CONFIG_SECTIONS="" CONFIG_SECTION=""
    [ "$1" = nodepass ] || stub_fail "config_load $1"
    [ -r "$STUB_CONFIG" ] || return 1
    . "$STUB_CONFIG"
    [ -z "$CONFIG_SECTION" ] || config_cb
}
config_foreach() {
    local callback="$1" type="$2" section kind
    shift 2
    for section in $CONFIG_SECTIONS; do
        eval "kind=\$CONFIG_${section}_TYPE"
        [ "$kind" != "$type" ] || eval "$callback \"\$section\" \"\$@\""
    done
}
config_list_foreach() {
    local section="$1" option="$2" callback="$3" value values
    eval "values=\$CONFIG_${section}_$option"
    for value in $values; do eval "$callback \"\$value\""; done
}

# ---- validate ----
uci_validate_section() {
    local stub_result stub_error
    stub_result="$($STUB_VALIDATE "$@")"
    stub_error=$?
    eval "$stub_result"
    return $stub_error
}
uci_load_validate() {
    local stub_section="$3" stub_function="$4" stub_package="$1" stub_type="$2" stub_option
    shift 4
    for stub_option; do eval "local ${stub_option%%:*}"; done
    uci_validate_section "$stub_package" "$stub_type" "$stub_section" "$@"
    eval "$stub_function \"\$stub_section\" \"$?\""
}

# ---- procd.sh ----
stub_want() { [ "$stub_inside" = "$1" ] || stub_fail "$2 in '$stub_inside', want in '$1'"; }
procd_open_instance() {
    stub_want service procd_open_instance
    stub_inside=instance
    record instance "$1"
}
procd_close_instance() {
    stub_want instance procd_close_instance
    stub_inside=service
}
procd_set_param() {
    stub_want instance "procd_set_param $1"
    record set "$@"
}
procd_append_param() {
    stub_want instance "procd_append_param $1"
    record append "$@"
}
procd_add_jail() { stub_want instance procd_add_jail; record jail "$@"; }
procd_add_jail_mount() { stub_want instance procd_add_jail_mount; record mount ro "$@"; }
procd_add_jail_mount_rw() { stub_want instance procd_add_jail_mount_rw; record mount rw "$@"; }
procd_open_data() { stub_want instance procd_open_data; stub_inside=data; }
procd_close_data() { stub_want data procd_close_data; stub_inside=instance; }
json_add_array() { stub_want data json_add_array; record json array "$1"; }
json_add_object() { stub_want data json_add_object; record json object "$1"; }
json_add_string() { stub_want data json_add_string; record json string "$@"; }
json_close_object() { stub_want data json_close_object; record json end object; }
json_close_array() { stub_want data json_close_array; record json end array; }
procd_set_config_changed() { record changed "$1"; }
procd_add_reload_trigger() {
    stub_want triggers procd_add_reload_trigger
    record trigger config "$@"
}
procd_add_interface_trigger() {
    stub_want triggers procd_add_interface_trigger
    record trigger interface "$@"
}

# ---- rc.common ----
stub_names() { # variables that exist, but the shell's own
    set | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' |
        grep -vE '^(CONFIG_.*|stub_.*|STUB_.*|_|OPTIND|LINENO|PPID|IFS|PWD|OLDPWD|PS[124]|RANDOM)$'
}
stub_action="$1"
shift
. "$STUB_INIT"
[ "$USE_PROCD" = 1 ] || stub_fail "USE_PROCD is not 1"
type reload_service > /dev/null 2>&1 && stub_fail "reload_service is defined"
stub_names > "$STUB_RECORD.before"
case "$stub_action" in
start | reload)
    stub_inside=service
    start_service "$@"
    record closed "$?"
    stub_inside=triggers
    service_triggers
    stub_inside=""
    service_started
    ;;
stop)
    stop_service "$@"
    record killed "$@"
    service_stopped
    ;;
esac
record order "$START" "$STOP"
stub_names > "$STUB_RECORD.after"
stub_leaked="$(grep -vxF -f "$STUB_RECORD.before" "$STUB_RECORD.after" | tr '\n' ' ')"
[ -z "$stub_leaked" ] || stub_fail "not declared local: $stub_leaked"
