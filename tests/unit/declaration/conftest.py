"""The declarations that the tests break."""

import copy
import sys
from collections.abc import Callable
from functools import cache

import pytest
import yaml

from declaration import load
from declaration.errors import DeclarationError, Mistake
from declaration.load import read
from operations.stacks import render
from tests.support.editor import complaints, visible

Raw = dict
Break = Callable[[Raw], None]


def settings(phase: int) -> Raw:
    """The site that `squid-ha init` writes for a phase, as plain data."""
    return yaml.safe_load(render("site.yaml.j2", phase=phase, stack="x"))["config"]["squid-ha:site"]


SITES = {phase: settings(phase) for phase in (1, 2, 3)}


@pytest.fixture
def site() -> Raw:
    return copy.deepcopy(SITES[3])


def put(raw: Raw, path: str, value: object) -> None:
    """Set ``a.b[0].c`` in plain data."""
    *way, last = path.replace("[", ".[").split(".")
    here = raw
    for part in way:
        here = here[int(part[1:-1])] if part.startswith("[") else here.setdefault(part, {})
    if last.startswith("["):
        here[int(last[1:-1])] = value
    else:
        here[last] = value


def refused(raw: object) -> list[Mistake]:
    """The mistakes of a declaration that must be refused."""
    with pytest.raises(DeclarationError) as caught:
        read(raw, "test")
    return list(caught.value.mistakes)


def told(raw: object, path: str, sentence: str, *, below: bool = False) -> bool:
    """Whether a declaration is refused with this sentence at this setting, or at one ``below`` it; shows all if not."""
    mistakes = refused(raw)
    fits = [m for m in mistakes if m.path == path or (below and m.path.startswith(path))]
    assert [m for m in fits if sentence in m.expected], "\n".join(m.render() for m in mistakes)
    return True


def changed(phase: int, changes: dict[str, object]) -> Raw:
    """The site of a phase with some settings put."""
    site = copy.deepcopy(SITES[phase])
    for path, value in changes.items():
        put(site, path, value)
    return site


_REACHING = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.exec", "os.system")
_watches: list[list[str]] = []


def _audit(event: str, arguments: object) -> None:
    if _watches and event in _REACHING:
        _watches[-1].append(f"{event} {arguments}")


@cache
def _listen() -> None:
    """For good, because Python forgets no such hook; it is asked at every `id()`, so only where it is needed."""
    sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def no_host_is_reached(request: pytest.FixtureRequest):
    """Neither a connection nor a program is started while a wrong declaration is read."""
    if not request.path.name.startswith("test_wrong"):
        yield
        return
    _listen()
    _watches.append([])
    yield
    assert _watches.pop() == []


@pytest.fixture(autouse=True)
def editors_agree(monkeypatch: pytest.MonkeyPatch):
    """What a test's declarations are taken for, right or wrong, the schema of stack files takes them for as well."""
    judge = load._mistakes

    def judged(raw: Raw) -> list[Mistake]:
        found = judge(raw)
        marked = complaints(raw)
        assert found or not marked, f"right, but marked in an editor: {marked}"
        assert marked or not visible(raw), f"wrong, but not marked in an editor: {visible(raw)}"
        return found

    monkeypatch.setattr(load, "_mistakes", judged)
