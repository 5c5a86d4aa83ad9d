"""Records what real hosts say, for the tests of parsers: `sudo .venv/bin/python -m tests.recorded.record`.

One folder per command, one file per situation. Runs in a lab of its own, on a container that is taken through the
situations below in this order.
"""

# ruff: noqa: E501 (a command in one line can be pasted into a shell)

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from lab import containers, control, image, tree
from lab.shell import Shell, shell

HERE = Path(__file__).parent
HOST = "qsp-a"

PACKAGES = r"dpkg-query -W -f='${binary:Package} ${Version} ${db:Status-Abbrev}\n' squid chrony ntpsec systemd-timesyncd openssh-server"
UNIT = "systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,Result,MainPID,FragmentPath {}"
UNITS = UNIT.format("squid.service chrony.service systemd-timesyncd.service ntpsec.service cron.service")

TIMESYNCD = (
    "mkdir -p /etc/systemd/system/systemd-timesyncd.service.d /etc/systemd/timesyncd.conf.d; printf '"
    "[Unit]\\nConditionCapability=\\nConditionVirtualization=\\n"
    "[Service]\\nAmbientCapabilities=\\nCapabilityBoundingSet=\\nExecStart=\\nExecStart=/lib/systemd/systemd-timesyncd\\n' "
    ">/etc/systemd/system/systemd-timesyncd.service.d/lab.conf; "
    "printf '[Time]\\nNTP=192.0.2.1\\n' >/etc/systemd/timesyncd.conf.d/lab.conf; "
    "systemctl daemon-reload; systemctl restart systemd-timesyncd; sleep 3"
)
NTP_CONF = (
    "printf 'server 192.0.2.77 iburst\\nserver 2001:db8:1111:2222:3333:4444:5555:6666 iburst\\ntos minsane 1\\n"
    "restrict default noquery\\nrestrict 127.0.0.1\\nrestrict ::1\\n' >/etc/ntpsec/ntp.conf"
)
ROTATION = "--state /mnt/mirror/rotation/logrotate.state /etc/squid-ha/mirror.logrotate"
DUE = "sed -i 's/ 20[0-9-]*:.*/ 2026-01-01-0:0:0/' /mnt/mirror/rotation/logrotate.state"
MIRROR_LOG = (
    "mkdir -p /mnt/mirror/squid /mnt/mirror/rotation /etc/squid-ha; echo x >/mnt/mirror/squid/access.log; "
    "printf '/mnt/mirror/squid/access.log {\\ndaily\\nrotate 14\\ndateext\\ndateformat -%%Y%%m%%d-%%s\\nmissingok\\n"
    "notifempty\\nnocreate\\ncompress\\ndelaycompress\\npostrotate\\ntrue\\nendscript\\n}\\n' >/etc/squid-ha/mirror.logrotate"
)

Step = tuple[str, str, str]
"""Folder, file, and the command whose output goes there; or no folder, what is done, and the script that does it."""

STEPS: tuple[Step, ...] = (
    ("os-release", "debian-12", "cat /etc/os-release"),
    ("dpkg-query", "untouched", f"{PACKAGES} 2>&1 || true"),
    ("systemctl-show", "untouched", UNITS),
    ("systemctl-is-enabled", "untouched", "systemctl is-enabled squid.service cron.service systemd-timesyncd.service 2>&1 || true"),
    ("timedatectl-show", "untouched", "timedatectl show 2>&1 || true"),
    ("id", "untouched", "id proxy; id ops; id nobody-here 2>&1 || true"),
    ("stat", "files", "stat -c '%n %a %U %G %s %F' /etc/hosts /etc/passwd /etc/shadow /var/log /etc/os-release /nowhere 2>&1 || true"),
    ("ip-json-address", "untouched", "ip -json address"),
    ("ip-json-route", "untouched", "ip -json route"),
    ("", "squid masked before its installation", ("systemctl mask squid.service; apt-get -q update; "
     "DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends squid")),
    ("systemctl-show", "squid-masked", UNITS),
    ("systemctl-is-enabled", "squid-masked", "systemctl is-enabled squid.service || true"),
    ("", "squid started", "systemctl unmask squid.service; systemctl enable --now squid.service"),
    ("systemctl-show", "squid-running", UNITS),
    ("squid-version", "debian-12", "squid -v"),
    ("squid-parse", "as-installed", "squid -k parse 2>&1"),
    ("squid-parse", "unknown-directive", "printf 'no_such_thing on\\n' > /tmp/bad.conf; squid -k parse -f /tmp/bad.conf 2>&1 || true"),
    ("squid-parse", "bad-acl", "printf 'http_access allow nosuchacl\\nhttp_port 3128\\n' > /tmp/bad.conf; squid -k parse -f /tmp/bad.conf 2>&1 || true"),
    ("logrotate-debug", "squid-as-installed", "logrotate --debug /etc/logrotate.d/squid 2>&1"),
    ("ss-listening", "squid-running", "ss -Hltnp"),
    ("", "squid stopped", "systemctl disable --now squid.service"),
    ("systemctl-show", "squid-disabled", UNITS),
    ("dpkg-query", "squid-installed", f"{PACKAGES} 2>&1 || true"),
    ("", "chrony in the place of timesyncd", ("DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends chrony; "
     "rm -f /etc/chrony/sources.d/*; systemctl restart chrony.service")),
    ("chronyc-tracking", "no-sources", "chronyc -c tracking"),
    ("dpkg-query", "chrony-replaced-timesyncd", f"{PACKAGES} 2>&1 || true"),
    ("systemctl-show", "chrony-running", UNITS),
    ("", "one source that answers and one that does not", ("sed -i /^pool/d /etc/chrony/chrony.conf; "
     "printf 'server 192.0.2.1 iburst\\nserver 192.0.2.77 iburst\\n' > /etc/chrony/sources.d/lab.sources; "
     "systemctl restart chrony.service; chronyc -h 127.0.0.1 waitsync 60 0.5 || chronyc waitsync 60 0.5")),
    ("chronyc-tracking", "synchronised", "chronyc -c tracking"),
    ("chronyc-sources", "one-selected-one-unreachable", "chronyc -c sources"),
    ("", "chrony stopped", "systemctl stop chrony.service"),
    ("chronyc-tracking", "chronyd-stopped", "chronyc -c tracking 2>&1 || true"),
    ("systemctl-show", "chrony-stopped", UNITS),
    ("", "timesyncd, which measures without the right to set the clock", f"apt-get -qy install systemd-timesyncd; {TIMESYNCD}"),
    ("host", "timesync-status.synchronised", "LC_ALL=C timedatectl timesync-status 2>&1"),
    ("", "timesyncd with a server that does not answer", "sed -i s/192.0.2.1$/192.0.2.77/ /etc/systemd/timesyncd.conf.d/lab.conf; systemctl restart systemd-timesyncd; sleep 3"),
    ("host", "timesync-status.unsynchronised", "LC_ALL=C timedatectl timesync-status 2>&1"),
    ("", "ntpsec in the place of timesyncd, with sources that do not answer", ("DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends ntpsec; "
     f"{NTP_CONF}; systemctl restart ntpsec; sleep 4")),
    ("host", "ntpq-peers.unsynchronised", "ntpq -pnw 2>&1"),
    ("host", "ntpq-rv.unsynchronised", "ntpq -c rv 2>&1"),
    ("", "ntpsec with a source that answers", "sed -i '1i server 192.0.2.1 iburst' /etc/ntpsec/ntp.conf; systemctl restart ntpsec; sleep 20"),
    ("host", "ntpq-peers.synchronised", "ntpq -pnw 2>&1"),
    ("host", "ntpq-rv.synchronised", "ntpq -c rv 2>&1"),
    ("", "ntpsec stopped", "systemctl stop ntpsec"),
    ("host", "ntpq-peers.stopped", "ntpq -pnw 2>&1"),
    ("host", "ntpq-rv.stopped", "ntpq -c rv 2>&1"),
    ("", "a log on a mirror", MIRROR_LOG),
    ("logrotate-debug", "mirror-not-due", f"logrotate --debug {ROTATION} 2>&1"),
    ("logrotate-force", "mirror", f"logrotate --force --verbose {ROTATION} 2>&1"),
    ("", "the rotation is due", f"echo x >/mnt/mirror/squid/access.log; logrotate {ROTATION}; {DUE}"),
    ("logrotate-debug", "mirror-due", f"logrotate --debug {ROTATION} 2>&1"),
    ("", "a directory that others may write to", "chmod 0777 /mnt/mirror/squid"),
    ("logrotate-force", "insecure-directory", f"logrotate --force --verbose {ROTATION} 2>&1 || true"),
    ("", "names of the day, of which today's is taken", ("chmod 0750 /mnt/mirror/squid; sed -i s/-%s// /etc/squid-ha/mirror.logrotate; "
     f"logrotate --force {ROTATION}; echo x >/mnt/mirror/squid/access.log")),
    ("logrotate-force", "name-taken", f"logrotate --force --verbose {ROTATION} 2>&1 || true"),
    ("", "squid removed, its configuration kept", "DEBIAN_FRONTEND=noninteractive apt-get -qy remove squid"),
    ("dpkg-query", "squid-removed-config-kept", f"{PACKAGES} 2>&1 || true"),
)  # fmt: skip


async def take(connection: Shell) -> None:
    """Go through the steps."""
    for folder, situation, script in STEPS:
        print(f"{folder or '-'}: {situation}", flush=True)
        output = await connection.sudo(script, timeout=300)
        if folder:
            target = HERE / folder / f"{situation}.txt"
            target.parent.mkdir(exist_ok=True)
            target.write_text(output)


async def record() -> None:
    """Connect and record."""
    async with shell(HOST) as connection:
        await take(connection)


def main() -> None:
    """A lab, a container, the recordings."""
    directory = Path(tempfile.mkdtemp(prefix="squid-ha-", dir="/tmp"))
    os.environ["SQUID_HA_LAB_RUN"] = str(directory)
    try:
        tree.start(image.ensure(print))
        control.call("add", name=HOST, number=1)
        asyncio.run(record())
    finally:
        tree.stop()
        containers.clean_up(directory)
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
