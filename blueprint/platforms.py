"""Names that differ between platforms: packages, units, users, paths. A new family is an entry in `PLATFORMS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.host import timesyncd


@dataclass(frozen=True)
class TimeService:
    """A time service; ``drift`` is the file in which it keeps how fast the clock runs, chrony's keys of NTS beside it.

    ``defaults`` is what its start reads besides its configuration; this, ``logs`` (a directory) and ``leap_seconds``
    (the table of them) are '' where the service has no such thing.
    """

    packages: tuple[str, ...]
    unit: str
    configuration: str
    drift: str
    defaults: str = ""
    logs: str = ""
    leap_seconds: str = ""


@dataclass(frozen=True)
class Platform:
    """One distribution release, ``<ID>-<VERSION_ID>`` of os-release(5).

    ``squid_directory`` holds Squid's own files: what lies there the distribution's AppArmor profile lets Squid read.
    ``firewall_unit`` loads the distribution's own rules, ``sbd_defaults`` is the file that SBD's unit reads, and
    ``other_clock_units`` keep a clock that cannot be read. What systemd, Corosync, Pacemaker, SBD, DRBD and logrotate
    themselves name (``corosync.service``, ``/etc/corosync``, ``/etc/drbd.d``) is the same everywhere and not here.
    """

    squid_unit: str
    squid_user: str
    squid_group: str
    squid_directory: str
    squid_configuration: str
    squid_log_directory: str
    squid_spool: str
    squid_packages: tuple[str, ...]
    time_services: Mapping[str, TimeService]
    rotation_packages: tuple[str, ...]
    mirror_packages: tuple[str, ...]
    filesystem_packages: Mapping[str, tuple[str, ...]]
    pacemaker_packages: tuple[str, ...]
    sbd_packages: tuple[str, ...]
    quiet_units: tuple[str, ...]
    sbd_defaults: str = "/etc/default/sbd"
    other_clock_units: tuple[str, ...] = ("openntpd.service",)
    firewall_unit: str = "nftables.service"
    firewall_packages: tuple[str, ...] = ("nftables",)
    alert_packages: tuple[str, ...] = ("curl",)
    squid_profile: str = "/etc/apparmor.d/local/usr.sbin.squid"
    profile_unit: str = "apparmor.service"
    squid_helpers: str = "/usr/lib/squid"

    @property
    def clock_units(self) -> Mapping[str, str]:
        """Every unit that keeps a clock → the time service by which it can be asked, '' where there is none."""
        known = {service.unit: name for name, service in self.time_services.items()}
        return known | {timesyncd.UNIT: timesyncd.NAME} | dict.fromkeys(self.other_clock_units, "")


_DEBIAN_12 = Platform(
    squid_unit="squid.service",
    squid_user="proxy",
    squid_group="proxy",
    squid_directory="/etc/squid",
    squid_configuration="/etc/squid/squid.conf",
    squid_log_directory="/var/log/squid",
    squid_spool="/var/spool/squid",
    squid_packages=("squid",),
    time_services={
        "chrony": TimeService(
            packages=("chrony",),
            unit="chrony.service",
            configuration="/etc/chrony/chrony.conf",
            drift="/var/lib/chrony/chrony.drift",
            logs="/var/log/chrony",
        ),
        "ntpsec": TimeService(
            packages=("ntpsec",),
            unit="ntpsec.service",
            configuration="/etc/ntpsec/ntp.conf",
            drift="/var/lib/ntpsec/ntp.drift",
            defaults="/etc/default/ntpsec",
            leap_seconds="/usr/share/zoneinfo/leap-seconds.list",
        ),
    },
    rotation_packages=("logrotate",),
    mirror_packages=("drbd-utils", "psmisc"),
    filesystem_packages={"ext3": ("e2fsprogs",), "ext4": ("e2fsprogs",), "xfs": ("xfsprogs",)},
    pacemaker_packages=("corosync", "pacemaker", "pacemaker-cli-utils", "resource-agents"),
    sbd_packages=("sbd", "cluster-glue"),
    quiet_units=(
        "squid.service",
        "chrony.service",
        "corosync.service",
        "pacemaker.service",
        "sbd.service",
        "logd.service",
        "drbd.service",
    ),
)

# Compared package by package with 12: Squid 6, Corosync 3.1.9, Pacemaker 3.0, chrony 4.6, nftables 1.1 keep every name
# that stands in this table; the same goes for stonith:external/sbd, which Debian's Pacemaker 3 still takes.
_DEBIAN_13 = _DEBIAN_12

PLATFORMS: dict[str, Platform] = {"debian-12": _DEBIAN_12, "debian-13": _DEBIAN_13}
