"""The scenarios: a module each, found by the folder. The name of a scenario is its module's, with `-` for `_`.

A module has a docstring whose first line is its title, and

- ``PLANNED``: whether it does only what an operator does on any day, so that a production site may be asked for it;
- ``lacks(view)``: why it cannot be done on this site or with what is at hand; empty if it can;
- ``tools(view)`` (optional): commands that have to be on the nodes for it, each with the package that it is in;
- ``may_lose(site)`` (optional): seconds of records before a crash that may be missing, ``inf``: all while it is broken;
- ``local_suffices(site)`` (optional): whether, while it is broken, a record in a node's local log will do;
- ``sender(view)`` (optional): the node that requests come from where there is no other place; else the standby, which
  is disturbed the least;
- ``steps(view)``: the generator of its steps.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from declaration.site import Site
from operations.drill.steps import Steps, View


@dataclass(frozen=True)
class Scenario:
    """One scenario, see above."""

    name: str
    title: str
    planned: bool
    lacks: Callable[[View], str]
    tools: Callable[[View], Mapping[str, str]]
    may_lose: Callable[[Site], float]
    local_suffices: Callable[[Site], bool]
    sender: Callable[[View], str]
    steps: Callable[[View], Steps]


def scenarios() -> dict[str, Scenario]:
    """All of them by name; those that break the least come first."""
    found = [_scenario(each.name) for each in pkgutil.iter_modules(__path__)]
    return {each.name: each for each in sorted(found, key=lambda each: (not each.planned, each.name))}


def _scenario(module_name: str) -> Scenario:
    module = importlib.import_module(f"{__name__}.{module_name}")
    return Scenario(
        module_name.replace("_", "-"),
        _title(module),
        module.PLANNED,
        module.lacks,
        getattr(module, "tools", _none),
        getattr(module, "may_lose", _nothing),
        getattr(module, "local_suffices", _never),
        getattr(module, "sender", _standby),
        module.steps,
    )


def _title(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _none(_view: View) -> Mapping[str, str]:
    return {}


def _never(_site: Site) -> bool:
    return False


def _nothing(_site: Site) -> float:
    return 0.0


def _standby(view: View) -> str:
    return view.standby
