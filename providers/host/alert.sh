#!/bin/sh
#
# Tells people of what happens to the site, by mail and webhook.
#
#   alert raise EVENT TEXT   keep an event; whoever may write to the spool may do this
#   alert deliver            send what is kept (root)
#   alert check              look at mirror and clock, and at what the engine tells, then send what is kept (root)
#   alert test               send a test over every channel at once and print what became of it (root)
#
# An event is a file: raising it never waits for a network, so that nothing that raises one is held up. What could not
# be sent stays and is tried again by the timer. Secrets are read from files and go to curl by standard input.
#
# Managed by squid-ha.

PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LC_ALL=C
export PATH LC_ALL
umask 077

conf=${SQUID_HA_ALERTS:-/etc/squid-ha/alerts.conf}
spool=${SQUID_HA_SPOOL:-/var/spool/squid-ha}
known='failover node_lost fencing split_brain mirror_unsynced mirror_full clock'
longest=20       # texts in one message
oldest=86400     # seconds after which an event that cannot be sent is given up
slow=5           # seconds after which a channel that does not take an event is not asked again at once
node=$(uname -n)
sending=         # processes of channels, which end with this one

log() {
    logger -t squid-ha-alert -- "$1" 2>/dev/null
    printf '%s\n' "$1" >&2
}

is_known() {
    case " $known " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# Text without bytes that are no UTF-8, such as those of a character that was cut: a receiver of JSON refuses these, and
# with them whatever waits in the same message. As iconv lets pass numbers beyond Unicode's, they go before it, together
# with Unicode's last plane, which is private.
utf8() {
    if command -v iconv >/dev/null; then
        tr -d '\364-\377' | iconv -c -f UTF-8 -t UTF-8 2>/dev/null
    else
        tr -cd '\011\012\040-\176'
    fi
}

# Keep event $1 with text $2. The name begins with the time, so that names sort by it.
raise() {
    is_known "$1" || { log "unknown event: $1"; return 2; }
    text=$(printf '%s' "$2" | tr '\n' ' ' | tr -d '\000-\037\177' | cut -c 1-500 | utf8)
    logger -t squid-ha-alert -- "$1: $text" 2>/dev/null
    file=$(mktemp "$spool/new/.XXXXXXXX") || { log "cannot keep an event in $spool/new"; return 1; }
    if ! printf '%s\n%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$text" >"$file"; then
        rm -f "$file"
        log "cannot keep an event in $spool/new"
        return 1
    fi
    mv -f "$file" "$spool/new/$(date +%s%N)-$$-$1"
}

# Text as the inside of a JSON string.
in_json() {
    utf8 | tr -d '\000-\011\013-\037\177' | sed 's/[\\"]/\\&/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
}

# Text as the inside of a quoted value of a curl configuration.
in_curl() {
    printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g'
}

# The only line of a file that holds a secret.
secret() {
    IFS= read -r line <"$1" || [ -n "$line" ] || return 1
    printf '%s' "$line"
}

# Run curl with the configuration on standard input and leave in $said what it says went wrong, or else what the
# configuration has it write out. That it writes out after a failure too, so its sentence need not be the last line; what
# follows it may show a secret address. No file: a full disk must not make a success of it.
run_curl() {
    command -v curl >/dev/null || { said='there is no curl'; return 1; }
    said=$(curl --config - --silent --show-error --max-time 20 --connect-timeout 10 --output /dev/null 2>&1)
    code=$?
    if [ "$code" -eq 0 ]; then
        said=$(printf '%s\n' "$said" | tail -n 1)
    else
        said=$(printf '%s\n' "$said" | grep -ao 'curl: .*' | head -n 1)
        said=${said:-curl ended with $code}
    fi
    return "$code"
}

no_room() {
    echo "cannot write in $work: is its disk full?"
}

# $1 subject, $2 file with the body
send_mail() {
    {
        printf 'From: squid-ha <%s>\r\n' "$mail_from"
        printf 'To: %s\r\n' "$(printf '%s' "$mail_to" | sed 's/ /, /g')"
        printf 'Subject: %s\r\n' "$1"
        printf 'Date: %s\r\n' "$(date '+%a, %d %b %Y %H:%M:%S %z')"
        printf 'Message-ID: <%s.%s@%s>\r\n' "$(date +%s%N)" "$$" "$node"
        printf 'Auto-Submitted: auto-generated\r\n'
        printf 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
        sed 's/$/\r/' "$2"
    } >"$work/mail" || { no_room; return 1; }
    if [ -z "$mail_url" ]; then
        [ -x /usr/sbin/sendmail ] || { echo 'there is no /usr/sbin/sendmail: declare alerts.mail.relay'; return 1; }
        tr -d '\r' <"$work/mail" >"$work/mail.unix" || { no_room; return 1; }
        # What sendmail leaves behind to deliver must not keep the channel's lock.
        # shellcheck disable=SC2086 # a list of addresses without blanks
        timeout 30 /usr/sbin/sendmail -oi -f "$mail_from" -- $mail_to <"$work/mail.unix" >"$work/said" 2>&1 9>&- && return 0
        tail -n 1 "$work/said"
        return 1
    fi
    {
        printf 'url = "%s"\nmail-from = "%s"\nupload-file = "%s"\n' "$mail_url" "$mail_from" "$work/mail"
        for address in $mail_to; do printf 'mail-rcpt = "%s"\n' "$address"; done
        [ "$mail_tls" = none ] || printf 'ssl-reqd\n'
        [ -z "$mail_user" ] || printf 'user = "%s:%s"\n' "$(in_curl "$mail_user")" "$(in_curl "$(secret "$mail_password_file")")"
    } | { run_curl || { printf '%s\n' "$said"; exit 1; }; }
}

# $1 subject, $2 file with the body, $3 event
send_webhook() {
    printf '{"text":"%s","site":"%s","node":"%s","event":"%s","time":"%s"}' \
        "$({ printf '%s\n\n' "$1"; cat "$2"; } | in_json)" "$(printf '%s' "$site" | in_json)" \
        "$(printf '%s' "$node" | in_json)" "$3" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$work/json" || { no_room; return 1; }
    url=$webhook_url
    [ -z "$webhook_url_file" ] || url=$(secret "$webhook_url_file")
    case $url in http://?* | https://?*) ;; *) echo 'the webhook has no address that begins with http'; return 1 ;; esac
    {
        printf 'url = "%s"\nfail\nwrite-out = "%%{http_code}"\n' "$(in_curl "$url")"
        printf 'header = "Content-Type: application/json"\ndata-binary = "@%s"\n' "$work/json"
        [ -z "$webhook_token_file" ] || printf 'header = "Authorization: Bearer %s"\n' "$(in_curl "$(secret "$webhook_token_file")")"
    } | {
        run_curl || { printf '%s\n' "$said"; exit 1; }
        # A redirection is followed by nobody, so what it was sent to has nothing.
        case $said in 2??) ;; *) printf 'the webhook answered with %s instead of taking it\n' "$said"; exit 1 ;; esac
    }
}

# One message over channel $1 about event $2, from the body in $3 with the first text $4; prints what went wrong.
send() {
    subject=$(printf '[%s] %s on %s: %s' "$site" "$2" "$node" "$4" | tr -cd '\040-\176' | cut -c 1-200)
    case $1 in
        mail) send_mail "$subject" "$3" ;;
        webhook) send_webhook "$subject" "$3" "$2" ;;
    esac
}

age() {
    now=$(date +%s)
    then=$(stat -c %Y -- "$1" 2>/dev/null) || then=0
    # A clock that was set back must not silence anything.
    [ "$then" -le "$now" ] || then=0
    echo $((now - then))
}

# Into the queue of channel $1: event $2, the file $3. A full disk cuts a copy short, so it counts once it is whole.
queue() {
    mkdir -p "$spool/queue/$1/$2" || return 1
    if ! head -c 1000 "$3" >"$spool/queue/$1/$2/.new"; then
        rm -f "$spool/queue/$1/$2/.new"
        return 1
    fi
    mv -f "$spool/queue/$1/$2/.new" "$spool/queue/$1/$2/${3##*/}"
}

# New events into a queue for each channel, so that one which fails does not hold up the other. They are looked at in a
# folder of root's alone, where nobody else puts a link in the place of a file. There is also held, for the next regular
# look, what cannot be queued: left among the new ones, it would start the sending again and again.
take_in() {
    for file in "$spool"/new/*; do
        if [ -f "$file" ] || [ -L "$file" ]; then mv -f "$file" "$spool/held/"; fi
    done
    for file in "$spool"/held/*; do
        [ ! -L "$file" ] || { log "${file##*/} is a link, not an event: removed"; rm -f "$file"; }
        [ -f "$file" ] || continue
        event=${file##*-}
        case " $events " in
            *" $event "*)
                for channel in $channels; do
                    if ! queue "$channel" "$event" "$file"; then
                        log "cannot queue $event in $spool/queue; trying again later"
                        continue 2
                    fi
                done
                ;;
        esac
        rm -f "$file"
    done
}

# All that is queued for channel $1 about event $2 as one message, unless one was sent just before.
send_queue() {
    queue=$spool/queue/$1/$2
    set -- "$1" "$2" "$queue"/*
    [ -f "$3" ] || return 0
    [ "$(age "$spool/state/sent-$1-$2")" -ge "$pause" ] || return 0
    channel=$1 event=$2
    shift 2
    count=$#
    first=$(sed -n 2p "$1")
    body=$work/body-$channel
    : >"$body"
    listed=0
    for file; do
        listed=$((listed + 1))
        [ "$listed" -le "$longest" ] || break
        { sed -n 1p "$file" | tr '\n' ' '; sed -n 2p "$file"; } >>"$body"
    done
    [ "$count" -le "$longest" ] || printf '... and %s more\n' "$((count - longest))" >>"$body"
    printf '\nSent from %s by squid-ha. How the site is now: squid-ha status %s\n' "$node" "$stack" >>"$body" \
        || { log "$event is not told by $channel yet: $(no_room)"; return 1; }
    if reason=$(send "$channel" "$event" "$body" "$first"); then
        rm -f "$@"
        : >"$spool/state/sent-$channel-$event"
        log "told of $event by $channel ($count)"
        return 0
    fi
    log "$event is not told by $channel yet: $reason"
    for file; do
        [ "$(age "$file")" -lt "$oldest" ] || { log "given up after a day: $(sed -n 2p "$file")"; rm -f "$file"; }
    done
    return 1
}

# All that is queued for channel $1. With one that does not answer the next event would take as long: what is left waits
# for the next look. One that refuses an event at once may take another.
send_all() {
    exec 9>"$spool/state/lock-$1"
    flock -w 120 9 || { log "another delivery by $1 does not end"; return 1; }
    failed=0
    for event in $events; do
        began=$(date +%s)
        send_queue "$1" "$event" && continue
        failed=1
        [ $(($(date +%s) - began)) -lt "$slow" ] || break
    done
    return "$failed"
}

# Each channel in a process of its own, under a lock of its own: one that hangs holds up no other, neither here nor in
# another delivery.
deliver() {
    exec 9>"$spool/state/lock"
    flock -w 120 9 || { log 'another delivery does not end'; return 1; }
    take_in
    exec 9>&-
    failed=0
    for channel in $channels; do
        send_all "$channel" &
        sending="$sending $!"
    done
    for process in $sending; do wait "$process" || failed=1; done
    return "$failed"
}

# What a look found: problem $2 ('' for none) of event $1; $3 says that it is well again. Two looks in a row must find it.
report() {
    state=$spool/state/$1
    case " $events " in *" $1 "*) ;; *) return 0 ;; esac
    if [ -z "$2" ]; then
        # Kept where the event cannot be: the next look tells it.
        [ ! -e "$state-told" ] || raise "$1" "well again: $3" || return 1
        rm -f "$state-seen" "$state-told"
    elif [ ! -e "$state-seen" ]; then
        : >"$state-seen"
    elif [ "$(age "$state-told")" -ge "$remind" ]; then
        raise "$1" "$2" && : >"$state-told"
    fi
}

is_active() {
    [ -n "$virtual_ip" ] && ip -o address show to "$virtual_ip" 2>/dev/null | grep -q .
}

# What a program prints goes by a pipe: a full disk would make silence of it, which says that all is well. Behind it a line
# `= CODE`, at which who reads has to stop: a program that hangs in the kernel outlives its limit and keeps the pipe open.
marked() {
    "$@"
    printf '\n= %s\n' "$?"
}

# Prints what is wrong with the mirror, nothing if it is well.
mirror_problem() {
    [ -x "$mirror_check" ] || return 0
    marked timeout -k 5 30 "$mirror_check" "$mirror_resource" 2>&1 | {
        code='' first=''
        IFS= read -r first
        while IFS= read -r line; do
            case $line in '= '*) code=${line#= }; break ;; esac
        done
        case $code,$first in
            124,* | 137,*) echo 'the mirror does not say how it is: no answer within 30 s' ;;
            0, | *,?*) printf '%s\n' "$first" ;;
            *) echo "the mirror does not say how it is: $mirror_check ended with exit code $code and said nothing" ;;
        esac
    }
}

# Prints how many percent of the mirror's filesystem are full, nothing if it does not say.
mirror_use() {
    marked timeout -k 5 30 df --output=pcent "$mount_point" | while IFS= read -r line; do
        case $line in
            '= '*) break ;;
            *[0-9]%) printf '%s\n' "$line" | tr -dc 0-9 ;;
        esac
    done
}

# Only the active node tells of the mirror: it is the one whose data count, and two would say the same.
check_mirror() {
    [ -n "$mount_point" ] || return 0
    if ! is_active; then
        rm -f "$spool"/state/mirror_*
        return 0
    fi
    report mirror_unsynced "$(mirror_problem)" 'the mirror is up to date on both nodes'
    mountpoint -q "$mount_point" || return 0
    full=$(mirror_use)
    # A filesystem that does not answer is neither full nor well again.
    [ -n "$full" ] || return 0
    # Told once, it is well again only some percent below, so that a log around the limit makes no storm.
    limit=$mirror_full
    [ ! -e "$spool/state/mirror_full-told" ] || limit=$((mirror_full > 5 ? mirror_full - 5 : 1))
    problem=
    [ "$full" -lt "$limit" ] || problem="$mount_point is $full % full (told from $mirror_full % on)"
    report mirror_full "$problem" "$mount_point is $full % full"
}

# What only the engine can tell: its program gets the folder of states and the words, and prints a line for each finding:
# `EVENT now TEXT` of what has happened, `EVENT wrong TEXT` of what lasts, `EVENT well TEXT` of what is right.
check_engine() {
    [ -x "$engine_look" ] || return 0
    # shellcheck disable=SC2086 # words without blanks, and without signs that a shell would expand
    marked timeout -k 5 240 "$engine_look" "$spool/state" $engine_words 2>/dev/null | while read -r event kind text; do
        case $event,$kind in
            =,*) break ;;
            *,now) raise "$event" "$text" ;;
            *,wrong) report "$event" "$text" '' ;;
            *,well) report "$event" '' "$text" ;;
        esac
    done
}

running() {
    systemctl --quiet is-active "$1" 2>/dev/null
}

# Prints seconds that the clock is off, or a sentence.
clock_offset() {
    if running chrony.service; then
        line=$(timeout 20 chronyc -c -n tracking 2>&1 | tail -n 1)
        case $line in
            *,*,*,*,*,*,*,*,*,*,*,*,*,'Not synchronised' | ,* | 00000000,* | 7F7F0101,*) echo 'chrony follows no source' ;;
            *,*,*,*,*,*,*,*,*,*,*,*,*,*)
                # With all its sources silent, chronyd goes on with what it last knew, and the last stays selected. Field 5
                # is the interval at which it is asked, as a power of two, 7 the seconds since its last good answer.
                if timeout 20 chronyc -c -n sources 2>/dev/null \
                    | awk -F, '$2 == "*" && $7 <= 16 * 2 ^ $5 { heard = 1 } END { exit !heard }'; then
                    printf '%s\n' "$line" | cut -d, -f5
                else
                    echo 'no source of chrony answers any more'
                fi
                ;;
            *) echo "chrony does not answer ($line)" ;;
        esac
    elif running ntpsec.service; then
        line=$(timeout 20 ntpq -n -c 'rv 0 leap,offset' 2>&1 | tr -d '\n')
        case $line in
            *leap=11* | *leap=3*) echo 'ntpd follows no source' ;;
            *offset=*) printf '%s\n' "$line" | sed 's/.*offset=\([-+0-9.]*\).*/\1/' | awk '{ print $1 / 1000 }' ;;
            *) echo "ntpd does not answer ($line)" ;;
        esac
    elif running systemd-timesyncd.service; then
        case $(timeout 20 timedatectl show -P NTPSynchronized 2>&1) in
            yes) echo 0 ;;
            *) echo 'systemd-timesyncd follows no source' ;;
        esac
    else
        echo 'no time service runs'
    fi
}

check_clock() {
    [ -n "$max_offset" ] || return 0
    offset=$(clock_offset)
    problem=
    case $offset in
        *[!-+0-9.e]* | '') problem="the clock of $node cannot be trusted: ${offset:-its service says nothing}" ;;
        *)
            awk -v "offset=$offset" -v "most=$max_offset" 'BEGIN { exit !(offset <= most && offset >= -most) }' \
                || problem="the clock of $node is $offset s off (at most $max_offset s is right)"
            ;;
    esac
    report clock "$problem" "the clock of $node is right"
}

# Over every channel at once: `CHANNEL delivered`, or `CHANNEL failed REASON`.
try_out() {
    worst=0
    printf '%s This is a test.\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$work/body"
    for channel in $channels; do
        if reason=$(send "$channel" test "$work/body" 'this is a test'); then
            printf '%s delivered\n' "$channel"
        else
            printf '%s failed %s\n' "$channel" "$reason"
            worst=1
        fi
    done
    return "$worst"
}

case ${1:-} in
    raise)
        [ $# -eq 3 ] || { echo 'usage: alert raise EVENT TEXT' >&2; exit 2; }
        raise "$2" "$3"
        exit
        ;;
    deliver | check | test) ;;
    *)
        echo 'usage: alert raise EVENT TEXT | deliver | check | test' >&2
        exit 2
        ;;
esac

site='' stack='' channels='' events='' pause=60 remind=86400 virtual_ip='' mount_point='' mirror_full=80
mirror_check='' mirror_resource='' engine_look='' engine_words='' max_offset='' mail_to='' mail_from='' mail_url='' mail_tls=none mail_user=''
mail_password_file='' webhook_url='' webhook_url_file='' webhook_token_file=''
# shellcheck source=/dev/null
. "$conf" || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'kill $sending 2>/dev/null; exit 143' TERM INT HUP

case $1 in
    deliver) deliver ;;
    check)
        check_engine
        check_mirror
        check_clock
        deliver
        ;;
    test) try_out ;;
esac
