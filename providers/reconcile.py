"""The flow every thing goes through: observe, converge only what differs, verify; or remove. Under one lock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice, zip_longest
from typing import Any, NamedTuple, TypeVar, cast

from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused
from providers.connection.together import both
from providers.contract import PENDING, Absent, Kind, Observed, Present, State
from providers.host.digest import AS_FOUND
from providers.kinds import load_kind
from providers.places import noted_on

W = TypeVar("W", bound=State)

_SHOWN = 200
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Difference(NamedTuple):
    """One property that is not as wanted; ``path`` such as ``nodes.qsp-a.files["/etc/hosts"].mode``."""

    path: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        """For people: of a long text only the first line that differs."""
        return self.shown()

    def shown(self, hide: Callable[[str], str] = str) -> str:
        """The same with every text as ``hide`` makes it, a kind's ``without_passwords``."""
        place, left, right = excerpts(self.wanted, self.found, hide)
        return f"{self.path}: {place}wanted {left}, found {right}"


def differences(wanted: State, live: State) -> list[Difference]:
    """Every property in which ``live`` differs; None and absent are the same, lists are compared as a whole."""
    return _compare("", wanted.model_dump(mode="json"), live.model_dump(mode="json"))


def _compare(path: str, wanted: object, found: object) -> list[Difference]:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        left, right = cast("Mapping[str, object]", wanted), cast("Mapping[str, object]", found)
        keys = [*left, *(key for key in right if key not in left)]
        return [each for key in keys for each in _compare(join(path, key), left.get(key), right.get(key))]
    return [] if wanted == found else [Difference(path, wanted, found)]


def join(path: str, key: str) -> str:
    """The path of ``key`` below ``path``, as `Difference` has it."""
    if not _PLAIN.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


async def apply(kind: str | Kind[W], cluster: Cluster, wanted: W, *, previous: W | None = None) -> Present[W]:
    """Make ``wanted`` true and return what is then there; writes nothing and takes no lock where it is true already.

    ``previous`` is what was applied before: where it differs from ``wanted``, converge is called even if nothing seems
    to differ, so that what the new declaration no longer names can be taken back; likewise where an earlier run was
    cut off with something pending. Raises `NotVerified`.
    """
    seen, pending = await look(kind, cluster, wanted)
    return await settle(kind, cluster, wanted, seen, previous=previous, again=pending)


async def settle(
    kind: str | Kind[W],
    cluster: Cluster,
    wanted: W,
    seen: Observed[W],
    *,
    previous: W | None = None,
    again: bool = False,
) -> Present[W]:
    """`apply` after the `look`, which has ``seen`` this: that very object comes back where there is nothing to do.

    ``again``: converge is called even if nothing seems to differ.
    """
    module = _module(kind)
    same = not again and (previous is None or not differences(wanted, previous))
    if isinstance(seen, Present) and same and not differences(wanted, seen.values):
        return seen
    if isinstance(seen, Present):
        _refuse_unknown_content(module, wanted, seen.values)
    await cluster.hold()
    await module.converge(cluster, wanted, seen)
    return _verified(module, cluster, wanted, await module.observe(cluster, wanted))


async def look(kind: str | Kind[W], cluster: Cluster, wanted: W) -> tuple[Observed[W], bool]:
    """What is there, and whether a change of it was begun and never finished."""
    return await both(_module(kind).observe(cluster, wanted), _is_pending(cluster, wanted))


async def remove(kind: str | Kind[W], cluster: Cluster, wanted: W) -> None:
    """Take back what this declaration made, under the cluster's lock. What to forget is the kind's to say."""
    await cluster.hold()
    await _module(kind).remove(cluster, wanted)


def sealed(kind: str | Kind[W], wanted: W, secret: Callable[[str], str | None]) -> W:
    """``wanted`` with digests where it names secrets, for a kind that has any. Raises `ValueError`."""
    seal = getattr(_module(kind), "sealed", None)
    return seal(wanted, secret) if seal else wanted


def _module(kind: str | Kind[W]) -> Kind[W]:
    return load_kind(kind) if isinstance(kind, str) else kind


async def _is_pending(cluster: Cluster, wanted: State) -> bool:
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), noted_on(cluster, wanted))
    return any(map(is_begun, entries.values()))


def is_begun(names: Iterable[str]) -> bool:
    """Whether a change of a thing was begun and never finished, by the names in its journal on one node."""
    return any(name.startswith(PENDING) for name in names)


def _refuse_unknown_content(module: Kind[W], wanted: W, live: W) -> None:
    """What is left as it was found can be compared, and not be brought back; a kind says more of it by `as_found`."""
    kept = [each for each in differences(wanted, live) if str(each.wanted).startswith(AS_FOUND)]
    if not kept:
        return
    say = getattr(module, "as_found", None)
    what, remedy = say(wanted, kept) if say else (", ".join(each.path for each in kept), _FILES)
    raise Refused(
        f"{what}: adopted as it was found, and changed since; nobody here knows the old content", remedy=remedy
    )


_FILES = "bring it back there, or take it out of `adopted.files` to have this program write the file"


def hidden_by(module: Kind[Any]) -> Callable[[str], str]:
    """What takes passwords out of the texts of a kind; of one whose texts have none it leaves them as they are."""
    return getattr(module, "without_passwords", str)


def _verified(module: Kind[W], cluster: Cluster, wanted: W, observed: Observed[W]) -> Present[W]:
    what = cluster.thing or "this thing"
    if isinstance(observed, Absent):
        raise NotVerified(f"{what} was made, but it is not there")
    left = differences(wanted, observed.values)
    if left:
        lines = "\n".join(f"    {each.shown(hidden_by(module))}" for each in left)
        raise NotVerified(
            f"{what} was changed, but does not read back as wanted:\n{lines}",
            remedy="something else on the node changes it too, or it does not accept the value; look there, run again",
        )
    return observed


def excerpts(wanted: object, found: object, hide: Callable[[str], str] = str) -> tuple[str, str, str]:
    """Both for people, shortened; of long texts only the first line that differs, and which one that is.

    ``hide`` leaves a text's lines where they are; which one differs is told by what is hidden too.
    """
    shown = [hide(each) if isinstance(each, str) else each for each in (wanted, found)]
    if not (isinstance(wanted, str) and isinstance(found, str) and "\n" in wanted + found):
        return "", _short(shown[0]), _short(shown[1])
    pairs = zip_longest(*(each.splitlines(keepends=True) for each in (wanted, found)), fillvalue="")
    line = next((number for number, (left, right) in enumerate(pairs) if left != right), 0)
    left, right = (_line(str(each), line) for each in shown)
    return f"line {line + 1}: ", _short(left), _short(right)


def _line(text: str, number: int) -> str:
    return next(islice(text.splitlines(keepends=True), number, None), "")


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
