#!/bin/sh
#
# What LifeKeeper's own lists tell, for the alerts: a failover to this node, a mirror in service on both.
#
#   lifekeeper-look FOLDER node=NAME... service=TAG [mirror=TAG] member=TAG...
#
# Prints a line for each finding: `EVENT now TEXT` of what has happened, `EVENT wrong TEXT` of what lasts, `EVENT well
# TEXT` of what is right. Where LifeKeeper does not run, or a list fails, nothing is known and nothing is said. FOLDER
# keeps what the last look saw. LifeKeeper's own events are not used: by which of them it tells of a move is not known.
#
# The service has failed over when it is in service here, was in service on the other node when it was last seen, and the
# other node was lost or has failed resources of it; unless squid-ha has just been asked to move it (FOLDER/planned). One
# that somebody moves in LifeKeeper's own interface has not: the other node is there, and nothing failed on it.
#
# Managed by squid-ha.

PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LC_ALL=C
export PATH LC_ALL

bin=${SQUID_HA_LIFEKEEPER:-/opt/LifeKeeper/bin}
planned_for=900     # seconds that a move which was asked for explains an arrival
node=$(uname -n)
folder=$1
shift
peer='' service='' mirror='' members=''
for word; do
    value=${word#*=}
    case $word in
        "node=$node") ;;
        node=*) peer=$value ;;
        service=*) service=$value ;;
        mirror=*) mirror=$value ;;
        member=*) members="$members $value" ;;
    esac
done

ask() {
    program=$1
    shift
    timeout -k 5 30 "$bin/$program" "$@" 2>/dev/null
}

# The state of the resource $2 in the list $1. An info string with the separator in it shifts what follows.
state() {
    printf '%s\n' "$1" | awk -F '|' -v "tag=$2" '
        $4 == tag { for (at = 7; at <= NF; at++) if ($at ~ /^(ISP|ISU|OSF|OSU|ILLSTATE)$/) { print $at; exit } }'
}

in_service() {
    case $(state "$1" "$2") in ISP | ISU) return 0 ;; *) return 1 ;; esac
}

# How often each communication path to the other node has been down: a line `PATH NUMBER` for each.
downs() {
    ask lcdstatus | awk -v "peer=$peer" '{
        for (at = 1; at <= NF; at++) {
            if ($at ~ /^machine=/) { on = at > 1 && $(at - 1) == "to" && $at == "machine=" peer; path = "?" }
            if ($at ~ /^(addresses|device)=/) path = $at
            if (on && $at ~ /^#comm_downs=[0-9]+$/) { print path, substr($at, 13); on = 0 }
        }
    }'
}

# Whether every path has been down since the last look, whose numbers are in the file $1; now they are on standard input.
were_down() {
    [ -s "$1" ] || return 1
    awk 'NR == FNR { before[$1] = $2; next }
        { seen++; if (!($1 in before) || $2 + 0 <= before[$1] + 0) held = 1 }
        END { exit !(seen && !held) }' "$1" -
}

planned() {
    then=$(stat -c %Y -- "$folder/planned" 2>/dev/null) || return 1
    [ $(($(date +%s) - then)) -lt "$planned_for" ]
}

# Why it failed over; fails where it did not.
reason() {
    if [ -e "$folder/lost" ]; then
        printf '%s was lost\n' "$peer"
        return 0
    fi
    for member in $members; do
        if [ "$(state "$there" "$member")" = OSF ]; then
            printf '%s has failed there\n' "$member"
            return 0
        fi
    done
    return 1
}

[ -n "$peer" ] || exit 0
ask lktest >/dev/null || exit 0
here=$(ask ins_list '-f|') || exit 0
alive=$(ask sys_getst -s "$peer") || exit 0
there=''
if [ "$alive" = ALIVE ]; then
    there=$(ask ins_list -d "$peer" '-f|') || exit 0
fi

number=$(downs)
if [ "$alive" != ALIVE ] || printf '%s\n' "$number" | were_down "$folder/paths"; then
    : >"$folder/lost"
fi
printf '%s\n' "$number" >"$folder/paths"

# In service on both, where it was stands: it has come to neither, nor does the end of that bring it.
was=$(cat "$folder/service-on" 2>/dev/null)
if in_service "$here" "$service" && ! in_service "$there" "$service"; then
    if [ "$was" = "$peer" ] && ! planned && why=$(reason); then
        printf 'failover now the service failed over from %s to %s: %s\n' "$peer" "$node" "$why"
    fi
    printf '%s\n' "$node" >"$folder/service-on"
    rm -f "$folder/planned"
    settled=yes
elif in_service "$there" "$service" && ! in_service "$here" "$service"; then
    printf '%s\n' "$peer" >"$folder/service-on"
    settled=yes
fi
# A node that is back, with the service running somewhere, explains nothing that happens later.
[ "$alive" != ALIVE ] || [ -z "${settled:-}" ] || rm -f "$folder/lost"

[ -n "$mirror" ] && [ "$alive" = ALIVE ] || exit 0
if in_service "$here" "$mirror" && in_service "$there" "$mirror"; then
    printf 'split_brain wrong the mirror %s is in service on %s and on %s: each writes what the other has not (docs/runbook.md)\n' \
        "$mirror" "$node" "$peer"
else
    printf 'split_brain well the mirror %s is in service on one node only\n' "$mirror"
fi
