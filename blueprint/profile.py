"""What Squid needs beyond the distribution's AppArmor profile, so that a site with that profile switched on works.

Debian brings the profile and switches it off when Squid is first installed (a link in /etc/apparmor.d/disable, made
by the package's preinst; the same in 12 and 13). Whether it is on stays the administrator's decision; where there is no
AppArmor at all (containers), the file lies there and means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from blueprint import names, paths
from blueprint.logs import mirror_files, mirror_folder
from blueprint.nodes import present
from blueprint.parts import PROXY
from blueprint.platforms import PLATFORMS
from blueprint.render import apparmor
from blueprint.render.apparmor import Permission
from blueprint.thing import Thing
from declaration.site import Site
from providers.host import settings_kind
from providers.host.settings import FileState, NodeSettings, UnitState

_CHECKED = "/run/squid-ha-check.*/"
"""Where a new configuration lies while Squid says whether it takes it (`providers.squid.config`)."""


def thing(site: Site, owner: str) -> Thing:
    """The local part of the profile; loaded anew where AppArmor runs, and before Squid reads what needs it."""
    platform = PLATFORMS[site.platform]
    path = platform.squid_profile
    text = apparmor.render(owner, list(allowed(site)))
    settings = NodeSettings(
        directories={path.rpartition("/")[0]: "0755 root:root"},
        files={path: FileState(content=text, mode="0644", owner="root:root")},
        units={platform.profile_unit: UnitState(reload_on=[path])},
    )
    inputs = settings_kind.Wanted(nodes=dict.fromkeys(present(site), settings))
    return Thing(names.SQUID_PROFILE, "host.settings", inputs, PROXY, (names.PACKAGES, names.FILESYSTEM))


def allowed(site: Site) -> Iterator[tuple[str, Permission]]:
    """Paths beyond those of the profile, and what Squid does with them."""
    yield _CHECKED, "r"
    yield f"{_CHECKED}new", "r"
    distributions = f"{PLATFORMS[site.platform].squid_directory}/"
    for pattern in site.squid.include:
        if not pattern.startswith(distributions):
            yield pattern, "r"
    auth = site.squid.auth
    if auth is not None and auth.kerberos is not None:
        yield auth.kerberos.keytab, "r"
        # krb5.conf(5): tickets that were seen, kept by the helper, which runs under Squid's profile.
        yield "/var/tmp/krb5_*.rcache2", "rwk"  # noqa: S108
    if site.mirror is not None:
        yield from _on_mirror(site, site.mirror.mount_point)


def _on_mirror(site: Site, mount_point: str) -> Iterator[tuple[str, Permission]]:
    if mirror_files(site):
        yield f"{mirror_folder(site)}/", "r"
        yield f"{mirror_folder(site)}/**", "rw"
    cache = site.squid.cache
    if cache is not None and cache.disk is not None and cache.disk.where == "mirror":
        yield f"{mount_point}/{paths.CACHE_DIRECTORY}/", "r"
        yield f"{mount_point}/{paths.CACHE_DIRECTORY}/**", "rwk"
