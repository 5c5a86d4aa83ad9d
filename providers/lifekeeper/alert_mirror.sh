#!/bin/sh
#
# Prints in one line what is wrong with DataKeeper's mirror below the mount point $1, an md device of two halves; nothing
# if it is up to date on both nodes.
#
# Managed by squid-ha.

PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LC_ALL=C
export PATH LC_ALL

mdstat=${SQUID_HA_MDSTAT:-/proc/mdstat}
device=$(findmnt -rno SOURCE --mountpoint "$1" | tail -n 1)

# A line of the device, and those below it that begin with a blank. First the progress: md shows both halves as members,
# [UU], while it makes them the same again after a crash.
awk -v "name=${device##*/}" -v "mount=$1" '
    /^[^ \t]/ { on = name != "" && $1 == name && $2 == ":" }
    on { block = block " " $0 }
    END {
        if (!match(block, /\[[U_]+\]/)) {
            print "the mirror does not tell its state: no md device is mounted at " mount
            exit
        }
        halves = substr(block, RSTART, RLENGTH)
        if (match(block, /(recovery|resync) *= *[^ ]+/)) {
            print "the mirror is not in sync: " substr(block, RSTART, RLENGTH)
        } else if (halves ~ /_/) {
            print "the mirror is not in sync: the other half is missing"
        }
    }' "$mdstat" 2>/dev/null || echo "the mirror does not tell its state: $mdstat cannot be read"
