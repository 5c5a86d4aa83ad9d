"""The package source of the lab: a flat apt repository with all that a node may install, and nothing else."""

import shutil
from pathlib import Path

from lab.image.commands import run


class Apt:
    """apt-get on an unpacked root, with nothing of this machine's own apt configuration but its proxy.

    `scratch` takes apt's own files; the root is only read.
    """

    def __init__(self, tree: Path, sources: list[str], scratch: Path, log: Path) -> None:
        self._log = log
        self._proxy = run("apt-config", "dump", "Acquire::http::Proxy")
        for folder in ("lists/partial", "archives/partial", "etc"):
            (scratch / folder).mkdir(parents=True)
        self.archives = scratch / "archives"
        listed = scratch / "sources.list"
        listed.write_text("".join(f"{line}\n" for line in sources))
        self._config = scratch / "apt.conf"
        settings = {
            "Dir::Etc": scratch / "etc",
            "Dir::Etc::SourceList": listed,
            "Dir::Etc::Trusted": tree / "etc/apt/trusted.gpg",
            "Dir::Etc::TrustedParts": tree / "etc/apt/trusted.gpg.d",
            "Dir::State": scratch,
            "Dir::State::Lists": scratch / "lists",
            "Dir::State::status": tree / "var/lib/dpkg/status",
            "Dir::Cache": scratch,
            "Dir::Cache::archives": self.archives,
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
            "APT::Get::Assume-Yes": "true",
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
        }
        lines = [f'{name} "{value}";\n' for name, value in settings.items()]
        self._config.write_text("#clear APT::Architectures;\n" + self._proxy + "".join(lines))

    def get(self, *words: str) -> str:
        """Run apt-get with these words."""
        return run("apt-get", *words, env={"APT_CONFIG": str(self._config)}, log=self._log)


def collect(apt: Apt, groups: tuple[tuple[str, ...], ...], target: Path) -> int:
    """Fetch each group with all it needs beyond what the root has; returns how many packages."""
    apt.get("update")
    for group in groups:
        apt.get("install", "--download-only", "--reinstall", *group)
    target.mkdir()
    count = 0
    for package in sorted(apt.archives.glob("*.deb")):
        # apt writes the ':' of an epoch as %3a, which a web server would decode; apt needs none in the name.
        shutil.move(package, target / package.name.replace("%3a", "_"))
        count += 1
    return count


def index(target: Path, log: Path) -> None:
    """Write Packages, Packages.gz and Release of the flat repository in `target`."""
    listing = run("apt-ftparchive", "packages", ".", folder=target)
    (target / "Packages").write_text(listing)
    run("gzip", "--keep", "--no-name", "--force", target / "Packages", log=log)
    release = run(
        "apt-ftparchive", "-o", "APT::FTPArchive::Release::Origin=squid-ha lab", "release", ".", folder=target
    )
    (target / "Release").write_text(release)


def check(apt: Apt, groups: tuple[tuple[str, ...], ...]) -> None:
    """Prove that each group installs from the collected source alone. Raises ImageError with apt's reason."""
    apt.get("update")
    for group in groups:
        apt.get("install", "--simulate", "--reinstall", *group)
