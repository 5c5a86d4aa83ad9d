"""The media that nodes install the stand-in from: a folder with `setup`, as the product's image has, and a licence.

    await provide("qsp-a")              # the lab puts it onto a node: /root/sps
    make(Path("/tmp/sps"))              # or make it anywhere

`setup` asks nothing. It needs python3 and perl; on a machine that can have mirrors it installs mdadm, nbd-client and
nbd-server from the node's own package source, where the real product would bring a kernel module and programs of its
own.
"""

from __future__ import annotations

import base64
import io
import shutil
import tarfile
import tempfile
from pathlib import Path

from lab.lifekeeper.node import ROOT, VERSION
from lab.shell import shell
from providers.lifekeeper import grammar

MEDIA = "/root/sps"
LICENCE = "/root/sps/evaluation.lic"
HERE = Path(__file__).parent
_PLAIN = Path(grammar.__file__).parent / "plain"
_CARRIED = {
    "lab/lifekeeper/node": HERE / "node",
    "providers/lifekeeper/grammar/plain": _PLAIN,
}
_LICENCE = """\
# A licence for the squid-ha lab's stand-in; it is none for SIOS LifeKeeper.
FEATURE lklc stand-in 1.0 permanent
"""


def make(folder: Path) -> None:
    """Write the media into a new folder."""
    files = folder / "files"
    for name, source in _CARRIED.items():
        shutil.copytree(source, files / name, ignore=shutil.ignore_patterns("__pycache__"))
        for above in Path(name).parents:
            if above != Path():
                (files / above / "__init__.py").touch()
    shutil.copy(HERE / "front.pl", files / "front.pl")
    (files / "grammar.json").write_text(grammar.exported(), encoding="utf-8")
    (folder / "programs").write_text("".join(f"{name}\n" for name in programs()))
    shutil.copy(HERE / "setup", folder / "setup")
    shutil.copy(HERE / "lifekeeper.service", folder / "lifekeeper.service")
    (folder / "setup").chmod(0o755)
    (folder / "VERSION").write_text(f"LifeKeeper {VERSION}\n")
    (folder / "evaluation.lic").write_text(_LICENCE)


def programs() -> list[str]:
    """Every program of the grammar below the product's root; a kit's canextend for each of its types."""
    known = grammar.load()
    kits = [(each.app, each.type) for each in known.resources.values()]
    found: list[str] = []
    for each in known.commands:
        if each.program.startswith("{"):
            continue
        found += (
            [each.program.format(app=app, type=kind) for app, kind in kits] if "{" in each.program else [each.program]
        )
    return list(dict.fromkeys(found))


def packed() -> bytes:
    """The media as a tar archive of a folder's content."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sps"
        make(folder)
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            archive.add(folder, arcname=".")
        return stream.getvalue()


async def ensure(host: str) -> None:
    """Put the media onto a host that has none. Raises `LabError`."""
    async with shell(host) as connection:
        there = (await connection.run(f"sudo -n test -e {MEDIA}/setup")).code == 0
    if not there:
        await provide(host)


async def provide(host: str, media: str = MEDIA) -> None:
    """Put the media onto a host of the lab. Raises `LabError`."""
    text = base64.b64encode(packed()).decode()
    async with shell(host) as connection:
        await connection.sudo(
            f"rm -rf {media}\nmkdir -p {media}\nbase64 -d <<'END' | tar -xz --no-same-owner -C {media}\n{text}\nEND\n"
        )


__all__ = ["LICENCE", "MEDIA", "ROOT", "ensure", "make", "packed", "programs", "provide"]
