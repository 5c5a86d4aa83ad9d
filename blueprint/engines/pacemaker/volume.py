"""The replicated volume by DRBD and its filesystem, made before anything manages them."""

from __future__ import annotations

from blueprint import durability, names, on_mirror, paths
from blueprint.engines.pacemaker.alerts import split_brain_handler
from blueprint.engines.pacemaker.cluster import sbd_of
from blueprint.nodes import mirror_devices, present
from blueprint.parts import VOLUME
from blueprint.thing import Thing
from declaration.mirror import PEER_TIMEOUT_STEP, Mirror
from declaration.quantities import Duration
from declaration.site import Site
from providers.host.settings import FileState, NodeSettings
from providers.storage import filesystem, mirror, resource_file


def things(site: Site) -> list[Thing]:
    """Nothing for a site without a mirror."""
    if site.mirror is None:
        return []
    return [_mirror(site, site.mirror), _filesystem(site, site.mirror)]


def _mirror(site: Site, declared: Mirror) -> Thing:
    halves = {name: _half(site, declared) for name in present(site)}
    inputs = mirror.Wanted(
        resource=paths.MIRROR_RESOURCE,
        volume=paths.MIRROR_VOLUME,
        device=declared.device,
        devices=mirror_devices(site, declared),
        on_remove=declared.on_remove,
        filesystem=declared.filesystem if declared.on_remove == "wipe" else None,
        label=declared.label if declared.on_remove == "wipe" else None,
        connected="yes" if len(present(site)) > 1 else "no",
        nodes=halves,
    )
    return Thing(
        names.MIRROR, "storage.mirror", inputs, VOLUME, (names.PACKAGES, names.NAMES, names.FIREWALL, names.ALERTS)
    )


def _half(site: Site, declared: Mirror) -> mirror.NodeMirror:
    text = resource_file.render(
        resource_file.ResourceFile(
            resource=paths.MIRROR_RESOURCE,
            volume=paths.MIRROR_VOLUME,
            device=declared.device,
            port=str(declared.port),
            hosts=[
                resource_file.ResourceHost(
                    name=node.name, address=node.replication_address, device=declared.device_on(node)
                )
                for node in site.nodes
                if node.replication_address
            ],
            fencing=sbd_of(site) is not None,
            ko_count=str(declared.failure.peer_timeout.milliseconds // (PEER_TIMEOUT_STEP * 1000)),
            on_io_error=declared.failure.on_error,
            disk_timeout=_tenths(declared.failure.disk_timeout),
            split_brain=split_brain_handler(site),
        )
    )
    return mirror.NodeMirror(
        settings=NodeSettings(
            files={
                paths.MIRROR_CONFIGURATION: FileState(content=text, mode="0600", owner="root:root"),
                paths.MIRROR_MODULE: FileState(content="drbd\n", mode="0644", owner="root:root"),
            }
        )
    )


def _tenths(duration: Duration | None) -> str | None:
    return None if duration is None else str(duration.milliseconds // 100)


def _filesystem(site: Site, declared: Mirror) -> Thing:
    inputs = filesystem.Wanted(
        resource=paths.MIRROR_RESOURCE,
        volume=paths.MIRROR_VOLUME,
        type=declared.filesystem,
        label=declared.label,
        mount_point=declared.mount_point,
        mount_points=dict.fromkeys(present(site), "0000 root:root i"),
        directories=on_mirror.directories(site),
        files=on_mirror.files(site),
        options=durability.options(declared),
    )
    return Thing(names.FILESYSTEM, "storage.filesystem", inputs, VOLUME, (names.MIRROR,))
