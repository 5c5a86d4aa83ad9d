"""Whether what the site needs is installed or can be, and whether its package sources answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from blueprint.site import things
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, command, script
from providers.host.packages import Wanted

NAME = "packages"

# Host and port of each source, or of the proxy that apt goes through. bash is essential in Debian, and asks without
# sending a word.
_SOURCES = r"""
proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)
sources() { apt-get --print-uris update 2>/dev/null | sed -n "s/^'\([a-z]*:\/\/[^/']*\).*/\1/p" | sort -u; }
for url in ${proxy:-$(sources)}; do
  case $url in http://*) port=80;; https://*) port=443;; *) continue;; esac
  place=${url#*://}; place=${place%%/*}; place=${place##*@}; shown=$place
  case $place in *:*) port=${place##*:}; place=${place%:*};; esac
  if timeout 5 bash -c '</dev/tcp/$0/$1' "$place" "$port" 2>/dev/null; then answers=yes; else answers=no; fi
  # Without the name and password that may stand before the host.
  echo "$answers ${url%%://*}://$shown"
done
"""
_LISTS = "ls /var/lib/apt/lists 2>/dev/null | grep -c Packages"
_NONE = "(none)"
_SOURCE = re.compile(r"^ +-?\d+ ([a-z]+://[^/\s]+)", re.MULTILINE)
_POLICY = re.compile(r"^(\S+):\n  Installed: (.*)\n  Candidate: (.*)$", re.MULTILINE)


def commands(site: Site, node: Node) -> Sequence[Command]:
    """The versions there are, and the sources."""
    names = [name for thing in things(site, "doctor/doctor") if isinstance(thing.inputs, Wanted)
             for name in thing.inputs.nodes.get(node.name, {})]  # fmt: skip
    return [
        command("apt-cache", "policy", *names, reads=True, label="apt-cache policy"),
        script(_SOURCES, timeout=60, reads=True, label="ask the package sources"),
        script(_LISTS, reads=True, label="look for package lists"),
    ]


def judge(asked: Asked) -> Iterator[Finding]:
    """Other versions than on the other node are told once."""
    found = _policy(asked.out[0])
    if asked.results[0].exit_code != 0:
        yield asked.problem(NAME, "apt-cache does not work there", "this site's platform installs by apt")
        return
    wanted = [name for thing in asked.things if isinstance(thing.inputs, Wanted)
              for name in thing.inputs.nodes.get(asked.node.name, {})]  # fmt: skip
    yield from _other_versions(asked, {name: found[name][0] for name in wanted if name in found})
    missing = [name for name in wanted if found.get(name, (_NONE, _NONE))[0] == _NONE]
    unknown = [name for name in missing if found.get(name, ("", _NONE))[1] == _NONE]
    if missing:
        yield from _sources(asked, missing, unknown)
    else:
        yield asked.ok(NAME, f"all {len(wanted)} packages are installed")


def _sources(asked: Asked, missing: Sequence[str], unknown: Sequence[str]) -> Iterator[Finding]:
    """Whether what is missing can be had; ``unknown`` is what no list of packages has."""
    answers = [line.partition(" ")[::2] for line in asked.out[1].splitlines()]
    dead = [url for answer, url in answers if answer == "no"]
    whence = _whence(asked.out[0], missing)
    silent = dead if unknown or len(dead) == len(answers) else [url for url in dead if url.rstrip("/") in whence]
    if silent:
        yield asked.problem(
            NAME,
            f"{len(missing)} packages have to be installed, and these sources do not answer: {', '.join(silent)}",
            "correct /etc/apt/sources.list, or the way to them (DNS, proxy, firewall)",
        )
    elif dead:
        yield asked.note(NAME, f"these sources do not answer, and nothing that is to be installed is theirs: "
                               f"{', '.join(dead)}")  # fmt: skip
    if unknown and not silent and asked.out[2].strip() in ("", "0"):
        yield asked.note(
            NAME, "no package lists were fetched yet, and the sources answer; `up` fetches the lists first"
        )
    elif unknown and not silent:
        yield asked.problem(
            NAME,
            f"no source has {', '.join(unknown)}",
            "run `apt-get update` there, and see that its sources have the release's main section",
        )
    elif not silent:
        yield asked.ok(NAME, f"{len(missing)} packages to install, and a source for each")


def _policy(said: str) -> dict[str, tuple[str, str]]:
    """Package → the version that is installed, and that which would be."""
    return {name: (installed, candidate) for name, installed, candidate in _POLICY.findall(said)}


def _whence(said: str, names: Sequence[str]) -> set[str]:
    """Scheme and host of the sources that have these packages, in whichever version."""
    blocks = {block.partition(":")[0]: block for block in re.split(r"^(?=\S)", said, flags=re.MULTILINE)}
    found = (url for name in names for url in _SOURCE.findall(blocks.get(name, "")))
    return {f"{scheme}://{place.rpartition('@')[2]}" for scheme, _, place in (url.partition("://") for url in found)}


def _other_versions(asked: Asked, here: Mapping[str, str]) -> Iterator[Finding]:
    """In the middle of an upgrade node by node this is as it should be, so it holds up nothing."""
    for node in asked.site.nodes:
        results = asked.others.get(node.name)
        if not results or node.name < asked.node.name:
            continue
        there = {name: installed for name, (installed, _) in _policy(results[0].stdout).items()}
        apart = [
            f"{name} {version} and {there[name]}"
            for name, version in here.items()
            if _NONE not in (version, there.get(name, _NONE)) and version != there[name]
        ]
        if apart:
            yield asked.note(
                NAME,
                f"{asked.node.name} and {node.name} have other versions of {len(apart)} packages: {', '.join(apart)}",
                "bring both to the same one, the standby node first (docs/runbook.md, OS upgrade)",
            )
