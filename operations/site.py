"""A declared site by the name of its stack, and its cluster: what every command that contacts hosts begins with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from declaration.load import from_stack_file
from declaration.site import Site
from operations.project import existing_stack_file, project_root
from operations.secrets import secrets_of
from operations.trouble import StackTrouble
from providers.connection.cluster import Cluster
from providers.connection.loop import run_sync
from providers.session import SiteAccess

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that a node is tried: who asks wants to know that it does not answer, not to wait for its boot."""


@dataclass(frozen=True)
class Hosts:
    """A site and the way to its hosts. ``owner`` is ``project/stack``, as on the nodes."""

    stack: str
    owner: str
    site: Site
    access: SiteAccess

    def cluster(self, progress: Callable[[str], None] = print) -> Cluster:
        """The site's cluster; connections are opened on first use and shared."""
        return self.access.cluster(self.owner, progress=progress)

    def everybody(self, progress: Callable[[str], None] = print) -> Cluster:
        """The cluster with the nodes that are declared away too: for asking whether they really are off."""
        return self.access.with_everybody().cluster(self.owner, progress=progress)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine over the cluster where its connections live."""
        return run_sync(work)


def hosts_of(stack: str) -> Hosts:
    """The site of a stack, from its stack file as it is now; contacts no host yet.

    Raises `DeclarationError` for a wrong declaration, `Misused` when there is no such stack, `StackTrouble` when a
    secret is missing.
    """
    site = from_stack_file(existing_stack_file(stack))
    try:
        access = SiteAccess(site, secrets_of(stack), PATIENCE)
    except ValueError as error:
        raise StackTrouble(f"stack `{stack}`: {error}") from None
    return Hosts(stack, f"{project()}/{stack}", site, access)


def project() -> str:
    """The name of the Pulumi project."""
    text = (project_root() / "Pulumi.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["name"]
