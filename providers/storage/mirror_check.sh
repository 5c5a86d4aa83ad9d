#!/bin/sh
#
# Prints in one line what is wrong with the mirror $1 by DRBD; nothing if it is up to date on both nodes.
#
# Managed by squid-ha.

PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

if ! connection=$(drbdadm cstate "$1" 2>&1) || ! disks=$(drbdadm dstate "$1" 2>&1); then
    printf 'the mirror does not tell its state: %s\n' "$(printf '%s' "${disks:-$connection}" | tr '\n' ' ')"
    exit 0
fi
case $connection,$disks in
    Connected,UpToDate/UpToDate) ;;
    *) printf 'the mirror is not in sync: %s, %s here, %s there\n' "$connection" "${disks%%/*}" "${disks#*/}" ;;
esac
