"""A site as a tree of Pulumi components: the site, its parts, and in each part its things."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from blueprint.parts import PARTS
from blueprint.thing import Thing
from providers import binding


class Part(pulumi.ComponentResource):
    """One part of a site (hosts, proxy, volume, engine, tree): a heading under which its things appear."""

    def __init__(self, part: str, parent: pulumi.Resource) -> None:
        super().__init__(f"squid-ha:site:{PARTS[part]}", part, {}, pulumi.ResourceOptions(parent=parent))


class SquidSite(pulumi.ComponentResource):
    """A highly available Squid proxy: everything that the blueprint lists for one site.

    ``owner`` is ``project/stack``; together with a thing's name it is the thing's identity on the nodes.
    """

    def __init__(self, name: str, things: Sequence[Thing], owner: str) -> None:
        super().__init__("squid-ha:site:SquidSite", name, {})
        self._owner = owner
        self._parts: dict[str, Part] = {}
        self._made: dict[str, pulumi.Resource] = {}
        for thing in things:
            self._made[thing.name] = self._declare(thing)
        self.register_outputs({})

    def _part(self, part: str) -> Part:
        if part not in self._parts:
            self._parts[part] = Part(part, parent=self)
        return self._parts[part]

    def _declare(self, thing: Thing) -> pulumi.Resource:
        options = pulumi.ResourceOptions(
            parent=self._part(thing.part), depends_on=[self._made[name] for name in thing.after]
        )
        identity = f"{self._owner}/{thing.name}"
        return binding.resource(thing.name, thing.kind, thing.inputs, identity, options)
