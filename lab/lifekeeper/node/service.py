"""The QSP and Generic Application kits."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.lifekeeper.node import ROOT
from lab.lifekeeper.node.shell import Failed, must, run

HAVE_KITS = ("httpd", "apache2", "postgresql", "mysqld", "mysql", "nfs", "smb", "smbd")
"""Services that LifeKeeper is likely to refuse, because they have kits of their own; the real list is unknown."""
TIMEOUT = 120.0
ACTIONS = f"{ROOT}/subsys/gen/resources/app/actions"
PLACES = {
    "restore": f"{ACTIONS}/!restore",
    "remove": f"{ACTIONS}/!remove",
    "quickCheck": f"{ACTIONS}/!quickCheck",
    "recover": f"{ROOT}/subsys/gen/resources/app/recovery/!recover",
}
"""Where a generic application's scripts are copied to, a file per tag."""


async def running(name: str) -> bool:
    """What `systemctl status` says: 0 when it is healthy."""
    return (await run("systemctl", "--quiet", "is-active", name)).code == 0


async def exists(name: str) -> bool:
    """Whether there is such a unit."""
    return (await run("systemctl", "cat", name)).code == 0


async def start(kit: dict[str, str]) -> None:
    """Start the unit. Raises `Failed`."""
    await must("systemctl", "start", kit["service"], seconds=TIMEOUT)


async def stop(kit: dict[str, str]) -> None:
    """Stop the unit. Raises `Failed`."""
    await must("systemctl", "stop", kit["service"], seconds=TIMEOUT)


async def recover(kit: dict[str, str]) -> None:
    """Restart the unit. Raises `Failed`."""
    await must("systemctl", "restart", kit["service"], seconds=TIMEOUT)


def script(tag: str, action: str) -> Path:
    """Where an action's script is. A tag that looks like a path becomes one name."""
    return Path(PLACES[action]) / tag.replace("/", "_")


def install_scripts(tag: str, sources: dict[str, str]) -> None:
    """Copy the scripts of an application. Raises `Failed` when one is missing."""
    for action, source in sources.items():
        if not Path(source).is_file():
            raise Failed(5, f"the {action} script {source} is not there")
    for action, source in sources.items():
        target = script(tag, action)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755)


def read_scripts(tag: str) -> dict[str, str]:
    """The scripts' texts by action, to be written on another system."""
    return {action: script(tag, action).read_text() for action in PLACES if script(tag, action).exists()}


def write_scripts(tag: str, texts: dict[str, str]) -> None:
    """Write scripts that came from another system."""
    for action, text in texts.items():
        target = script(tag, action)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)


def remove_scripts(tag: str) -> None:
    """Nothing is left of an application's scripts."""
    for action in PLACES:
        script(tag, action).unlink(missing_ok=True)


async def act(tag: str, identifier: str, action: str) -> None:
    """Run an application's script with its tag and id, as kits are called. Raises `Failed`."""
    await must(str(script(tag, action)), "-t", tag, "-i", identifier, seconds=TIMEOUT)


async def check(tag: str, identifier: str) -> bool:
    """An application's quickCheck; without one it counts as well."""
    own = script(tag, "quickCheck")
    return not own.exists() or (await run(str(own), "-t", tag, "-i", identifier)).code == 0
