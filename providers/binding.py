"""Binds kinds to Pulumi's dynamic providers; the only module here that knows `pulumi.dynamic`.

The state refers to a provider as ``providers.binding.load(kind)`` (by ``__reduce__``), never to a class, so classes may
move. ``check`` and ``diff`` never open a connection. A thing's properties are its kind's ``Wanted`` on the wire, plus
``identity`` (project/stack/thing) and two outputs: ``facts``, which are never compared, and ``unfinished``, which is
there after a read that found a change begun and never finished, and makes a difference until an update has finished it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import pulumi
from pulumi import dynamic
from pydantic import ValidationError

from providers import reconcile, session, wire
from providers.connection.errors import HostError, Refused, Unforeseen
from providers.contract import Absent, State
from providers.kinds import KINDS, load_kind

IDENTITY = "identity"
FACTS = "facts"
UNFINISHED = "unfinished"

Props = dict[str, Any]
Refusal = Callable[[State, State], "str | None"]
Method = TypeVar("Method", bound=Callable[..., Any])


def _told_to_people(method: Method) -> Method:
    """Without the way by which a host's error came: Pulumi prints all of that before the one sentence that counts."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 as the method has it
        try:
            return method(*args, **kwargs)
        except Unforeseen:
            raise
        except HostError as error:
            raise error.with_traceback(None) from None

    return cast("Method", call)


def _where(error: ValueError) -> str:
    """Which properties an error is about, without what they hold."""
    if not isinstance(error, ValidationError):
        return f": {error}"
    return ": " + ", ".join(".".join(map(str, each["loc"])) for each in error.errors(include_input=False))


class KindProvider(dynamic.ResourceProvider):
    """One kind's create, read, update and delete, in terms of `providers.reconcile`."""

    serialize_as_secret_always = False

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._site: session.SiteAccess | None = None

    def __reduce__(self) -> tuple[Callable[[str], KindProvider], tuple[str]]:
        return load, (self.kind,)

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Keep how to reach the nodes; it never becomes an input of a resource."""
        self._site = session.SiteAccess.from_config(json.loads(req.config.require("site")), secret=req.config.get)

    def check(self, _olds: Props, news: Props) -> dynamic.CheckResult:
        """Whether the inputs are what the kind takes, and may follow the last ones; never opens a connection."""
        try:
            given = self._wanted(news)
            wanted = self._site.sealed(self.kind, given) if self._site else given
        except ValueError as error:
            return dynamic.CheckResult(news, [dynamic.CheckFailure(self.kind, str(error))])
        session.declared(str(news.get(IDENTITY, "")), self.kind, wanted)
        refused = self._renamed(_olds, news) or self._refusal(_olds, wanted)
        inputs = news if wanted == given else {**news, **wire.encode(wanted)}
        return dynamic.CheckResult(inputs, [dynamic.CheckFailure("", refused)] if refused else [])

    @_told_to_people
    def diff(self, _id: str, _olds: Props, _news: Props) -> dynamic.DiffResult:
        """Whether wanted and last known state differ; nothing is ever replaced. Never opens a connection."""
        differs = reconcile.differences(self._wanted(_news), self._recorded(_olds))
        moved = _olds.get(IDENTITY) != _news.get(IDENTITY)
        return dynamic.DiffResult(changes=bool(differs) or moved or UNFINISHED in _olds, delete_before_replace=True)

    @_told_to_people
    def create(self, props: Props) -> dynamic.CreateResult:
        """Make it true, adopting what fits already: with the state lost, this changes nothing on the nodes."""
        return dynamic.CreateResult(id_=props[IDENTITY], outs=self._apply(props))

    @_told_to_people
    def update(self, _id: str, _olds: Props, _news: Props) -> dynamic.UpdateResult:
        """Make only the difference true."""
        return dynamic.UpdateResult(outs=self._apply(_news, previous=self._recorded(_olds)))

    @_told_to_people
    def read(self, id_: str, props: Props) -> dynamic.ReadResult:
        """What is there now, as inputs, so that drift shows as the properties that differ. Unknown raises."""
        wanted = self._recorded(props)
        observed, unfinished = self._access.observe(props[IDENTITY], self.kind, wanted)
        if isinstance(observed, Absent):
            return dynamic.ReadResult("", {})
        inputs = self._props(props[IDENTITY], observed.values)
        outputs = {**inputs, FACTS: dict(observed.facts), **({UNFINISHED: "yes"} if unfinished else {})}
        return dynamic.ReadResult(id_, outputs, inputs)

    @_told_to_people
    def delete(self, _id: str, _props: Props) -> None:
        """Take back what this declaration made."""
        recorded = self._recorded(_props)
        self._access.remove(_props[IDENTITY], self.kind, recorded)

    def _apply(self, props: Props, previous: State | None = None) -> Props:
        present = self._access.apply(props[IDENTITY], self.kind, self._wanted(props), previous)
        return {**self._props(props[IDENTITY], present.values), FACTS: dict(present.facts)}

    @property
    def _access(self) -> session.SiteAccess:
        if self._site is None:
            raise RuntimeError("the provider was used before it was configured; run `pulumi` through this project")
        return self._site

    def _refusal(self, olds: Props, wanted: State) -> str | None:
        judge: Refusal | None = getattr(load_kind(self.kind), "refusal", None)
        try:
            return judge(self._wanted(olds), wanted) if judge and olds else None
        except ValueError:
            # A state of another release that no longer reads as a whole: nothing to compare with.
            return None

    def _renamed(self, olds: Props, news: Props) -> str | None:
        """Why a stack that was renamed changes nothing; the kind that claims nodes says it for all others."""
        was, now = (str(each.get(IDENTITY, "")).rpartition("/")[0] for each in (olds, news))
        claims = getattr(load_kind(self.kind), "CLAIMS", False)
        if not claims or not was or was == now or (self._site and self._site.site.takeover):
            return None
        return (
            f"this stack was {was} when this node was claimed, and is {now} now; the node and all that is noted there "
            f"are {was}'s. Give it that name again ({session.name_again(was, now)}), see docs/state.md"
        )

    def _wanted(self, props: Mapping[str, Any]) -> State:
        inputs = {key: value for key, value in props.items() if key not in (IDENTITY, FACTS, UNFINISHED)}
        return wire.decode(load_kind(self.kind).Wanted, inputs)

    def _recorded(self, props: Props) -> State:
        """What Pulumi's state has of the thing. Raises `Refused` where another version of this program wrote it."""
        try:
            return self._wanted(props)
        except ValueError as error:
            raise Refused(
                f"what the state has of {props.get(IDENTITY)} is not what this version of the program reads"
                f"{_where(error)}",
                remedy="if a newer version has written it, take that one again, or import the state that was exported "
                "before the upgrade (docs/runbook.md, Upgrade of this program); else see docs/state.md",
            ) from None

    @staticmethod
    def _props(identity: str, values: State) -> Props:
        return {IDENTITY: identity, **wire.encode(values)}


def load(kind: str) -> KindProvider:
    """The provider of ``kind``; every state file calls this by name."""
    return KindProvider(kind)


def _resource_class(kind: str) -> type[dynamic.Resource]:
    entry = KINDS[kind]

    class Bound(dynamic.Resource, module=entry.token_module, name=entry.token_name):
        """A thing as a Pulumi resource."""

        identity: pulumi.Output[str]
        facts: pulumi.Output[Any]

    return Bound


RESOURCES: dict[str, type[dynamic.Resource]] = {kind: _resource_class(kind) for kind in KINDS}


def resource(name: str, kind: str, inputs: State, identity: str, opts: pulumi.ResourceOptions) -> dynamic.Resource:
    """Declare one thing. All inputs are known at preview; order comes from ``opts.depends_on`` alone."""
    props: Props = {IDENTITY: identity, FACTS: None, **wire.encode(inputs)}
    return RESOURCES[kind](load(kind), name, props, opts)
