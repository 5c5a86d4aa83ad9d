"""Hooks: names, places that exist, and what pulumi-command cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.hooks import ACTIVE
from declaration.rules.registry import rule
from declaration.rules.repeats import repeated
from declaration.rules.seconds import whole_seconds

if TYPE_CHECKING:
    from declaration.site import Site


@rule("hooks")
def hooks_differ(site: Site) -> Iterator[Mistake]:
    """A name is a resource's name."""
    seen: dict[str, int] = {}
    for index, hook in enumerate(site.hooks):
        first = seen.setdefault(hook.name, index)
        if first != index:
            yield Mistake(f"hooks[{index}].name", hook.name, f"a name that differs from that of hooks[{first}]")


@rule("hooks")
def hooks_make_sense(site: Site) -> Iterator[Mistake]:
    """Settings without an effect would be taken for ones that have one."""
    for index, hook in enumerate(site.hooks):
        path = f"hooks[{index}]"
        if hook.when == "before-destroy" and hook.triggers:
            yield Mistake(f"{path}.triggers", "a list", "no triggers: a hook before the destruction runs only once")
        if hook.sudo and not hook.is_remote:
            yield Mistake(
                f"{path}.sudo", "true", "no `sudo` for a local command; write it into `command` if it is meant"
            )
        yield from whole_seconds(f"{path}.timeout", hook.timeout)
        yield from repeated(f"{path}.triggers", hook.triggers)


@rule("hooks", "nodes", "virtual_ip")
def hooks_run_somewhere(site: Site) -> Iterator[Mistake]:
    """A place that the site has."""
    names = [node.name for node in site.nodes]
    for index, hook in enumerate(site.hooks):
        path = f"hooks[{index}].where"
        if hook.where == ACTIVE and site.virtual_ip is None:
            yield Mistake(path, hook.where, f"`{names[0]}` or `local`: without a virtual IP no node is the active one")
        if hook.is_remote and hook.where not in {ACTIVE, *names}:
            yield Mistake(path, hook.where, f"`active`, `local` or a node of this site: {', '.join(names)}")


@rule("hooks", "ssh")
def hooks_get_there(site: Site) -> Iterator[Mistake]:
    """pulumi-command connects by itself or through one SSH host, and starts no program that carries a connection."""
    if site.ssh.proxy_command is None:
        return
    for index, hook in enumerate(site.hooks):
        if hook.is_remote:
            yield Mistake(
                f"hooks[{index}].where",
                hook.where,
                "`local`, because pulumi-command, which runs hooks, knows no `ssh.proxy_command`: use `ssh.proxy_jump`"
                " instead of it, or a local command that goes there by itself (`ssh ...`)",
            )
