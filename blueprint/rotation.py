"""The rotation of what Squid writes to the mirror: its logrotate file, service and timer on every node."""

from __future__ import annotations

from blueprint import names, paths
from blueprint.logs import squid_logs
from blueprint.nodes import present
from blueprint.parts import PROXY
from blueprint.platforms import PLATFORMS
from blueprint.render import rotation
from blueprint.thing import Thing
from declaration.rotation import Rotation
from declaration.site import Site
from providers.host import settings_kind
from providers.host.settings import FileState, NodeSettings, UnitState


def mirror_logs(site: Site) -> tuple[str, ...]:
    """The logs of a site that lie on its mirror, each once; none without a mirror."""
    if site.mirror is None:
        return ()
    logs = squid_logs(site)
    below = f"{site.mirror.mount_point}/"
    return tuple(dict.fromkeys(path for path in (*(log.path for log in logs.access), logs.cache_log)
                               if path.startswith(below)))  # fmt: skip


def rendered(site: Site, owner: str) -> rotation.Rotation:
    """What the files of the rotation are rendered from. Raises `ValueError` for a site without a mirror."""
    if site.mirror is None:
        raise ValueError("a rotation of the mirror's log needs a mirror")
    declared = site.rotation or Rotation()
    suffix = declared.date_suffix
    return rotation.Rotation(
        site=owner,
        mount_point=site.mirror.mount_point,
        logs=mirror_logs(site),
        state=paths.rotation_state(site.mirror.mount_point),
        configuration=paths.ROTATION_CONFIGURATION,
        unit=PLATFORMS[site.platform].squid_unit,
        schedule=declared.schedule,
        keep=declared.keep,
        compress=declared.compress,
        date_format=suffix if isinstance(suffix, str) else rotation.DATE_FORMAT if suffix else None,
        size=declared.size,
        max_size=declared.max_size,
        min_size=declared.min_size,
    )


def thing(site: Site, owner: str) -> Thing:
    """The rotation on all nodes; the timer asks on each, and the state on the mirror answers."""
    wanted = rendered(site, owner)
    timer = f"{paths.UNIT_DIRECTORY}/{paths.ROTATION_TIMER}"
    settings = NodeSettings(
        directories={paths.CONFIGURATION_DIRECTORY: "0755 root:root"},
        files={
            paths.ROTATION_CONFIGURATION: _file(rotation.logrotate(wanted)),
            f"{paths.UNIT_DIRECTORY}/{paths.ROTATION_SERVICE}": _file(rotation.service(wanted)),
            timer: _file(rotation.timer()),
        },
        units={paths.ROTATION_TIMER: UnitState(enabled="enabled", active="active", restart_on=[timer])},
    )
    inputs = settings_kind.Wanted(nodes=dict.fromkeys(present(site), settings))
    return Thing(names.ROTATION, "host.settings", inputs, PROXY, (names.PACKAGES, names.FILESYSTEM))


def _file(content: str) -> FileState:
    return FileState(content=content, mode="0644", owner="root:root")
