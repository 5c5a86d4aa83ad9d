#!/bin/sh
#
# Alert agent of Pacemaker: tells a failover from a switchover, and keeps what people are to be told of.
#
# Pacemaker runs it as the user hacluster for each event that this node sees, with the event in its environment
# (Pacemaker Explained, "Alert Agents"). It only keeps events (`alert raise`); what reaches a network is another
# program's, so that nothing in the cluster ever waits for a mail server.
#
# The service has failed over when its address starts here, was on the other node, and nobody had asked for that: no
# constraint of a move that leads here and is not over, and the other node neither in standby nor in maintenance nor
# shutting down. A restart in place, the first start of a cluster and a planned switchover are no failovers.
#
# Managed by squid-ha.

PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LC_ALL=C
export PATH LC_ALL

alert=${SQUID_HA_ALERT:-/usr/lib/squid-ha/alert}
memory=${SQUID_HA_MEMORY:-/var/spool/squid-ha/agent}
address=${SQUID_HA_ADDRESS:-address}
mirror=${SQUID_HA_MIRROR:-mirror}
below=${SQUID_HA_BELOW:-filesystem squid}
node=$(uname -n)

planned_for=900     # seconds that a plan seen while the service arrives explains its arrival
lost_for=3600       # seconds that a lost node explains it

age() {
    now=$(date +%s)
    then=$(stat -c %Y -- "$1" 2>/dev/null) || then=0
    echo $((now - then))
}

# The line of crm_mon about each node: name, and what it is told to do.
nodes() {
    timeout 20 crm_mon --one-shot --inactive --output-as=xml 2>/dev/null | grep '<node .*online='
}

named() {
    grep "name=\"$1\""
}

peer() {
    nodes | grep -v "name=\"$node\"" | sed -n 's/.*name="\([^"]*\)".*/\1/p' | head -n 1
}

# A line for each constraint that crm_resource(8) made for a move: ID|NODE|END, END empty where it ends by itself never.
moves() {
    timeout 20 cibadmin --query --scope constraints 2>/dev/null | awk '
        function value(name) {
            if (!match($0, " " name "=\"[^\"]*\"")) return ""
            return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
        }
        function tell() { if (id ~ /^cli-(ban|prefer)-/) print id "|" on "|" end; id = "" }
        /<rsc_location / { tell(); id = value("id"); on = value("node"); end = "" }
        /<expression / && value("attribute") == "#uname" { on = value("value") }
        /<date_expression / { end = value("end") }
        END { tell() }'
}

# What a move has left behind leads elsewhere, or is over: it explains no arrival here.
moving_here() {
    moves | while IFS='|' read -r id on end; do
        if [ -n "$end" ] && over=$(date -d "$end" +%s 2>/dev/null) && [ "$over" -lt "$(date +%s)" ]; then
            continue
        fi
        case $id:$on in
            cli-prefer-*:"$node") echo yes ;;
            cli-prefer-* | cli-ban-*:"$node") ;;
            cli-ban-*) echo yes ;;
        esac
    done | grep -q yes
}

planned() {
    moving_here && return 0
    nodes | grep -v "name=\"$node\"" | grep -Eq '(standby|shutdown|maintenance)="true"'
}

# When the address was last started or stopped on node $1, in seconds since 1970; 0 for never.
last_on() {
    timeout 20 cibadmin --query --xpath "//node_state[@uname='$1']//lrm_resource[@id='$address']" 2>/dev/null \
        | grep -E '<lrm_rsc_op .*operation="(start|stop)"' \
        | sed -n 's/.*last-rc-change="\([0-9]*\)".*/\1/p' | sort -n | tail -n 1 | grep . || echo 0
}

# Whether the other node was lost while it had the service.
was_lost() {
    [ -e "$memory/lost" ] && [ "$(age "$memory/lost")" -lt "$lost_for" ]
}

# The node that the service has left alive; nothing where it has not moved.
came_from() {
    other=$(peer)
    [ -n "$other" ] || return 1
    # Without a memory yet: since this agent is here.
    since=$(stat -c %Y -- "$memory/arrived" 2>/dev/null || stat -c %Y -- "$0")
    [ "$(last_on "$other")" -ge "$since" ] || return 1
    printf '%s\n' "$other"
}

arriving() {
    ! planned || : >"$memory/planned"
}

arrived() {
    # A lost node explains the arrival whatever constraint of an earlier move is still there.
    if was_lost; then
        from=$(head -n 1 "$memory/lost")
    elif [ -e "$memory/planned" ] && [ "$(age "$memory/planned")" -lt "$planned_for" ] || planned; then
        from=
    else
        from=$(came_from)
    fi
    [ -z "$from" ] || "$alert" raise failover "the service failed over from $from to $node"
    rm -f "$memory/planned" "$memory/lost"
    : >"$memory/arrived"
    : >"$memory/here"
}

lost() {
    # Told to leave, a node is expected to be down.
    if nodes | named "$1" | grep -q 'expected_up="false"'; then
        return 0
    fi
    : >"$memory/gone-$1"
    # Lost while the service is here, it explains nothing that happens to the service later.
    [ -e "$memory/here" ] || printf '%s\n' "$1" >"$memory/lost"
    "$alert" raise node_lost "$1 has left the cluster without being told to"
}

back() {
    rm -f "$memory/lost"
    [ -e "$memory/gone-$1" ] || return 0
    rm -f "$memory/gone-$1"
    "$alert" raise node_lost "well again: $1 is back in the cluster"
}

is_below() {
    case " $below " in *" $1 "*) ;; *) return 1 ;; esac
}

about=${CRM_alert_node:-}
case ${CRM_alert_kind:-} in
    node)
        case $about:${CRM_alert_desc:-} in
            "$node":*) ;;
            ?*:lost) lost "$about" ;;
            ?*:member) back "$about" ;;
        esac
        ;;
    fencing) "$alert" raise fencing "${CRM_alert_desc:-${about:-a node} was fenced}" ;;
    resource)
        case ${CRM_alert_rsc:-}:${CRM_alert_task:-}:${CRM_alert_rc:-} in
            "$address":start:0) arrived ;;
            "$address":stop:0) rm -f "$memory/here" ;;
            "$mirror":promote:0 | "$mirror":[0-9]*:promote:0) arriving ;;
            ?*:start:0) ! is_below "$CRM_alert_rsc" || arriving ;;
        esac
        ;;
esac
exit 0
