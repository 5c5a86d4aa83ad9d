#!/bin/bash
#
# Resource agent ocf:squid-ha:squid: Squid as a systemd unit, with a probe of what it is there for.
#
# A unit that is active may still serve nobody: a Squid that hangs, or that lost its port, is "active" to systemd. So
# monitor asks it for a URL through its own port, and any HTTP answer is health. A Squid that does not answer is failed,
# and its stop ends with SIGKILL to the whole control group, because a hung process does not heed SIGTERM, and because
# killing only the main process would leave its workers serving.
#
# Where Squid drops records that it cannot write, it does so without a word. There monitor asks for one URL more, of a
# name of its own, and looks for it in the log. How the log's filesystem is mounted is set before Squid starts, and
# anew by a reload, which leaves Squid alone.
#
# A changed port reaches Squid's configuration and Pacemaker's one after the other, and both are taken over while Squid
# runs. So monitor asks on the port that the configuration says and on that of the parameter; one of them is Squid's.
#
# Managed by squid-ha. Standard: Open Cluster Framework resource agent API 1.1.

OCF_SUCCESS=0
OCF_ERR_GENERIC=1
OCF_ERR_UNIMPLEMENTED=3
OCF_ERR_INSTALLED=5
OCF_ERR_CONFIGURED=6
OCF_NOT_RUNNING=7
OCF_DEGRADED=190

unit=${OCF_RESKEY_unit:-squid.service}
port=${OCF_RESKEY_port:-3128}
probe_url=${OCF_RESKEY_probe_url:-http://probe.squid-ha.invalid/}
probe_timeout=${OCF_RESKEY_probe_timeout:-10}
stop_grace=${OCF_RESKEY_stop_grace:-}
log_mount=${OCF_RESKEY_log_mount:-}
log_mount_options=${OCF_RESKEY_log_mount_options:-}
record_log=${OCF_RESKEY_record_log:-}
record_url=${OCF_RESKEY_record_url:-}
record_lost=${OCF_RESKEY_record_lost:-degrade}
cgroups=${SQUID_HA_CGROUP_ROOT:-/sys/fs/cgroup}
configuration=${SQUID_HA_CONFIGURATION:-/etc/squid/squid.conf}

# Seconds that Pacemaker gives to the running operation; it passes milliseconds.
limit=$((${OCF_RESKEY_CRM_meta_timeout:-60000} / 1000))

meta_data() {
    cat <<'END'
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="squid" version="1.0">
<version>1.1</version>
<longdesc lang="en">
Runs Squid as its systemd unit. It is healthy when it answers a request through its own port within a time limit;
any HTTP status counts, because also a refusal is given by a Squid that works. Stopping ends with SIGKILL to the
unit's whole control group when Squid does not end by itself. It can also look for a record of its own in Squid's log,
and see to the options with which the log's filesystem is mounted.
</longdesc>
<shortdesc lang="en">Squid by systemd, with a functional probe</shortdesc>
<parameters>
<parameter name="unit" unique="1" required="0">
<longdesc lang="en">systemd unit of Squid</longdesc>
<shortdesc lang="en">unit</shortdesc>
<content type="string" default="squid.service"/>
</parameter>
<parameter name="port" required="0" reloadable="1">
<longdesc lang="en">Port on which Squid listens, asked on 127.0.0.1 unless Squid answers on the first http_port of its
configuration</longdesc>
<shortdesc lang="en">port</shortdesc>
<content type="integer" default="3128"/>
</parameter>
<parameter name="probe_url" required="0" reloadable="1">
<longdesc lang="en">URL that Squid is asked for; one that Squid answers by itself, so that the probe does not depend on
any other server</longdesc>
<shortdesc lang="en">URL of the probe</shortdesc>
<content type="string" default="http://probe.squid-ha.invalid/"/>
</parameter>
<parameter name="probe_timeout" required="0" reloadable="1">
<longdesc lang="en">Seconds within which Squid must answer</longdesc>
<shortdesc lang="en">time limit of the probe</shortdesc>
<content type="integer" default="10"/>
</parameter>
<parameter name="stop_grace" required="0" reloadable="1">
<longdesc lang="en">Seconds that Squid gets to end by itself before it is killed; more than shutdown_lifetime + 2.
Without it: 10 seconds less than the timeout of the stop operation</longdesc>
<shortdesc lang="en">grace of a stop</shortdesc>
<content type="integer"/>
</parameter>
<parameter name="log_mount" required="0" reloadable="1">
<longdesc lang="en">Mount point of the filesystem with the log; it is mounted by another resource</longdesc>
<shortdesc lang="en">mount point of the log</shortdesc>
<content type="string"/>
</parameter>
<parameter name="log_mount_options" required="0" reloadable="1">
<longdesc lang="en">Options with which that filesystem is mounted once more before Squid starts</longdesc>
<shortdesc lang="en">mount options of the log</shortdesc>
<content type="string"/>
</parameter>
<parameter name="record_log" required="0" reloadable="1">
<longdesc lang="en">Log in which the record of a request of monitor's own must appear; without it none is looked for</longdesc>
<shortdesc lang="en">log of the record</shortdesc>
<content type="string"/>
</parameter>
<parameter name="record_url" required="0" reloadable="1">
<longdesc lang="en">Beginning of the URL that monitor asks for and looks for; a name of its own follows</longdesc>
<shortdesc lang="en">URL of the record</shortdesc>
<content type="string"/>
</parameter>
<parameter name="record_lost" required="0" reloadable="1">
<longdesc lang="en">What a record that does not appear makes of the resource: degrade or fail</longdesc>
<shortdesc lang="en">when a record is lost</shortdesc>
<content type="select" default="degrade"><option value="degrade"/><option value="fail"/></content>
</parameter>
</parameters>
<actions>
<action name="start" timeout="60s"/>
<action name="stop" timeout="60s"/>
<action name="monitor" timeout="30s" interval="10s" depth="0"/>
<action name="reload-agent" timeout="60s"/>
<action name="meta-data" timeout="5s"/>
<action name="validate-all" timeout="20s"/>
</actions>
</resource-agent>
END
}

# Pacemaker shows the text after this prefix as the reason of a failure.
reason() {
    printf 'ocf-exit-reason:%s\n' "$1" >&2
    logger -t "squid-ha-agent" -- "$unit: $1" 2>/dev/null
}

state() {
    systemctl show --property ActiveState --value -- "$unit" 2>/dev/null
}

# Wait until the unit neither starts nor stops; prints its state. Past $1 seconds prints what it is then.
settled_state() {
    local deadline=$((SECONDS + $1)) now
    while :; do
        now=$(state)
        case $now in
            activating | deactivating) [ "$SECONDS" -lt "$deadline" ] || break ;;
            *) break ;;
        esac
        sleep 0.5
    done
    printf '%s\n' "$now"
}

# One request through the port; prints the status line. Runs in a process of its own, which can be killed.
# shellcheck disable=SC2016 # the expressions are for that process
ask='
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
host=${2#*://}
printf "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" "${host%%/*}" >&3
IFS= read -r line <&3 || exit 1
case $line in HTTP/[0-9]*) printf "%s\n" "${line%%[[:cntrl:]]*}" ;; *) exit 1 ;; esac
'

# The ports to ask on: the first in Squid's configuration, and the parameter's where that is another one.
ports() {
    local name where found=
    while read -r name where _ || [ -n "$name" ]; do
        [ "$name" = http_port ] || continue
        found=${where##*:}
        case $found in "" | *[!0-9]*) found= ;; esac
        break
    done 2>/dev/null <"$configuration"
    [ -z "$found" ] || [ "$found" = "$port" ] || printf '%s\n' "$found"
    printf '%s\n' "$port"
}

# Ask for $2, by default for the probe's URL, until there is an answer or $1 seconds are over: while Squid reads its
# configuration again, nobody listens for a moment, and that is no failure.
answers() {
    local deadline=$((SECONDS + $1)) each left url=${2:-$probe_url}
    while :; do
        for each in $(ports); do
            left=$((deadline - SECONDS))
            [ "$left" -ge 1 ] || left=1
            timeout --kill-after=1 "$left" bash -c "$ask" squid-ha-probe "$each" "$url" >/dev/null 2>&1 && return 0
        done
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.3
    done
}

# Ask for a URL of its own and find it in the log within $1 seconds. Only what was written since is read: the log may
# grow by megabytes meanwhile. A rotation gives the file another name, and Squid writes on into it until it is told: so
# that file is looked at too; and where it has no file yet, it is asked again until there is one with a record.
recorded() {
    local deadline=$((SECONDS + $1)) old='' size=0 url
    url=$record_url$(uname -n)-$(date +%s%N)-$$
    if { exec 4<"$record_log"; } 2>/dev/null; then
        old=/dev/fd/4 size=$(stat -L -c %s /dev/fd/4)
    fi
    answers "$1" "$url" || return 1
    while :; do
        if [ -n "$old" ]; then
            tail -c "+$((size + 1))" "$old" 2>/dev/null | grep -qaF -e "${url#http://*/}" && return 0
        fi
        if [ -z "$old" ] || ! [ "$record_log" -ef "$old" ]; then
            grep -qaF -e "${url#http://*/}" -- "$record_log" 2>/dev/null && return 0
        fi
        [ "$SECONDS" -lt "$deadline" ] || return 1
        [ -n "$old" ] || answers 1 "$url-again"
        sleep 0.3
    done
}

# Mount the log's filesystem with its options where it is mounted; nothing where none are declared.
mount_log() {
    local said
    [ -n "$log_mount_options" ] || return 0
    if ! said=$(timeout 30 mount --options-source disable -o "remount,$log_mount_options" "$log_mount" 2>&1); then
        reason "$log_mount cannot be mounted with $log_mount_options: $(printf '%s' "$said" | tr '\n' ' ')"
        return "$OCF_ERR_GENERIC"
    fi
}

monitor() {
    local now
    now=$(settled_state "$probe_timeout")
    case $now in
        active | reloading | refreshing) ;;
        failed)
            systemctl reset-failed -- "$unit" 2>/dev/null
            return "$OCF_NOT_RUNNING"
            ;;
        inactive) return "$OCF_NOT_RUNNING" ;;
        "")
            reason "systemd does not tell the state of $unit"
            return "$OCF_ERR_GENERIC"
            ;;
        *)
            reason "$unit is still $now after $probe_timeout s"
            return "$OCF_ERR_GENERIC"
            ;;
    esac
    if answers "$probe_timeout"; then
        [ -n "$record_log" ] || return "$OCF_SUCCESS"
        recorded 5 && return "$OCF_SUCCESS"
        reason "Squid serves but its records do not reach $record_log: is its filesystem full?"
        [ "$record_lost" = fail ] || return "$OCF_DEGRADED"
        return "$OCF_ERR_GENERIC"
    fi
    if [ "$(state)" = inactive ]; then
        return "$OCF_NOT_RUNNING"
    fi
    reason "Squid runs but did not answer a request for $probe_url on port $(ports | paste -s -d ,) within $probe_timeout s"
    return "$OCF_ERR_GENERIC"
}

start() {
    local before deadline=$((SECONDS + limit - 2)) now
    validate || return
    mount_log || return
    before=$(settled_state "$((limit / 2))")
    [ "$before" != failed ] || systemctl reset-failed -- "$unit" 2>/dev/null
    if ! systemctl start -- "$unit"; then
        reason "systemd could not start $unit; see journalctl -u $unit"
        return "$OCF_ERR_GENERIC"
    fi
    while [ "$SECONDS" -lt "$deadline" ]; do
        answers 1 && return "$OCF_SUCCESS"
        now=$(state)
        case $now in
            failed | inactive)
                reason "$unit ended ($now) while it was starting; see journalctl -u $unit"
                return "$OCF_ERR_GENERIC"
                ;;
        esac
    done
    reason "Squid was started but did not answer on port $(ports | paste -s -d ,) within $limit s"
    return "$OCF_ERR_GENERIC"
}

# Prints the processes left in control group $1 and those below it.
processes() {
    local list
    [ -n "$1" ] || return 0
    for list in "$cgroups$1" "$cgroups/systemd$1"; do
        [ ! -d "$list" ] || find "$list" -name cgroup.procs -exec cat {} + 2>/dev/null
    done
}

# Wait up to $1 seconds until the unit is down and nothing is left in control group $2.
gone() {
    local deadline=$((SECONDS + $1)) now
    while :; do
        now=$(state)
        case $now in
            inactive | failed) [ -n "$(processes "$2")" ] || return 0 ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.3
    done
}

stop() {
    local group grace=${stop_grace:-$((limit - 10))} left
    [ "$grace" -ge 2 ] || grace=2
    group=$(systemctl show --property ControlGroup --value -- "$unit" 2>/dev/null)
    case $(state) in
        inactive | failed) ;;
        # Squid's unit outlives Pacemaker's (Before=pacemaker.service), so that a shutdown leaves it to this agent.
        # While Pacemaker is being stopped, a stop that heeds the order would wait for the one who asks for it.
        *) systemctl stop --no-block --job-mode=ignore-dependencies -- "$unit" ;;
    esac
    if ! gone "$grace" "$group"; then
        printf '%s\n' "$unit did not end within $grace s: killing its control group" >&2
        logger -t "squid-ha-agent" -- "$unit did not end within $grace s: killing its control group" 2>/dev/null
        systemctl kill --kill-whom=all --signal=SIGKILL -- "$unit" 2>/dev/null \
            || systemctl kill --kill-who=all --signal=SIGKILL -- "$unit" 2>/dev/null
        left=$(processes "$group")
        # shellcheck disable=SC2086 # a list of process ids
        [ -z "$left" ] || kill -KILL $left 2>/dev/null
        if ! gone 5 "$group"; then
            reason "processes of $unit survive SIGKILL: $(processes "$group" | tr '\n' ' ')"
            return "$OCF_ERR_GENERIC"
        fi
    fi
    systemctl reset-failed -- "$unit" 2>/dev/null
    return "$OCF_SUCCESS"
}

number() {
    case $2 in
        "" | *[!0-9]*)
            reason "parameter $1 must be a whole number, not '$2'"
            return 1
            ;;
    esac
}

validate() {
    number port "$port" && number probe_timeout "$probe_timeout" && number stop_grace "${stop_grace:-0}" \
        || return "$OCF_ERR_CONFIGURED"
    case $probe_url in
        http://?*) ;;
        *)
            reason "parameter probe_url must begin with http://, not '$probe_url'"
            return "$OCF_ERR_CONFIGURED"
            ;;
    esac
    case $record_lost in
        degrade | fail) ;;
        *)
            reason "parameter record_lost must be degrade or fail, not '$record_lost'"
            return "$OCF_ERR_CONFIGURED"
            ;;
    esac
    if [ -n "$record_log" ] && [ "${record_url#http://}" = "$record_url" ]; then
        reason "with record_log, parameter record_url must begin with http://, not '$record_url'"
        return "$OCF_ERR_CONFIGURED"
    fi
    if [ -n "$log_mount_options" ] && [ -z "$log_mount" ]; then
        reason "log_mount_options needs log_mount"
        return "$OCF_ERR_CONFIGURED"
    fi
    if [ "$(systemctl show --property LoadState --value -- "$unit" 2>/dev/null)" != loaded ]; then
        reason "there is no systemd unit $unit"
        return "$OCF_ERR_INSTALLED"
    fi
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    monitor | status) monitor ;;
    reload-agent) validate && mount_log ;;
    validate-all) validate ;;
    meta-data) meta_data ;;
    *)
        printf 'usage: %s start|stop|monitor|reload-agent|validate-all|meta-data\n' "$0" >&2
        exit "$OCF_ERR_UNIMPLEMENTED"
        ;;
esac
