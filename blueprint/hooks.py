"""The site's hooks as data: which commands run where, with what on standard input. Pure; Pulumi comes in later.

A command on a node is one constant script. The hook's command line, the virtual IP and the limits reach it as
arguments, variables by standard input: neither depends on what the SSH server accepts, and no secret stands in a
command line or in an error message of pulumi-command, which repeats the command.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from blueprint import names
from declaration.hooks import ACTIVE, Hook
from declaration.site import Site

SETTLE = 60
"""Seconds that a hook for the active node waits while the virtual IP is on no node."""

MARK = "squid-ha-hook"
"""Ends what sudo may read of standard input: sudo reads its password's line only where it asks for one."""

# $1: the virtual IP or '', $2: how long to wait for it, $3: limit, $4: the hook's own command line.
SCRIPT = f"""\
while IFS= read -r line && [ "$line" != {MARK} ]; do :; done
variables=$(cat)
here() (PATH=$PATH:/usr/sbin:/sbin; ip -o address show to "$1" | grep -q .)
answers() (PATH=$PATH:/usr/sbin:/sbin; ping -n -c 1 -W 1 "$1" >/dev/null 2>&1)
waited=0
while [ -n "$1" ] && ! here "$1"; do
  if answers "$1"; then echo "not run: this node is not the active one"; exit 0; fi
  if [ "$waited" -ge "$2" ]; then
    echo "the virtual IP $1 is not on this node and does not answer from the other one: see squid-ha status" >&2
    exit 75
  fi
  waited=$((waited + 1))
  sleep 1
done
set -a
eval "$variables"
set +a
exec timeout -k 5 "$3" sh -c "$4" </dev/null
"""


@dataclass(frozen=True)
class LocalRun:
    """A hook that runs where Pulumi runs."""

    resource: str
    hook: Hook


@dataclass(frozen=True)
class RemoteRun:
    """A hook on one node. Not ``runs``: the node is away, so that the resource stays and does nothing."""

    resource: str
    hook: Hook
    node: str
    line: str
    runs: bool


Run = LocalRun | RemoteRun


def runs(site: Site) -> list[Run]:
    """Every run of every hook. One for the active node is asked of both nodes: only they know which of them it is."""
    made: list[Run] = []
    for hook in site.hooks:
        if not hook.is_remote:
            made.append(LocalRun(resource_name(hook), hook))
            continue
        for role, node in zip(names.NODES, site.nodes, strict=False):
            if hook.where in {ACTIVE, node.name}:
                name = f"{resource_name(hook)}-{role}" if hook.where == ACTIVE else resource_name(hook)
                made.append(RemoteRun(name, hook, node.name, _line(site, hook), not node.away))
    return made


def resource_name(hook: Hook) -> str:
    """The hook's name in every state; those for the active node are followed by the node's role."""
    return f"hook-{hook.name}"


def standard_input(variables: Mapping[str, str], sudo_password: str | None = None) -> str:
    """What `SCRIPT` reads: sudo's password if there is one, the mark, and assignments for a shell.

    Raises `ValueError` for a value with a NUL, which no variable can hold.
    """
    if any("\0" in value for value in variables.values()):
        raise ValueError("a variable of a hook holds a NUL character")
    assignments = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*([] if sudo_password is None else [sudo_password]), MARK, *assignments, ""])


def _line(site: Site, hook: Hook) -> str:
    virtual_ip = str(site.virtual_ip) if hook.where == ACTIVE else ""
    arguments = [virtual_ip, str(SETTLE), str(hook.timeout.whole_seconds), hook.command]
    return shlex.join([*_sudo(site, hook), "sh", "-c", SCRIPT, "sh", *arguments])


def _sudo(site: Site, hook: Hook) -> list[str]:
    if not hook.sudo or site.ssh.user == "root":
        return []
    return ["sudo", "-k", "-n"] if site.ssh.sudo_password is None else ["sudo", "-k", "-S", "-p", ""]
