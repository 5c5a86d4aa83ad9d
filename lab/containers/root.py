"""The root file system of a container: the image's tree below, what the container writes above.

What one container wrote can be kept as a layer that others start from: packages are then installed once for all.
"""

import hashlib
from pathlib import Path

from lab.image import Image
from lab.image.nodes import NODES, Identity
from lab.network import Tree

_NSPAWN_RUN = Path("/run/systemd/nspawn")

CHRONY_IN_A_CONTAINER = """\
# There is no namespace for the clock, so a container may not set it; Debian's unit would then skip chrony.
[Unit]
ConditionCapability=
[Service]
ExecStart=
ExecStart=!/usr/sbin/chronyd -x $DAEMON_OPTS
"""

NTPSEC_IN_A_CONTAINER = """\
# As root: ntpd would end when it cannot keep the right to set the clock for its own user.
[Unit]
ConditionCapability=
[Service]
ExecStart=
ExecStart=/bin/sh -c '. /etc/default/ntpsec; exec /usr/sbin/ntpd -p /run/ntpd.pid -c /etc/ntpsec/ntp.conf $NTPD_OPTS'
"""

DROP_INS = {"chrony": CHRONY_IN_A_CONTAINER, "ntpsec": NTPSEC_IN_A_CONTAINER}

_OWN = (
    "etc/machine-id", "etc/hostname", "etc/hosts", "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub",
    "var/lib/systemd/random-seed",
)  # fmt: skip
"""What makes a root that of one host, beside its networks."""


async def mount(identity: Identity, image: Image, tree: Tree, layer: Path | None = None) -> Path:
    """Make the root of a container that has never run, and return where it is mounted.

    With `layer` (see `keep`) it begins with what another one wrote.
    """
    folder = tree.memory / identity.name
    root, upper, work = (folder / part for part in ("root", "upper", "work"))
    for each in (root, upper, work):
        each.mkdir(parents=True)
    lower = f"{layer}:{image.tree}" if layer else str(image.tree)
    layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
    await _hide_other_trees(tree)
    await tree.run("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
    await _give_identity(root, identity, tree)
    for service, text in DROP_INS.items():
        drop_in = root / f"etc/systemd/system/{service}.service.d/lab.conf"
        drop_in.parent.mkdir(exist_ok=True)
        drop_in.write_text(text)
    return root


def host_key(name: str, image: Image, tree: Tree) -> Path:
    """The public host key that a container answers with; there once its root is mounted."""
    return image.host_keys.get(name) or tree.memory / name / "upper/etc/ssh/ssh_host_ed25519_key.pub"


async def unmount(name: str, tree: Tree) -> None:
    """Give back the root and all that was written to it."""
    folder = tree.memory / name
    await tree.run("umount", str(folder / "root"))
    await tree.run("rm", "-r", str(folder))


async def keep(identity: Identity, tree: Tree) -> Path:
    """Give back the root, but for what was written to it: that stays as a layer, without what is this host's own."""
    folder, layer = tree.memory / identity.name, tree.memory / f"{identity.name}.layer"
    await tree.run("umount", str(folder / "root"))
    (folder / "upper").rename(layer)
    await tree.run("rm", "-r", str(folder))
    for own in (*_OWN, *(f"etc/systemd/network/{name}" for name in identity.networks)):
        (layer / own).unlink(missing_ok=True)
    return layer


async def _hide_other_trees(tree: Tree) -> None:
    """systemd-nspawn keeps folders by machine name: let them be the tree's own, and end with it."""
    if not _NSPAWN_RUN.is_mount():
        _NSPAWN_RUN.mkdir(parents=True, exist_ok=True)
        await tree.run("mount", "-t", "tmpfs", "-o", "mode=0755", "lab-nspawn", str(_NSPAWN_RUN))


async def _give_identity(root: Path, identity: Identity, tree: Tree) -> None:
    machine_id = hashlib.sha256(identity.name.encode()).hexdigest()[:32]
    (root / "etc/machine-id").write_text(f"{machine_id}\n")
    if identity in NODES:
        return  # the image has its files, and its first boot puts them in place
    (root / "etc/hostname").write_text(f"{identity.name}\n")
    (root / "etc/hosts").write_text(identity.hosts_file)
    for name, text in identity.networks.items():
        (root / "etc/systemd/network" / name).write_text(text)
    key = root / "etc/ssh/ssh_host_ed25519_key"
    await tree.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{identity.name}", "-f", str(key))
