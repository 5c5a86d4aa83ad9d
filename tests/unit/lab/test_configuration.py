"""Whose lab it is."""

from __future__ import annotations

import os

import pytest

from lab import configuration


@pytest.mark.parametrize(
    ("user", "said", "owner"),
    [(0, None, (0, 0)), (0, 1000, (1000, 1000)), (1001, None, (1001, 1001)), (1001, 0, (1001, 1001))],
    ids=["root", "root by sudo", "a user", "a user whom root has become by sudo"],
)
def test_it_belongs_to_whoever_runs_it(
    monkeypatch: pytest.MonkeyPatch, user: int, said: int | None, owner: tuple[int, int]
) -> None:
    for name in ("getuid", "getgid", "geteuid"):
        monkeypatch.setattr(os, name, lambda: user)
    for name in ("SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)
        if said is not None:
            monkeypatch.setenv(name, str(said))
    assert configuration._user() == owner
